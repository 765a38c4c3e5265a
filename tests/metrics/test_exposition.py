import gzip
import subprocess
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from exporter.ledger.records import Exemplar
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.collector import build_registry
from exporter.metrics.exposition import Format, accepts_gzip, choose_format, compress, render
from exporter.metrics.self_metrics import ExporterSnapshot, SelfMetrics

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_3 = (
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,{OPENMETRICS};version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param("", Format.TEXT, id="no header"),
        pytest.param("*/*", Format.TEXT, id="anything"),
        pytest.param("text/html,*/*;q=0.8", Format.TEXT, id="browser"),
        pytest.param("application/json", Format.TEXT, id="nothing on offer"),
        pytest.param(PROMETHEUS_3, Format.OPENMETRICS, id="Prometheus 3"),
        pytest.param(OPENMETRICS, Format.OPENMETRICS, id="no version"),
        pytest.param(f"{OPENMETRICS}; version=1.0.0", Format.OPENMETRICS, id="version 1.0.0"),
        pytest.param(f'{OPENMETRICS}; version="1.0.0"', Format.OPENMETRICS, id="quoted"),
        pytest.param(OPENMETRICS.upper(), Format.OPENMETRICS, id="upper case"),
        pytest.param(f"{OPENMETRICS}; version=abc", Format.TEXT, id="odd version"),
        pytest.param(f"{OPENMETRICS}; version=0.0.1", Format.TEXT, id="old version"),
        pytest.param(f"{OPENMETRICS};q=0.3,text/plain;q=0.9", Format.TEXT, id="likes text"),
        pytest.param(f"{OPENMETRICS};q=0.9,text/plain;q=0.3", Format.OPENMETRICS, id="likes it"),
        pytest.param(f"{OPENMETRICS},text/plain", Format.OPENMETRICS, id="likes both"),
        pytest.param(f"{OPENMETRICS};q=0.5,*/*", Format.TEXT, id="likes all others more"),
        pytest.param(
            f"{OPENMETRICS};q=0.5,text/plain;q=0.1,*/*",
            Format.OPENMETRICS,
            id="the specific range decides",
        ),
        pytest.param(f"{OPENMETRICS};q=0", Format.TEXT, id="refused"),
        pytest.param(f"{OPENMETRICS};q=high", Format.TEXT, id="odd quality"),
        pytest.param(f"{OPENMETRICS};q=nan", Format.TEXT, id="not a number"),
        pytest.param(",;,=;q=,", Format.TEXT, id="rubbish"),
    ],
)
def test_format_follows_the_header(accept: str, chosen: Format) -> None:
    """The format that the scraper likes best is chosen; whatever it sends, there is one."""
    assert choose_format(accept) is chosen


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("gzip;q=0.2, identity;q=0.8", False),
        ("br", False),
    ],
)
def test_gzip_follows_the_header(header: str, allowed: bool) -> None:  # noqa: FBT001 # a test's data
    """An answer is compressed only for a scraper that takes gzip and does not mind it."""
    assert accepts_gzip(header) is allowed


def test_compressed_is_the_same_when_read() -> None:
    """What is compressed reads back unchanged, and the same body gives the same bytes."""
    assert gzip.decompress(compress(b"a" * 1000)) == b"a" * 1000
    assert compress(b"body") == compress(b"body")


def test_text_has_the_names_of_prometheus(snapshot: Snapshots) -> None:
    """In the text format a counter is typed under its full name, and nothing ends the text."""
    exposed = render(build_registry(snapshot, revision="x").collect(), Format.TEXT)
    lines = exposed.decode().splitlines()
    assert "# TYPE telnyx_exporter_polls_total counter" in lines
    assert 'telnyx_exporter_polls_total{account="default"} 0.0' in lines
    assert "# EOF" not in lines


def test_openmetrics_has_its_own_names_and_an_end(snapshot: Snapshots) -> None:
    """In OpenMetrics a counter's family goes without _total, its sample with it."""
    exposed = render(build_registry(snapshot, revision="x").collect(), Format.OPENMETRICS)
    lines = exposed.decode().splitlines()
    assert "# TYPE telnyx_exporter_polls counter" in lines
    assert 'telnyx_exporter_polls_total{account="default"} 0.0' in lines
    assert lines[-1] == "# EOF"


def test_exemplars_are_in_openmetrics_only(view: Views, snapshot: Snapshots) -> None:
    """The text format has no exemplars; OpenMetrics has value, labels and time of each."""
    key = ("enable", "other")
    committed = view(failed={key: 1}, failed_exemplars={key: Exemplar("a-1", "s-1", 1.785e9)})
    registry = build_registry(lambda: snapshot((committed, SelfMetrics("default"))), revision="x")
    line = (
        'telnyx_sim_card_actions_failed_total{account="default",action_type="enable",'
        'reason_class="other"} 1.0'
    )
    exemplar = ' # {action_id="a-1",sim_card_id="s-1"} 1.0 1785000000.0'
    text = render(registry.collect(), Format.TEXT).decode().splitlines()
    openmetrics = render(registry.collect(), Format.OPENMETRICS).decode().splitlines()
    assert line in text
    assert line + exemplar in openmetrics


@pytest.mark.parametrize(
    ("chosen", "read"), [(Format.TEXT, read_text), (Format.OPENMETRICS, read_openmetrics)]
)
def test_foreign_label_values_are_escaped(
    view: Views,
    snapshot: Snapshots,
    chosen: Format,
    read: Callable[[str], Iterable[Metric]],
) -> None:
    """An action type with quotes, backslashes and line ends reads back unchanged."""
    odd = 'a"b\\c\nd é'
    registry = build_registry(
        lambda: snapshot((view(stuck={odd: 1}), SelfMetrics("default"))), revision="x"
    )
    families = read(render(registry.collect(), chosen).decode())
    stuck = next(each for each in families if each.name == "telnyx_sim_card_actions_stuck")
    assert [sample.labels["action_type"] for sample in stuck.samples] == [odd]


@pytest.mark.program("promtool")
def test_promtool_has_nothing_to_say(
    snapshot: Snapshots, program_path: Callable[[str], str]
) -> None:
    """Prometheus' own linter finds neither mistakes nor bad names in the text format."""
    exposed = render(build_registry(snapshot, revision="x").collect(), Format.TEXT)
    verdict = subprocess.run(  # noqa: S603 # a fixed program, our own input
        [program_path("promtool"), "check", "metrics"],
        input=exposed,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")
