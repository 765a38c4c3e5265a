import gzip
import platform
import subprocess
import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.samples import Sample

from exporter.errors import Cause
from exporter.ledger.records import Exemplar, Histogram
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import KEPT_FOR, Exposition
from exporter.metrics.negotiation import Format
from exporter.metrics.self_metrics import SelfMetrics
from exporter.version import __version__
from tests.metrics.exposed import exposed, exposed_value, own_lines, parse

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]

UUID = "6a09cdc3-8948-47f0-aa62-74ac943d6c58"
ODD = 'a "b"\n\\c # HELP x é'


def _failed(snapshot: ExporterSnapshot) -> Sample:
    return exposed(snapshot)["telnyx_sim_card_actions_failed"].samples[0]


def test_everything_known_is_there_at_zero_from_the_start(snapshot: Snapshots) -> None:
    """Before the first poll each known combination of labels has a series, at 0."""
    values = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in exposed(snapshot()).values()
        for sample in family.samples
    }
    for name, labels in (
        ("telnyx_up", {}),
        ("telnyx_sim_card_actions", {"action_type": "enable", "status": "in-progress"}),
        ("telnyx_sim_card_actions_created_total", {"action_type": "enable"}),
        (
            "telnyx_sim_card_actions_failed_total",
            {"action_type": "enable", "reason_class": "other"},
        ),
        ("telnyx_exporter_polls_total", {}),
        *(("telnyx_exporter_poll_failures_total", {"cause": cause.value}) for cause in Cause),
        ("telnyx_exporter_api_requests_total", {"endpoint": "list", "code": "200"}),
        ("telnyx_exporter_api_requests_total", {"endpoint": "get", "code": "200"}),
        ("telnyx_exporter_api_retries_total", {"cause": "rate_limited"}),
        ("telnyx_exporter_api_retries_total", {"cause": "unavailable"}),
        ("telnyx_exporter_sweeps_total", {"cause": "drift"}),
        ("telnyx_exporter_ledger_drift", {"status": "interrupted"}),
        ("telnyx_exporter_listings", {"order": "none"}),
        ("telnyx_exporter_last_success_timestamp_seconds", {}),
        ("telnyx_exporter_poll_duration_seconds_count", {}),
    ):
        series = (name, *sorted({"account": "default", **labels}.items()))
        assert values.get(series) == 0, series


@pytest.mark.parametrize(
    "family",
    [
        "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds",
        "telnyx_exporter_api_rate_limit",
        "telnyx_exporter_api_rate_limit_remaining",
    ],
)
def test_what_is_not_known_has_no_series(snapshot: Snapshots, family: str) -> None:
    """A gauge without a value vanishes instead of showing a wrong 0."""
    assert exposed(snapshot())[family].samples == []


def test_what_is_committed_is_shown_as_it_is(view: Views, snapshot: Snapshots) -> None:
    """What is committed shows under its labels, unchanged."""
    committed = view(
        actions={("enable", "failed"): 3},
        oldest_in_progress={"enable": 1_784_999_000.5},
        stuck={"enable": 2},
        drift={"interrupted": -4},
        lists={"none": 3},
        tracked=17,
    )
    shown = snapshot((committed, SelfMetrics("default")))
    enable = {"account": "default", "action_type": "enable"}
    assert exposed_value(shown, "telnyx_sim_card_actions", **enable, status="failed") == 3
    oldest = "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds"
    assert exposed_value(shown, oldest, **enable) == 1_784_999_000.5
    assert exposed_value(shown, "telnyx_sim_card_actions_stuck", **enable) == 2
    drift = "telnyx_exporter_ledger_drift"
    assert exposed_value(shown, drift, account="default", status="interrupted") == -4
    assert exposed_value(shown, "telnyx_exporter_listings", account="default", order="none") == 3
    assert exposed_value(shown, "telnyx_exporter_actions_tracked", account="default") == 17


