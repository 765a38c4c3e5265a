from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.errors import Cause
from exporter.ledger.records import Exemplar
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.collector import build_registry, process_metrics
from exporter.metrics.exposition import Format, render
from exporter.metrics.render import Renderer
from exporter.metrics.self_metrics import ExporterSnapshot, SelfMetrics


def _own(exposition: bytes) -> list[str]:
    """Return the lines that are not of the process, which change by themselves."""
    ours = []
    for line in exposition.decode().splitlines():
        name = line.removeprefix("# HELP ").removeprefix("# TYPE ")
        if not name.startswith(("process_", "python_")):
            ours.append(line)
    return ours


def _whole(snapshot: ExporterSnapshot, chosen: Format) -> list[str]:
    registry = build_registry(lambda: snapshot, revision="x")
    return _own(render(registry.collect(), chosen))


@pytest.fixture
def writer() -> Renderer:
    """Give a writer that has written nothing yet."""
    return Renderer(process_metrics(revision="x"))


@pytest.mark.parametrize("chosen", Format)
def test_it_writes_what_the_registry_holds(
    writer: Renderer,
    view: Callable[..., AccountSnapshot],
    snapshot: Callable[..., ExporterSnapshot],
    chosen: Format,
) -> None:
    """Piece by piece or as a whole, it is the same exposition, exemplars and odd names included."""
    exemplar = {("enable", "other"): Exemplar("id", "sim", 1.0)}
    one = view("one", failed={("enable", "other"): 2}, failed_exemplars=exemplar)
    odd = view('a "b"\n\\c # HELP x')
    hidden = view("hidden", readable=False)
    shot = snapshot(*((each, SelfMetrics(each.name)) for each in (one, odd, hidden)))
    for _ in range(2):  # the second time from what is kept
        assert _own(writer.write(shot, chosen)) == _whole(shot, chosen)


def test_tallies_that_did_not_grow_stay_the_same_object() -> None:
    """What was written of them need not be written anew; each note makes another copy."""
    self_metrics = SelfMetrics("one")
    copies = [self_metrics.health(), self_metrics.health()]
    assert copies[0] is copies[1]
    notes: tuple[Callable[[], None], ...] = (
        lambda: self_metrics.request_done("list", "200", 0.1),
        lambda: self_metrics.retrying("unavailable"),
        lambda: self_metrics.rate_limit_seen(10.0, 9.0),
        lambda: self_metrics.malformed_seen(1),
        lambda: self_metrics.sweep_started("drift"),
        lambda: self_metrics.poll_succeeded(1.0, 0.1),
        lambda: self_metrics.poll_failed(2.0, 0.1, Cause.AUTH, "refused"),
    )
    for note in notes:
        note()
        assert self_metrics.health() != copies[-1]
        copies.append(self_metrics.health())


def test_what_changes_is_written_anew(
    writer: Renderer,
    view: Callable[..., AccountSnapshot],
    snapshot: Callable[..., ExporterSnapshot],
) -> None:
    """A new view, a tally that grew and an account that went show at once."""
    self_metrics, other = SelfMetrics("one"), SelfMetrics("two")
    first = snapshot((view("one"), self_metrics), (view("two"), other))
    writer.write(first, Format.TEXT)
    self_metrics.poll_failed(1.0, 1.0, Cause.AUTH, "refused")
    second = snapshot((view("one", created={"enable": 7}), self_metrics))
    assert _own(writer.write(second, Format.TEXT)) == _whole(second, Format.TEXT)
    assert _own(writer.write(first, Format.TEXT)) == _whole(first, Format.TEXT)
    later = replace(first, reload_successful=False)
    assert _own(writer.write(later, Format.TEXT)) == _whole(later, Format.TEXT)
