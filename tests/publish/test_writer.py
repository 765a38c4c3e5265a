from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.errors import Cause
from exporter.ledger.view import AccountView, Exemplar
from exporter.publish.exposition import Format, render
from exporter.publish.health import Snapshot, Telemetry
from exporter.publish.metrics import build_registry, process_metrics
from exporter.publish.writer import Writer


def _own(exposition: bytes) -> list[str]:
    """Return the lines that are not of the process, which change by themselves."""
    ours = []
    for line in exposition.decode().splitlines():
        name = line.removeprefix("# HELP ").removeprefix("# TYPE ")
        if not name.startswith(("process_", "python_")):
            ours.append(line)
    return ours


def _whole(snapshot: Snapshot, chosen: Format) -> list[str]:
    registry = build_registry(lambda: snapshot, revision="x")
    return _own(render(registry.collect(), chosen))


@pytest.fixture
def writer() -> Writer:
    """Give a writer that has written nothing yet."""
    return Writer(process_metrics(revision="x"))


@pytest.mark.parametrize("chosen", Format)
def test_it_writes_what_the_registry_holds(
    writer: Writer,
    view: Callable[..., AccountView],
    snapshot: Callable[..., Snapshot],
    chosen: Format,
) -> None:
    """Piece by piece or as a whole, it is the same exposition, exemplars and odd names included."""
    exemplar = {("enable", "other"): Exemplar("id", "sim", 1.0)}
    one = view("one", failed={("enable", "other"): 2}, failed_exemplars=exemplar)
    odd = view('a "b"\n\\c # HELP x')
    hidden = view("hidden", readable=False)
    shot = snapshot(*((each, Telemetry(each.name)) for each in (one, odd, hidden)))
    for _ in range(2):  # the second time from what is kept
        assert _own(writer.write(shot, chosen)) == _whole(shot, chosen)


def test_tallies_that_did_not_grow_stay_the_same_object() -> None:
    """What was written of them need not be written anew; each note makes another copy."""
    telemetry = Telemetry("one")
    copies = [telemetry.health(), telemetry.health()]
    assert copies[0] is copies[1]
    notes: tuple[Callable[[], None], ...] = (
        lambda: telemetry.request_done("list", "200", 0.1),
        lambda: telemetry.retrying("unavailable"),
        lambda: telemetry.rate_limit_seen(10.0, 9.0),
        lambda: telemetry.malformed_seen(1),
        lambda: telemetry.sweep_started("drift"),
        lambda: telemetry.poll_succeeded(1.0, 0.1),
        lambda: telemetry.poll_failed(2.0, 0.1, Cause.AUTH, "refused"),
    )
    for note in notes:
        note()
        assert telemetry.health() != copies[-1]
        copies.append(telemetry.health())


def test_what_changes_is_written_anew(
    writer: Writer, view: Callable[..., AccountView], snapshot: Callable[..., Snapshot]
) -> None:
    """A new view, a tally that grew and an account that went show at once."""
    telemetry, other = Telemetry("one"), Telemetry("two")
    first = snapshot((view("one"), telemetry), (view("two"), other))
    writer.write(first, Format.TEXT)
    telemetry.poll_failed(1.0, 1.0, Cause.AUTH, "refused")
    second = snapshot((view("one", created={"enable": 7}), telemetry))
    assert _own(writer.write(second, Format.TEXT)) == _whole(second, Format.TEXT)
    assert _own(writer.write(first, Format.TEXT)) == _whole(first, Format.TEXT)
    later = replace(first, reload_successful=False)
    assert _own(writer.write(later, Format.TEXT)) == _whole(later, Format.TEXT)
