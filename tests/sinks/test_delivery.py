import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import Event
from exporter.errors import DeliveryError, StateError
from exporter.sinks.delivery import LAST_RETRY, PART, Delivery
from exporter.sinks.protocol import Sink
from tests.sinks.conftest import MemoryOutbox

WITHIN = 30.0


class Waits:
    """A clock whose waits last until a test ends them."""

    def __init__(self) -> None:
        """Begin at 0, with nobody waiting."""
        self.waits: list[tuple[float, asyncio.Event]] = []
        self.waiting = asyncio.Event()

    def now(self) -> float:
        """Return the time, which stands still."""
        return 0.0

    def monotonic(self) -> float:
        """Return the time, which stands still."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait until the test goes on."""
        over = asyncio.Event()
        self.waits.append((seconds, over))
        self.waiting.set()
        await over.wait()

    async def end(self) -> float:
        """End the one wait there is; returns how many seconds it was."""
        async with asyncio.timeout(WITHIN):
            await self.waiting.wait()
        ((seconds, over),) = self.waits
        self.waits.clear()
        self.waiting.clear()
        over.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return seconds


class Recorder:
    """A sink that keeps what arrives; a delivery fails with the next of ``errors``, if any."""

    def __init__(self, name: str = "recorder", errors: Sequence[Exception | None] = ()) -> None:
        """Take everything but for the errors."""
        self.name = name
        self.errors = list(errors)
        self.arrived: list[tuple[str, str]] = []
        self.closed = False
        self.grew = asyncio.Event()

    async def until(self, count: int) -> None:
        """Wait until so many have arrived."""
        async with asyncio.timeout(WITHIN):
            while len(self.arrived) < count:
                self.grew.clear()
                await self.grew.wait()

    async def deliver(self, events: Sequence[Event]) -> None:
        """Keep the events, as many as the error says have arrived."""
        error = self.errors.pop(0) if self.errors else None
        took = len(events)
        if error is not None:
            took = error.delivered if isinstance(error, DeliveryError) else 0
        self.arrived += [(event.account, event.action_id) for event in events[:took]]
        self.grew.set()
        if error is not None:
            raise error

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    def ids(self, account: str = "main") -> list[int]:
        """Return which events of an account have arrived, in order."""
        return [int(action) for name, action in self.arrived if name == account]


class Hanging(Recorder):
    """A sink that takes nothing until it is let, and then fails if it was closed."""

    def __init__(self, name: str = "hanging") -> None:
        """Hang from the start."""
        super().__init__(name)
        self.free = asyncio.Event()

    async def deliver(self, events: Sequence[Event]) -> None:
        """Wait to be let."""
        await self.free.wait()
        if self.closed:
            raise DeliveryError("it ends", delivered=0)
        await super().deliver(events)

    async def close(self) -> None:
        """Hang no longer."""
        self.closed = True
        self.free.set()


class Deaf(Hanging):
    """A sink that hangs for good."""

    async def close(self) -> None:
        """Go on hanging."""
        self.closed = True


class Slow(Recorder):
    """A sink that takes each event after a while, also while it is closed."""

    def __init__(self, name: str = "slow") -> None:
        """Begin without an event."""
        super().__init__(name)
        self.begun = asyncio.Event()

    async def deliver(self, events: Sequence[Event]) -> None:
        """Take them when as many whiles are over."""
        self.begun.set()
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.005 * len(events), over.set)
        await over.wait()
        await super().deliver(events)


