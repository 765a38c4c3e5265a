"""Past and live counters together: each action counts once, whatever is between them."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.domain import ENDED_STATUSES, Action, Status
from exporter.history.openmetrics import PastAccount, collect
from exporter.history.past import CREATED, DURATION, ENTERED, CounterStart, past_of
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.sqlite_reader import SqliteReader
from exporter.simulator.actions import ActionFilter
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from tests.history.conftest import History
from tests.support.simulation import QUIET, ManualClock
from tests.sync.conftest import Account

OpenAccount = Callable[..., Account]
OpenHistory = Callable[..., History]

TYPES = ["enable", "disable", "set_public_ip"]
OPTIONS = SnapshotOptions((), (), {}, 1e12, ())
REASONS = Reasons.with_configured(())


@dataclass(frozen=True)
class Move:
    """Something happens: actions are created, or every ``step``-th in progress ends."""

    count: int
    action_type: str = ""
    step: int = 1
    status: Status = Status.FAILED


creates = st.builds(Move, st.integers(1, 40), st.sampled_from(TYPES))
ends = st.builds(
    Move,
    st.integers(1, 40),
    step=st.integers(1, 4),
    status=st.sampled_from(ENDED_STATUSES),
)
moves = st.lists(creates | ends, max_size=5).map(tuple)
few_creates = st.builds(Move, st.integers(1, 4), st.sampled_from(TYPES))
many_moves = st.lists(few_creates | ends, max_size=20).map(tuple)


@dataclass(frozen=True)
class Story:
    """Moves before the baseline and between its requests, then until and while it is read."""

    order: ListOrder
    history: int
    before: tuple[Move, ...]
    baseline: tuple[Move, ...]
    after: tuple[Move, ...]
    reading: tuple[Move, ...]
    unseen: tuple[Move, ...]
    since_baseline: int


stories = st.builds(
    Story,
    # Without an order, nothing but the time tells what came during the baseline itself.
    order=st.sampled_from([ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED]),
    history=st.integers(0, 300),
    before=moves,
    baseline=many_moves,
    after=moves,
    reading=many_moves,
    unseen=moves,
    since_baseline=st.integers(0, 3),
)


class LivelyClock(ManualClock):
    """A clock that lets one prepared move happen each time it is asked for the time."""

    def __init__(self) -> None:
        """Begin with nothing prepared."""
        super().__init__()
        self.pending: list[Callable[[], None]] = []
        self._moving = False

    def __call__(self) -> float:
        """Return the time, after something may have happened."""
        if self.pending and not self._moving:
            self._moving = True
            self.pending.pop(0)()
            self._moving = False
        return super().__call__()


@settings(
    max_examples=max(1, settings().max_examples // 3),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories)
@example(
    Story(
        ListOrder.NEWEST,
        250,
        (Move(40, "enable"), Move(10)),
        (Move(10, step=2), Move(4, "disable"), Move(3), Move(2, step=3), Move(1)) * 4,
        (Move(20, "set_public_ip"), Move(10, step=3)),
        (Move(20, "disable"), Move(9, step=2), Move(2, status=Status.INTERRUPTED)) * 6,
        (Move(5, "enable"), Move(5)),
        1,
    )
)
def test_past_and_live_are_all_that_happened(
    open_account: OpenAccount, open_history: OpenHistory, tmp_path: Path, story: Story
) -> None:
    """What ends during the baseline, while the history is read, or before the next poll: once.

    But for what was created and ended within the baseline: no page of it may have shown that.
    """
    told = asyncio.run(happen(open_account, open_history, tmp_path, story))
    assert told.past + told.live - told.listed == Counter(), "doubled"
    assert told.listed - (told.past + told.live) <= told.brief, "lost"


@dataclass(frozen=True)
class Totals:
    """What the past, the counters and the account itself have, by what happened and type.

    ``brief`` is what was created and ended within the baseline.
    """

    past: Counter[tuple[str, str]]
    live: Counter[tuple[str, str]]
    listed: Counter[tuple[str, str]]
    brief: Counter[tuple[str, str]]


STORY = Story(
    ListOrder.NEWEST,
    history=250,
    before=(Move(40, "enable"), Move(20, "disable"), Move(10), Move(9, step=3)),
    baseline=(),
    after=(Move(20, "set_public_ip"), Move(30, "disable"), Move(10, step=3)),
    reading=(Move(2, "disable"), Move(9, step=2), Move(2, status=Status.INTERRUPTED)),
    unseen=(Move(5, "enable"), Move(5)),
    since_baseline=2,
)


@pytest.mark.parametrize("order", tuple(ListOrder))
async def test_so_it_is_in_any_order(
    open_account: OpenAccount, open_history: OpenHistory, tmp_path: Path, order: ListOrder
) -> None:
    """Without one too, as long as the baseline is quiet."""
    story = replace(STORY, order=order)
    told = await happen(open_account, open_history, tmp_path, story)
    assert told.past + told.live == told.listed
    assert told.past
    assert told.live


async def test_so_it_is_where_only_some_types_are_polled(
    open_account: OpenAccount, open_history: OpenHistory, tmp_path: Path
) -> None:
    """Each type has a list, and so a baseline, of its own."""
    types = ("disable", "set_public_ip")
    told = await happen(open_account, open_history, tmp_path, STORY, types)
    listed = Counter({key: n for key, n in told.listed.items() if key[1] in types})
    live = +Counter({key: n for key, n in told.live.items() if key[1] in types})
    assert told.past + live == listed


async def happen(
    open_account: OpenAccount,
    open_history: OpenHistory,
    tmp_path: Path,
    story: Story,
    types: tuple[str, ...] = (),
) -> Totals:
    """Let a story happen."""
    clock = LivelyClock()
    account = open_account(
        replace(QUIET, history=story.history, order=story.order),
        clock=clock,
        page_size=100,
        filters=AccountFilters(types, ()),
    )
    options = replace(OPTIONS, action_types=types)
    running: list[str] = []

    def move(what: Move) -> None:
        if what.action_type:
            running.extend(account.world.create(what.count, action_type=what.action_type))
            return
        for id_ in running[:: what.step][: what.count]:
            account.world.finish(id_, what.status, "The data limit was exceeded.")
            running.remove(id_)

    def happen_after(seconds: float, what: Move) -> None:
        clock.advance(seconds)
        account.simulator.tick()
        move(what)

    def happens(what: tuple[Move, ...]) -> None:
        for each in what:
            happen_after(1, each)

    happens(story.before)
    clock.advance(60)
    account.simulator.tick()
    clock.pending = [partial(happen_after, 0.4, each) for each in story.baseline]
    await account.poll(1)
    clock.pending = []
    baseline_end = clock()
    for _ in range(story.since_baseline):
        happens(story.after)
        await account.poll()
    history = open_history(account.simulator, clock)
    clock.pending = [partial(happen_after, 0.4, each) for each in story.reading]
    assert await history.read(action_types=types) == 0
    clock.pending = []
    past = past_counts(account, history, tmp_path, options)
    happens(story.unseen)
    for _ in range(3):
        await account.poll()
    later = past_counts(account, history, tmp_path, options)
    assert later == past, "whether the exporter has polled meanwhile makes no difference"
    brief = brief_counts(account, baseline_end)
    return Totals(past, live_counts(account), listed_counts(history), brief)


def brief_counts(account: Account, baseline_end: float) -> Counter[tuple[str, str]]:
    """Return what was created and had ended within the baseline."""
    begun = account.ledger.state.baseline_at or 0.0
    counts: Counter[tuple[str, str]] = Counter()
    for each in account.world.page(ActionFilter(), 0, 10_000):
        within = begun < each.created_ms / 1000 and each.updated_ms / 1000 <= baseline_end
        if within and each.status is not Status.IN_PROGRESS:
            counts["created", each.action_type] += 1
            counts[each.status.value, each.action_type] += 1
    return counts


def past_counts(
    account: Account,
    history: History,
    tmp_path: Path,
    options: SnapshotOptions = OPTIONS,
    *,
    expired: bool = False,
) -> Counter[tuple[str, str]]:
    """Return what the past has, by what happened and action type."""
    reader = SqliteReader(max(tmp_path.glob("state-*.db"), key=lambda each: each.stat().st_mtime))
    state = reader.state(account.ledger.name)
    assert state is not None
    assert state.baseline_at is not None
    at = state.baseline_at
    past = PastAccount(
        name="test",
        spool=history.spool,
        options=options,
        start=CounterStart(at, at + history.spool.clock_offset, state.cursors, expired=expired),
        find=partial(reader.find, state.account_id),
        label=state.label,
        classify=REASONS.classify,
    )
    collect(past)
    names = {CREATED: "created", **{name: status.value for status, name in ENTERED.items()}}
    counts: Counter[tuple[str, str]] = Counter()
    for metric, name in names.items():
        for labels in history.spool.series(metric):
            changes = history.spool.changes(metric, labels)
            counts[name, labels[0]] += sum(amount for _, _, amount, _ in changes)
    durations = sum(
        amount
        for labels in history.spool.series(DURATION)
        for _, _, amount, _ in history.spool.changes(DURATION, labels)
    )
    assert durations == sum(n for (name, _), n in counts.items() if name != "created")
    return +counts


def live_counts(account: Account) -> Counter[tuple[str, str]]:
    """Return what the counters have, likewise."""
    shown = account.snapshot
    counts: Counter[tuple[str, str]] = Counter()
    counts.update({("created", name): count for name, count in shown.created.items()})
    counts.update({("completed", name): count for name, count in shown.completed.items()})
    for name, by_reason in (("failed", shown.failed), ("interrupted", shown.interrupted)):
        for (action_type, _), count in by_reason.items():
            counts[name, action_type] += count
    return +counts


def listed_counts(history: History) -> Counter[tuple[str, str]]:
    """Return what the account lists, likewise: all that was created, and how it ended."""
    counts: Counter[tuple[str, str]] = Counter()
    for (action_type, status), count in history.listed.items():
        counts["created", action_type] += count
        if status != Status.IN_PROGRESS:
            counts[status, action_type] += count
    return +counts


@pytest.mark.parametrize(
    ("wait", "expired"),
    [
        pytest.param(1, True, id="retention"),
        pytest.param(2 * 3600, False, id="retention-raised-since"),
    ],
)
@pytest.mark.parametrize("forgotten", ["created before", "all"])
async def test_what_the_ledger_forgot_was_counted_all_the_same(
    open_account: OpenAccount,
    open_history: OpenHistory,
    tmp_path: Path,
    wait: float,
    forgotten: str,
    *,
    expired: bool,
) -> None:
    """Long after the baseline, when actions that ended since are remembered no longer."""
    clock = ManualClock()
    account = open_account(replace(QUIET, history=100), clock=clock, page_size=20)
    world = account.world
    early = world.create(30, action_type="enable")
    await account.poll()
    clock.advance(wait)
    account.simulator.tick()
    late = world.create(30, action_type="disable")
    await account.poll()
    for each in early[:20]:
        world.finish(each, Status.COMPLETED)
    await account.poll()
    if forgotten == "created before":
        assert await account.ledger.forget(clock() + 1) >= 20
        clock.advance(1)
        account.simulator.tick()
    for each in late[:20]:
        world.finish(each, Status.COMPLETED)
    await account.poll()
    if forgotten == "all":
        assert await account.ledger.forget(clock() + 1) >= 40
    history = open_history(account.simulator, clock)
    await history.read()
    past = past_counts(account, history, tmp_path, expired=expired)
    assert past + live_counts(account) == listed_counts(history)


@pytest.mark.parametrize(
    ("status", "created_at", "updated_at", "created", "ended"),
    [
        pytest.param("completed", 10, 20, True, True, id="before"),
        pytest.param("completed", 100, 100, True, True, id="at-the-baseline"),
        pytest.param("failed", 10, 101, True, False, id="in-progress-then"),
        pytest.param("in-progress", 10, 10, True, False, id="in-progress-still"),
        pytest.param("completed", 101, 120, False, False, id="after"),
        pytest.param("completed", None, 20, True, True, id="no-creation"),
        pytest.param("completed", 10, None, True, True, id="no-change"),
        pytest.param("completed", None, None, False, False, id="no-time"),
        pytest.param("", 10, 20, True, False, id="no-status"),
    ],
)
def test_without_a_ledger_time_decides(
    status: str, created_at: float | None, updated_at: float | None, *, created: bool, ended: bool
) -> None:
    """What was created, and what had ended, by the baseline."""
    action = Action("a", "s", "enable", status, None, created_at, updated_at)
    assert past_of(action, None, CounterStart(100, 100)) == (created, ended)


def test_the_clock_of_the_api_counts() -> None:
    """Where it is ahead, what has a later time than the baseline may have been before it."""
    action = Action("a", "s", "enable", "completed", None, 190, 199)
    assert past_of(action, None, CounterStart(100, 200)) == (True, True)
    assert past_of(action, None, CounterStart(100, 100)) == (False, False)
