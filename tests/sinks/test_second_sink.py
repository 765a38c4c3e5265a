"""A sink beside the log, on a real ledger: all that one takes is a name and two methods."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import SystemClock
from exporter.domain import Action, Event
from exporter.errors import DeliveryError
from exporter.ledger.ledger import Ledger, PageContext
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, SortOrder
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.sinks.delivery import Delivery
from exporter.sinks.log import LogSink
from exporter.sinks.protocol import Sink
from tests.log_stream import LogStream, open_log

REASONS = Reasons.with_configured(())
NEW = PageContext(ListCursor(SortOrder.NEWEST, 0, None))
NOW = 120.0


@dataclass
class FileSink:
    """Appends the id of each action to a file."""

    file: Path
    name: str = "file"

    async def deliver(self, events: Sequence[Event]) -> None:
        """Write a line for each event."""
        text = "".join(f"{event.action_id}\n" for event in events)
        try:
            await asyncio.to_thread(self._append, text)
        except OSError as exc:
            raise DeliveryError(f"{self.file}: {exc.strerror}") from exc

    async def close(self) -> None:
        """Have nothing to end."""

    def _append(self, text: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(text)


@asynccontextmanager
async def process(
    state: Path, stream: LogStream, *others: Sink
) -> AsyncIterator[Callable[[range], Awaitable[None]]]:
    """Run a ledger with the log and other sinks; give what lets actions fail in it."""
    event_log, _ = open_log(stream)
    delivery = Delivery([LogSink(event_log), *others], SystemClock(), event_log)
    store = SqliteStore(Database(f"sqlite:///{state}"))
    with ThreadPoolExecutor(1) as worker:
        ledger = Ledger(
            name="main",
            store=store,
            worker=worker,
            reasons=REASONS,
            options=SnapshotOptions((), (), {}, 900.0, REASONS.classes),
            sinks=delivery.sinks,
            on_events=delivery.wake,
        )
        await ledger.open(NOW)

        async def fail(numbers: range) -> None:
            unit = ledger.begin(NOW)
            actions = [Action(f"{n}", "s", "enable", "failed", "r", 100.0, 110.0) for n in numbers]
            await ledger.record(unit, actions, NEW)
            await ledger.commit(unit)
            await ledger.publish(NOW)
            ledger.announce()
            await delivery.settle()

        yield fail
        await delivery.stop(30.0)
        await ledger.in_worker(store.close)


def logged(stream: LogStream, name: str, field: str) -> list[str]:
    """Return a field of the log events of a name."""
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [event[field] for event in events if event["event"] == name]


async def test_a_second_sink_goes_its_own_way(tmp_path: Path) -> None:
    """It knows nothing of the past, may fail for long, and gets all of it after a restart, once."""
    state, file, stream = tmp_path / "state.db", tmp_path / "events", LogStream()
    failed = "sim_card_action_failed"
    async with process(state, stream) as fail:
        await fail(range(3))
    file.mkdir()  # so that it cannot be written
    async with process(state, stream, FileSink(file)) as fail:
        await fail(range(3, 300))
        await fail(range(300, 310))
    assert logged(stream, failed, "action_id") == [f"{n}" for n in range(310)]
    assert logged(stream, "delivery_failed", "error") == [f"{file}: Is a directory"]
    assert logged(stream, "delivery_failed", "sink") == ["file"]
    file.rmdir()
    async with process(state, stream, FileSink(file)) as fail:
        await fail(range(310, 312))
    assert file.read_text().splitlines() == [f"{n}" for n in range(3, 312)]
    assert logged(stream, failed, "action_id") == [f"{n}" for n in range(312)]
