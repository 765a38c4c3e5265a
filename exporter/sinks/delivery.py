"""Delivers committed events to the sinks: to each in order, at its own pace, at least once.

A sink that is slow or broken holds up no other, and no poll. It must not know what a sink does
with an event.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Protocol

import msgspec

from exporter.clock import Clock
from exporter.domain import Event
from exporter.errors import DeliveryError, ExporterError, StateError
from exporter.sinks.protocol import Outbox, Sink

FIRST_RETRY = 1.0
"""Seconds after which a failed delivery is tried again; each further time it is twice as long."""

LAST_RETRY = 60.0
"""Seconds between two attempts at most."""

PART = 10
"""Events that a sink is handed at once: between two parts a slow one shows that it goes on."""

CLOSING = 1.0
"""Seconds that a sink which was told to end may take to do so."""

Batch = Sequence[tuple[int, Event]]


class DeliveryLog(Protocol):
    """Who writes down how deliveries go."""

    def delivery_failed(self, account: str, sink: str, error: str) -> None:
        """Write down that a sink takes no events of an account."""

    def delivery_recovered(self, account: str, sink: str) -> None:
        """Write down that it does again."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""


class Delivery:
    """Delivers events of any number of accounts to each of the sinks."""

    def __init__(self, sinks: Sequence[Sink], clock: Clock, log: DeliveryLog) -> None:
        """Keep the sinks, whose names differ; nothing runs before `wake`."""
        self._each = [_SinkDelivery(sink, clock, log) for sink in sinks]
        self.sinks = tuple(sink.name for sink in sinks)

    def wake(self, outbox: Outbox) -> None:
        """Deliver what the outbox of an account holds, in the background."""
        for each in self._each:
            each.wake(outbox)

    async def leave(self, name: str, seconds: float) -> bool:
        """Deliver nothing more of an account; tells whether that is so after at most ``seconds``.

        What a sink was handed already may take longer; `wake` begins again.
        """
        return all(await asyncio.gather(*(each.leave(name, seconds) for each in self._each)))

    async def settle(self, patience: float | None = None) -> None:
        """Wait until there is nothing left to deliver, but for what failed and is tried later.

        A sink that takes nothing for ``patience`` seconds is not waited for.
        """
        await asyncio.gather(*(each.settle(patience) for each in self._each))

    async def stop(self, seconds: float) -> None:
        """Deliver what is left for at most ``seconds``, then close the sinks."""
        await asyncio.gather(*(each.stop(seconds) for each in self._each))