def test_health_is_shown_as_it_is(view: Views, snapshot: Snapshots) -> None:
    """What the polls did shows under its labels, unchanged."""
    self_metrics = SelfMetrics("default")
    self_metrics.poll_succeeded(1_785_000_000.0, 0.2)
    self_metrics.request_done("list", "429", 0.02)
    self_metrics.retrying("rate_limited")
    self_metrics.rate_limit_seen(100.0, 99.0)
    self_metrics.malformed_seen(2)
    shown = snapshot((view(), self_metrics))
    expected = {
        "telnyx_up": 1,
        "telnyx_exporter_polls_total": 1,
        "telnyx_exporter_last_success_timestamp_seconds": 1_785_000_000,
        "telnyx_exporter_api_rate_limit": 100,
        "telnyx_exporter_api_rate_limit_remaining": 99,
        "telnyx_exporter_malformed_actions_total": 2,
        "telnyx_exporter_poll_duration_seconds_sum": 0.2,
    }
    assert {name: exposed_value(shown, name, account="default") for name in expected} == expected
    requests = "telnyx_exporter_api_requests_total"
    assert exposed_value(shown, requests, account="default", endpoint="list", code="429") == 1
    retries = "telnyx_exporter_api_retries_total"
    assert exposed_value(shown, retries, account="default", cause="rate_limited") == 1


def test_failed_poll_is_down_and_counted(view: Views, snapshot: Snapshots) -> None:
    """A failed poll shows as telnyx_up 0 and under its cause, and keeps what is committed."""
    self_metrics = SelfMetrics("default")
    self_metrics.poll_failed(1_785_000_000.0, 0.2, Cause.AUTH, "refused")
    shown = snapshot((view(created={"enable": 5}), self_metrics))
    assert exposed_value(shown, "telnyx_up", account="default") == 0
    failures = "telnyx_exporter_poll_failures_total"
    assert exposed_value(shown, failures, account="default", cause="auth") == 1
    created = "telnyx_sim_card_actions_created_total"
    assert exposed_value(shown, created, account="default", action_type="enable") == 5


def test_histogram_is_cumulative(view: Views, snapshot: Snapshots) -> None:
    """Counts per bucket become cumulative ones, and +Inf equals the count."""
    counts = (1, 2) + (0,) * 10 + (4,)
    committed = view(durations={("enable", "failed"): Histogram(counts, 99.5)})
    shown = snapshot((committed, SelfMetrics("default")))
    name = "telnyx_sim_card_action_duration_seconds"
    labels = {"account": "default", "action_type": "enable", "status": "failed"}
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in exposed(shown)[name].samples
        if sample.name == f"{name}_bucket"
    ]
    assert buckets[:3] == [("1.0", 1), ("5.0", 3), ("15.0", 3)]
    assert buckets[-2:] == [("86400.0", 3), ("+Inf", 7)]
    assert exposed_value(shown, f"{name}_count", **labels) == 7
    assert exposed_value(shown, f"{name}_sum", **labels) == 99.5


@pytest.mark.parametrize("chosen", Format)
def test_each_metric_is_there_once(view: Views, snapshot: Snapshots, chosen: Format) -> None:
    """Every metric of the catalogue is in its place, with the series of all accounts together."""
    pairs = [(view(name), SelfMetrics(name)) for name in ("one", "two")]
    families = parse(Exposition().text(snapshot(*pairs), chosen), chosen)
    names = [each.name for each in families]
    assert names[: len(CATALOGUE)] == [each.name.removesuffix("_total") for each in CATALOGUE]
    assert len({*names}) == len(names)
    (up,) = (each for each in families if each.name == "telnyx_up")
    assert [sample.labels["account"] for sample in up.samples] == ["one", "two"]


@pytest.mark.parametrize("missing", ["readable", "baselined"])
def test_an_account_without_state_or_baseline_shows_only_how_its_polls_go(
    view: Views, snapshot: Snapshots, missing: str
) -> None:
    """Where the state cannot be read, counters at 0 would look like a reset."""
    families = exposed(snapshot((view(**{missing: False}), SelfMetrics("default"))))
    assert families["telnyx_sim_card_actions_created"].samples == []
    assert [sample.value for sample in families["telnyx_up"].samples] == [0]