class DeliveryNotes:
    """What was written down of deliveries."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lines: list[tuple[str, ...]] = []

    def delivery_failed(self, account: str, sink: str, error: str) -> None:
        """Note it."""
        self.lines.append(("failed", account, sink, error))

    def delivery_recovered(self, account: str, sink: str) -> None:
        """Note it."""
        self.lines.append(("recovered", account, sink))

    def crashed(self, account: str, error: BaseException) -> None:
        """Note it."""
        self.lines.append(("crashed", account, repr(error)))


class Rig:
    """Deliveries to some sinks, the clock they wait by, and what was told of them."""

    def __init__(self, *sinks: Sink) -> None:
        """Build the deliveries."""
        self.clock = Waits()
        self.told = DeliveryNotes()
        self.delivery = Delivery(sinks, self.clock, self.told)

    async def deliver(self, outbox: MemoryOutbox, count: int = 0) -> None:
        """Commit so many events, and wait until what can be delivered is."""
        outbox.add(count)
        self.delivery.wake(outbox)
        async with asyncio.timeout(WITHIN):
            await self.delivery.settle()


Outbox = Callable[..., MemoryOutbox]


async def test_every_sink_gets_every_event_in_order(outbox: Outbox) -> None:
    """However many there are, and whenever they come."""
    one, two = Recorder("one"), Recorder("two")
    rig, main = Rig(one, two), outbox(limit=7)
    for count in (3, 0, 50, 1):
        await rig.deliver(main, count)
    assert one.ids() == two.ids() == [*range(54)]
    assert main.positions == {"one": 54, "two": 54}
    assert rig.told.lines == []


async def test_a_sink_that_hangs_holds_up_no_other(outbox: Outbox) -> None:
    """It gets what it missed when it goes on."""
    hanging, other = Hanging(), Recorder()
    rig, main = Rig(hanging, other), outbox(limit=2)
    for _ in range(3):
        main.add(3)
        rig.delivery.wake(main)
        await other.until(len(main.events))
    assert hanging.arrived == []
    hanging.free.set()
    await rig.deliver(main)
    assert hanging.ids() == other.ids() == [*range(9)]


async def test_a_sink_that_fails_is_asked_again_later_and_later(outbox: Outbox) -> None:
    """Another one goes on meanwhile; that it fails and that it works again is told once."""
    broken = Recorder("broken", [DeliveryError("no")] * 9)
    other = Recorder("other")
    rig, main = Rig(broken, other), outbox()
    await rig.deliver(main, 3)
    assert (broken.ids(), other.ids()) == ([], [0, 1, 2])
    waits = []
    while not broken.arrived:
        waits.append(await rig.clock.end())
        async with asyncio.timeout(WITHIN):
            await rig.delivery.settle()
    assert waits == [1, 2, 4, 8, 16, 32, *[LAST_RETRY] * 3]
    assert broken.ids() == [0, 1, 2]
    assert rig.told.lines == [("failed", "main", "broken", "no"), ("recovered", "main", "broken")]
    broken.errors = [DeliveryError("again")]
    await rig.deliver(main, 1)
    assert await rig.clock.end() == 1


async def test_what_comes_next_is_tried_at_once(outbox: Outbox) -> None:
    """A poll that commits more does not wait for the retry, which then comes to nothing."""
    sink = Recorder(errors=[DeliveryError("no")])
    rig, main = Rig(sink), outbox()
    await rig.deliver(main, 2)
    await rig.deliver(main, 1)
    assert sink.ids() == [0, 1, 2]
    ((_, wait),) = rig.clock.waits
    wait.set()
    await rig.deliver(main)
    assert sink.ids() == [0, 1, 2]


async def test_what_arrived_before_it_failed_is_not_delivered_again(outbox: Outbox) -> None:
    """A sink that says how many it took gets the others."""
    sink = Recorder(errors=[DeliveryError("half", delivered=3)])
    rig, main = Rig(sink), outbox()
    await rig.deliver(main, 5)
    assert sink.ids() == [0, 1, 2]
    assert main.positions == {"recorder": 3}
    await rig.deliver(main)
    assert sink.ids() == [0, 1, 2, 3, 4]


async def test_a_defect_of_a_sink_is_told_with_its_trace(outbox: Outbox) -> None:
    """Once, and it is tried again as after any failure."""
    sink = Recorder(errors=[LookupError("defect"), LookupError("defect")])
    rig, main = Rig(sink), outbox()
    await rig.deliver(main, 1)
    await rig.deliver(main)
    assert rig.told.lines == [("crashed", "main", "LookupError('defect')")]
    await rig.deliver(main)
    assert sink.ids() == [0]
    assert rig.told.lines[1:] == [("recovered", "main", "recorder")]


async def test_what_arrived_and_could_not_be_noted_is_not_delivered_again(
    outbox: Outbox, broken_state: StateError
) -> None:
    """While the process lives: the database fails between the delivery and its note."""
    sink = Recorder()
    rig, main = Rig(sink), outbox()
    main.note_errors = [broken_state, broken_state]
    await rig.deliver(main, 3)
    assert rig.told.lines == []  # the poll that comes next meets it too, and says so
    await rig.deliver(main, 2)
    assert rig.told.lines == [("failed", "main", "recorder", "disk full")]
    await rig.deliver(main)
    assert sink.ids() == [0, 1, 2, 3, 4]
    assert main.positions == {"recorder": 5}
    assert rig.told.lines[1:] == [("recovered", "main", "recorder")]
    assert not rig.clock.waits


async def test_what_arrived_without_the_name_of_its_sim_card_is_not_delivered_again_with_it(
    outbox: Outbox, broken_state: StateError
) -> None:
    """The SIM card may be looked up between the delivery and its note."""
    sink = Recorder()
    rig, main = Rig(sink), outbox()
    main.add(2)
    named = main.events[:]
    main.events = [
        msgspec.structs.replace(each, iccid="", sim_card_group="", tags=()) for each in named
    ]
    main.note_errors = [broken_state]
    await rig.deliver(main)
    main.events = named
    await rig.deliver(main, 1)
    assert sink.ids() == [0, 1, 2]
    assert main.positions == {"recorder": 3}


async def test_other_events_under_the_same_numbers_are_delivered(
    outbox: Outbox, broken_state: StateError
) -> None:
    """An older copy of the database may come into the place of one that failed."""
    sink = Recorder()
    rig, main = Rig(sink), outbox()
    main.note_errors = [broken_state]
    await rig.deliver(main, 3)
    copy = outbox()
    copy.add(10)
    del copy.events[:7]
    await rig.deliver(copy)
    assert sink.ids() == [0, 1, 2, 7, 8, 9]


async def test_an_account_that_fails_holds_up_no_other(
    outbox: Outbox, broken_state: StateError
) -> None:
    """Each has its turn, also while one has much to deliver."""
    sink = Recorder()
    rig, one, two, three = Rig(sink), outbox("one", 2), outbox("two"), outbox("three")
    two.take_errors = [broken_state]
    one.add(6)
    rig.delivery.wake(one)
    two.add(1)
    rig.delivery.wake(two)
    await rig.deliver(three, 1)
    assert [name for name, _ in sink.arrived] == ["one", "one", "three", *["one"] * 4]
    await rig.deliver(two)
    assert sink.ids("two") == [0]


async def test_a_stop_delivers_what_is_left(outbox: Outbox) -> None:
    """Then the sinks are closed, and nothing is delivered any more."""
    sink = Recorder()
    rig, main = Rig(sink), outbox(limit=2)
    main.add(9)
    rig.delivery.wake(main)
    await rig.delivery.stop(WITHIN)
    assert sink.ids() == [*range(9)]
    assert sink.closed
    await rig.deliver(main, 1)
    assert sink.ids() == [*range(9)]


@pytest.mark.parametrize("sink_class", [Hanging, Deaf])
async def test_a_stop_waits_for_no_sink_that_hangs(
    outbox: Outbox, sink_class: type[Hanging]
) -> None:
    """What one that hangs did not take stays in the outbox; the others are stopped in order."""
    hanging, other = sink_class(), Recorder()
    rig, main = Rig(hanging, other), outbox()
    main.add(3)
    rig.delivery.wake(main)
    await other.until(3)
    async with asyncio.timeout(WITHIN):
        await rig.delivery.stop(0.01)
    assert hanging.closed
    assert main.positions == {"recorder": 3}


async def test_a_sink_that_gets_on_is_waited_for(outbox: Outbox) -> None:
    """As long as it takes something now and then; one that hangs is not."""
    slow, main = Hanging(), outbox(limit=1)
    rig = Rig(slow)
    main.add(1)
    rig.delivery.wake(main)
    async with asyncio.timeout(WITHIN):
        await rig.delivery.settle(0.01)
    assert slow.ids() == []
    main.add(200)
    slow.free.set()
    async with asyncio.timeout(WITHIN):
        await rig.delivery.settle(WITHIN)
    assert slow.ids() == [*range(201)]


async def test_a_sink_that_is_slow_is_waited_for_within_what_it_is_handed(outbox: Outbox) -> None:
    """What the outbox gives at once may take longer than one that hangs is waited for."""
    slow, main = Slow(), outbox()
    rig = Rig(slow)
    main.add(100)
    rig.delivery.wake(main)
    async with asyncio.timeout(WITHIN):
        await rig.delivery.settle(0.25)
    assert slow.ids() == [*range(100)]


async def test_what_arrived_before_a_defect_is_not_delivered_again(outbox: Outbox) -> None:
    """An event that a sink cannot take holds up those behind it, and repeats none before it."""
    sink = Recorder(errors=[None, LookupError("defect"), LookupError("defect")])
    rig, main = Rig(sink), outbox()
    await rig.deliver(main, 2 * PART)
    await rig.deliver(main)
    assert sink.ids() == [*range(PART)]
    assert main.positions == {"recorder": PART}
    await rig.deliver(main)
    assert sink.ids() == [*range(2 * PART)]


async def test_nothing_is_delivered_to_a_sink_that_was_closed(outbox: Outbox) -> None:
    """What it takes while it is closed is noted, and the rest stays in the outbox."""
    slow, main = Slow(), outbox()
    rig = Rig(slow)
    main.add(100)
    rig.delivery.wake(main)
    async with asyncio.timeout(WITHIN):
        await slow.begun.wait()
        await rig.delivery.stop(0.001)
    assert slow.ids() == [*range(PART)]
    assert main.positions == {"slow": PART}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 30)),
        st.tuples(st.just("wake"), st.none()),
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.one_of(
                st.builds(DeliveryError, st.just("no"), delivered=st.just(0)),
                st.just(LookupError("defect")),
            ),
        ),
        st.tuples(st.sampled_from(["take", "note"]), st.just(StateError("disk full"))),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_nothing_is_lost_or_repeated(steps: list[tuple[str, Any]]) -> None:
    """Whatever fails and is started anew in whatever order, each event arrives once, in order.

    A restart lets deliveries end before it, as a stop does, and the database works then.
    """

    async def play() -> None:
        sinks = {name: Recorder(name) for name in ("one", "two")}
        main = MemoryOutbox(limit=8)
        rig = Rig(*sinks.values())
        errors = {
            "take": main.take_errors,
            "note": main.note_errors,
            **{name: sink.errors for name, sink in sinks.items()},
        }
        for step, value in steps:
            if step in errors:
                errors[step].append(value)
            elif step == "commit":
                main.add(value)
            elif step == "wake":
                await rig.deliver(main)
            else:
                main.note_errors.clear()
                main.take_errors.clear()
                await rig.deliver(main)
                await rig.delivery.stop(WITHIN)
                rig = Rig(*sinks.values())
        for _ in range(len(steps) + 1):
            await rig.deliver(main)
        for sink in sinks.values():
            assert sink.ids() == [*range(len(main.events))]
        await rig.delivery.stop(WITHIN)

    asyncio.run(play())


async def test_an_account_that_is_left_is_told_no_more(outbox: Outbox) -> None:
    """What a sink was handed ends before; another account goes on, and so does it when it comes."""
    slow = Slow()
    rig, main, other = Rig(slow), outbox("main"), outbox("other")
    main.add(25)
    other.add(5)
    rig.delivery.wake(main)
    rig.delivery.wake(other)
    await slow.until(10)
    main.held = False
    assert await rig.delivery.leave("main", WITHIN)
    told = slow.ids()
    assert len(told) == main.positions[slow.name] < 25
    await rig.deliver(other)
    assert (slow.ids("other"), slow.ids()) == ([*range(5)], told)
    main.held = True
    await rig.deliver(main)
    assert slow.ids() == [*range(25)]


async def test_a_sink_that_hangs_cannot_be_left_yet(outbox: Outbox) -> None:
    """It may still tell what it was handed, so nobody else may."""
    hanging = Hanging()
    rig, main = Rig(hanging), outbox()
    main.add(1)
    rig.delivery.wake(main)
    await asyncio.sleep(0)
    assert not await rig.delivery.leave("main", 0.01)
    hanging.free.set()
    assert await rig.delivery.leave("main", WITHIN)
    assert hanging.ids() == [0]


async def test_a_retry_of_an_account_that_is_left_never_comes(outbox: Outbox) -> None:
    """Nor does it hold up anything at the end."""
    sink = Recorder(errors=[DeliveryError("no")])
    rig, main = Rig(sink), outbox()
    await rig.deliver(main, 1)
    ((_, wait),) = rig.clock.waits
    assert await rig.delivery.leave("main", WITHIN)
    wait.set()
    await rig.delivery.stop(WITHIN)
    assert sink.ids() == []