class _SinkDelivery:
    """Delivers to one sink, one account after the other."""

    def __init__(self, sink: Sink, clock: Clock, log: DeliveryLog) -> None:
        self._sink = sink
        self._clock = clock
        self._log = log
        self._due: dict[str, Outbox] = {}
        self._task: asyncio.Task[None] | None = None
        self._failures: dict[str, int] = {}
        self._reported: set[str] = set()
        self._retries: dict[str, asyncio.Task[None]] = {}
        # Arrived, but not noted in the outbox, as the database failed.
        self._unnoted: dict[str, Batch] = {}
        self._progress = 0
        self._stopping = False
        self._current = ""
        self._turn_over = asyncio.Event()

    def wake(self, outbox: Outbox) -> None:
        if self._stopping:
            return
        # In place of one of the same name: the account may have been built anew.
        self._due[outbox.name] = outbox
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    async def leave(self, name: str, seconds: float) -> bool:
        self._due.pop(name, None)
        self._failures.pop(name, None)
        self._reported.discard(name)
        if retry := self._retries.pop(name, None):
            retry.cancel()
        if self._current == name:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._turn_over.wait()
        self._due.pop(name, None)
        return self._current != name

    async def settle(self, patience: float | None = None) -> None:
        while self._task is not None and not self._task.done():
            before = self._progress
            await asyncio.wait({self._task}, timeout=patience)
            if patience is not None and self._progress == before:
                return

    async def stop(self, seconds: float) -> None:
        for retry in self._retries.values():
            retry.cancel()
        settled = asyncio.ensure_future(self.settle())
        await asyncio.wait({settled}, timeout=seconds)
        self._stopping = True
        try:
            async with asyncio.timeout(CLOSING):
                await self._sink.close()
                await settled
        except TimeoutError:
            pass
        except Exception as exc:  # noqa: BLE001 - whatever it is, the others stop in order
            self._log.crashed("all", exc)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSING)

    async def _run(self) -> None:
        while self._due and not self._stopping:
            name = next(iter(self._due))
            outbox = self._due.pop(name)
            self._current = name
            self._turn_over = asyncio.Event()
            try:
                more = await self._deliver(outbox)
            except Exception as exc:  # noqa: BLE001 - one sink's defect must not touch another
                self._failed(outbox, exc)
            else:
                self._succeeded(name)
                if more:  # behind the others: each gets its turn
                    self._due.setdefault(name, outbox)
            finally:
                self._current = ""
                self._turn_over.set()

    async def _deliver(self, outbox: Outbox) -> bool:
        """Deliver some events; tells whether there may be more."""
        batch = await outbox.undelivered(self._sink.name)
        if not batch:
            return False
        unnoted = self._unnoted.get(outbox.name, ())
        arrived = sum(takewhile(bool, map(_alike, batch, unnoted)))
        try:
            while arrived < len(batch) and not self._stopping and outbox.held:
                part = batch[arrived : arrived + PART]
                await self._sink.deliver([event for _, event in part])
                arrived += len(part)
                self._progress += 1
        except Exception as exc:
            delivered = exc.delivered if isinstance(exc, DeliveryError) else 0
            await self._note(outbox, batch[: arrived + delivered])
            raise
        await self._note(outbox, batch[:arrived])
        return outbox.held

    async def _note(self, outbox: Outbox, arrived: Batch) -> None:
        if not arrived:
            return
        self._unnoted[outbox.name] = arrived
        await outbox.delivered(self._sink.name, arrived[-1][0])
        del self._unnoted[outbox.name]
        self._progress += 1

    def _succeeded(self, name: str) -> None:
        if retry := self._retries.pop(name, None):
            retry.cancel()
        self._failures.pop(name, None)
        if name in self._reported:
            self._reported.remove(name)
            self._log.delivery_recovered(name, self._sink.name)

    def _failed(self, outbox: Outbox, exc: Exception) -> None:
        name = outbox.name
        self._failures[name] = count = self._failures.get(name, 0) + 1
        # A state that was closed for another account's sake is open again with the next poll.
        if name not in self._reported and (count > 1 or not isinstance(exc, StateError)):
            self._reported.add(name)
            if isinstance(exc, ExporterError):
                self._log.delivery_failed(name, self._sink.name, str(exc))
            else:
                self._log.crashed(name, exc)
        if isinstance(exc, StateError):
            return  # the poll that reads the state anew wakes this
        if retry := self._retries.pop(name, None):
            retry.cancel()
        wait = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(count - 1, 10))
        self._retries[name] = asyncio.ensure_future(self._retry(outbox, wait))

    async def _retry(self, outbox: Outbox, wait: float) -> None:
        with suppress(asyncio.CancelledError):
            await self._clock.sleep(wait)
            if self._retries.get(outbox.name) is asyncio.current_task():
                del self._retries[outbox.name]
                self.wake(outbox)


def _alike(one: tuple[int, Event], other: tuple[int, Event]) -> bool:
    """Tell whether two are the same event: the name of its SIM card may have come in between."""
    (seq, event), (other_seq, named) = one, other
    name = {"iccid": named.iccid, "sim_card_group": named.sim_card_group, "tags": named.tags}
    return seq == other_seq and msgspec.structs.replace(event, **name) == named