@pytest.mark.parametrize(
    ("action_id", "sim_card_id", "labels"),
    [
        pytest.param(UUID, UUID, {"action_id": UUID, "sim_card_id": UUID}, id="both fit"),
        pytest.param(
            UUID,
            "s" * 72,
            {"action_id": UUID, "sim_card_id": "s" * 72},
            id="128 characters exactly",
        ),
        pytest.param(UUID, "s" * 73, {"action_id": UUID}, id="one too many: no sim card"),
        pytest.param("a" * 119, "", {"action_id": "a" * 119}, id="action alone fits exactly"),
        pytest.param("a" * 120, "", None, id="nothing fits"),
    ],
)
def test_exemplar_keeps_within_the_limit(
    view: Views,
    snapshot: Snapshots,
    action_id: str,
    sim_card_id: str,
    labels: dict[str, str] | None,
) -> None:
    """An exemplar names the action within the 128 characters of OpenMetrics, or is left out."""
    latest = Exemplar(action_id, sim_card_id, 1_785_000_000.25)
    committed = view(
        failed={("enable", "other"): 1}, failed_exemplars={("enable", "other"): latest}
    )
    exemplar = _failed(snapshot((committed, SelfMetrics("default")))).exemplar
    assert (exemplar and dict(exemplar.labels)) == labels
    if exemplar is not None:
        assert (exemplar.value, float(exemplar.timestamp or 0)) == (1, 1_785_000_000.25)


def test_interrupted_has_exemplars_too(view: Views, snapshot: Snapshots) -> None:
    """The counter of interrupted actions carries its own exemplar."""
    latest = {("enable", "other"): Exemplar(UUID, "sim", 5.0)}
    shown = exposed(snapshot((view(interrupted_exemplars=latest), SelfMetrics("default"))))
    exemplar = shown["telnyx_sim_card_actions_interrupted"].samples[0].exemplar
    assert exemplar is not None
    assert exemplar.labels == {"action_id": UUID, "sim_card_id": "sim"}
    assert shown["telnyx_sim_card_actions_failed"].samples[0].exemplar is None


def test_exemplars_are_in_openmetrics_only(view: Views, snapshot: Snapshots) -> None:
    """The text format has no exemplars; OpenMetrics has value, labels and time of each."""
    key = ("enable", "other")
    committed = view(failed={key: 1}, failed_exemplars={key: Exemplar("a-1", "s-1", 1.785e9)})
    shown = snapshot((committed, SelfMetrics("default")))
    line = (
        'telnyx_sim_card_actions_failed_total{account="default",action_type="enable",'
        'reason_class="other"} 1.0'
    )
    exemplar = ' # {action_id="a-1",sim_card_id="s-1"} 1.0 1785000000.0'
    assert line in own_lines(Exposition().text(shown, Format.TEXT))
    assert line + exemplar in own_lines(Exposition().text(shown, Format.OPENMETRICS))


def test_text_has_the_names_of_prometheus(snapshot: Snapshots) -> None:
    """In the text format a counter is typed under its full name, and nothing ends the text."""
    lines = Exposition().text(snapshot(), Format.TEXT).decode().splitlines()
    assert "# TYPE telnyx_exporter_polls_total counter" in lines
    assert 'telnyx_exporter_polls_total{account="default"} 0.0' in lines
    assert "# EOF" not in lines


def test_openmetrics_has_its_own_names_and_an_end(snapshot: Snapshots) -> None:
    """In OpenMetrics a counter's family goes without _total, its sample with it."""
    lines = Exposition().text(snapshot(), Format.OPENMETRICS).decode().splitlines()
    assert "# TYPE telnyx_exporter_polls counter" in lines
    assert 'telnyx_exporter_polls_total{account="default"} 0.0' in lines
    assert lines.index("# EOF") == len(lines) - 1


def test_build_and_runtime_are_exported(snapshot: Snapshots) -> None:
    """The build, the process and the Python runtime are in the same exposition."""
    shown = replace(snapshot(), revision="abc123")
    build = {
        "version": __version__,
        "python_version": platform.python_version(),
        "revision": "abc123",
    }
    assert exposed_value(shown, "telnyx_exporter_build_info", **build) == 1
    runtime = {"process_resident_memory_bytes", "python_info", "python_gc_collections"}
    assert runtime <= exposed(shown).keys()


def test_reload_state_is_exported(snapshot: Snapshots) -> None:
    """Whether and when the configuration was read well is exported without an account."""
    shown = snapshot()
    assert exposed_value(shown, "telnyx_exporter_config_last_reload_successful") == 1
    at = exposed_value(shown, "telnyx_exporter_config_last_reload_success_timestamp_seconds")
    assert at == 1_785_000_000


def test_no_sample_has_a_timestamp_or_a_creation_time(snapshot: Snapshots) -> None:
    """Samples carry no timestamps, and there are no _created series."""
    for family in exposed(snapshot()).values():
        for sample in family.samples:
            assert sample.timestamp is None
            assert not sample.name.endswith("_created")


@pytest.mark.parametrize("chosen", Format)
def test_what_is_kept_is_what_would_be_written(
    view: Views, snapshot: Snapshots, chosen: Format
) -> None:
    """A second scrape, of the other format or the same, says what a first one would."""
    exemplar = {("enable", "other"): Exemplar("id", "sim", 1.0)}
    one = view("one", failed={("enable", "other"): 2}, failed_exemplars=exemplar)
    accounts = (one, view(ODD), view("hidden", readable=False))
    shot = snapshot(*((each, SelfMetrics(each.name)) for each in accounts))
    exposition = Exposition()
    for each in (*Format, *Format, chosen):
        again = exposition.text(shot, each)
    assert own_lines(again) == own_lines(Exposition().text(shot, chosen))


def test_what_changes_is_written_anew(view: Views, snapshot: Snapshots) -> None:
    """Newly committed figures, tallies that grew and an account that went show at once."""
    exposition, self_metrics, other = Exposition(), SelfMetrics("one"), SelfMetrics("two")
    first = snapshot((view("one"), self_metrics), (view("two"), other))
    exposition.text(first, Format.TEXT)
    self_metrics.poll_failed(1.0, 1.0, Cause.AUTH, "refused")
    second = snapshot((view("one", created={"enable": 7}), self_metrics))
    for shot in (second, first, replace(first, reload_successful=False)):
        fresh = Exposition().text(shot, Format.TEXT)
        assert own_lines(exposition.text(shot, Format.TEXT)) == own_lines(fresh)


def test_what_is_no_longer_published_is_not_kept(view: Views, snapshot: Snapshots) -> None:
    """An account that went, and figures that were replaced, can be freed."""
    exposition = Exposition()
    committed = view("one", created=Freed(enable=1))
    gone = weakref.ref(committed.created)
    for chosen in Format:
        exposition.text(snapshot((committed, SelfMetrics("one"))), chosen)
    del committed
    assert gone() is not None
    exposition.keep_ready(snapshot((view("one"), SelfMetrics("one"))))
    assert gone() is None


class Written(int):
    """A number that knows how often it was written."""

    times = 0

    def __hash__(self) -> int:
        """Count: nothing but writing a number looks whether its text is known."""
        self.times += 1
        return super().__hash__()


def test_what_polls_changed_is_written_once_before_it_is_scraped(
    view: Views, snapshot: Snapshots
) -> None:
    """A scrape writes nothing that was kept ready, nor what another poll did not change."""
    exposition, self_metrics, created = Exposition(), SelfMetrics("one"), Written(7)
    exposition.text(snapshot((view("one"), self_metrics)), Format.OPENMETRICS)
    for failures in (1, 2):
        failed = {("enable", "other"): failures}
        shown = snapshot((view("one", created={"enable": created}, failed=failed), self_metrics))
        exposition.keep_ready(shown)
        assert created.times == 1
        written = exposition.gzip(shown, Format.OPENMETRICS)
        assert own_lines(gzip.decompress(written)) == own_lines(
            Exposition().text(
                snapshot((view("one", created={"enable": 7}, failed=failed), self_metrics)),
                Format.OPENMETRICS,
            )
        )
    assert created.times == 1


def test_what_a_scrape_finds_changed_is_compressed_after_it(
    view: Views, snapshot: Snapshots
) -> None:
    """The scrape itself has no time for that; what it shows is the same."""
    exposition, self_metrics, chosen = Exposition(), SelfMetrics("one"), Format.OPENMETRICS
    first = snapshot((view("one"), self_metrics))
    second = snapshot((view("one", created={"enable": 7}), self_metrics))
    exposition.gzip(first, chosen)
    changed = exposition.gzip(second, chosen)
    exposition.keep_ready(second)
    after = exposition.gzip(second, chosen)
    assert own_lines(gzip.decompress(changed)) == own_lines(gzip.decompress(after))
    assert len(after) < len(changed)


def test_only_formats_that_were_asked_for_lately_are_kept_ready(
    view: Views, snapshot: Snapshots
) -> None:
    """After a start that is what Prometheus will ask for; who asks no more costs nothing."""
    exposition, created = Exposition(), Written(7)
    shown = snapshot((view("one", created={"enable": created}), SelfMetrics("one")))
    exposition.keep_ready(shown)
    assert (created.times, exposition.is_asked) == (1, True)
    exposition.gzip(shown, Format.OPENMETRICS)
    exposition.text(shown, Format.TEXT)
    assert created.times == 2
    exposition.keep_ready(replace(shown, now=shown.now + KEPT_FOR))
    assert (created.times, exposition.is_asked) == (2, True)
    exposition.keep_ready(replace(shown, now=shown.now + KEPT_FOR + 1))
    assert not exposition.is_asked
    exposition.text(shown, Format.TEXT)
    assert created.times == 3


def test_what_cannot_be_written_is_forgotten_all_the_same(view: Views, snapshot: Snapshots) -> None:
    """Each pass fails as long as it is to be kept ready, and none after that."""
    exposition = Exposition()
    shown = snapshot((view("one", created={"enable": "no number"}), SelfMetrics("one")))
    with pytest.raises(ValueError, match="no number"):
        exposition.keep_ready(shown)
    exposition.keep_ready(replace(shown, now=shown.now + KEPT_FOR + 1))
    assert not exposition.is_asked


def test_it_is_not_kept_ready_for_ever_where_nobody_asks(view: Views, snapshot: Snapshots) -> None:
    """Nor does it count from before there was anything."""
    exposition, shown = Exposition(), snapshot((view("one"), SelfMetrics("one")))
    exposition.keep_ready(shown)
    exposition.keep_ready(replace(shown, now=shown.now + KEPT_FOR))
    assert exposition.is_asked
    exposition.keep_ready(replace(shown, now=shown.now + KEPT_FOR + 1))
    assert not exposition.is_asked


@pytest.mark.parametrize("chosen", Format)
def test_gzip_is_of_the_same_text(view: Views, snapshot: Snapshots, chosen: Format) -> None:
    """Both encodings say the same, of accounts with odd names too."""
    exposition, shown = Exposition(), snapshot((view(ODD), SelfMetrics(ODD)))
    unpacked = gzip.decompress(exposition.gzip(shown, chosen))
    assert own_lines(unpacked) == own_lines(exposition.text(shown, chosen))


class Freed(dict[str, int]):
    """A mapping of which can be told whether it is still held."""


@pytest.mark.program("promtool")
def test_promtool_has_nothing_to_say(
    view: Views, snapshot: Snapshots, program_path: Callable[[str], str]
) -> None:
    """Prometheus' own linter finds neither mistakes nor bad names, odd label values included."""
    shown = snapshot((view(ODD, stuck={ODD: 1}), SelfMetrics(ODD)))
    checked = subprocess.run(  # noqa: S603 # a fixed program, our own input
        [program_path("promtool"), "check", "metrics"],
        input=Exposition().text(shown, Format.TEXT),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
