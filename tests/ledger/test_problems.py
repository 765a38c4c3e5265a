"""Which SIM cards are broken, whatever the order in which their actions are seen."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import Action, EventType, Problem, Status, concern_of
from exporter.ledger.ledger import Ledger, PageContext
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.records import ListCursor, SortOrder
from exporter.ledger.rules import FAILURE_STATUSES
from exporter.ledger.snapshot import AccountSnapshot, SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore

REASONS = Reasons.with_configured(())
NEW = PageContext(ListCursor(SortOrder.NEWEST, 0, None))
DAY = 86400.0
NOW = 500.0
ENDED = ("completed", "failed", "interrupted")

Opener = Callable[..., Any]


def an_options(**fields: Any) -> SnapshotOptions:
    """Return options that show all; actions get stuck after 900 s."""
    usual: dict[str, Any] = {
        "action_types": (),
        "statuses": (),
        "stuck_after": {},
        "stuck_after_default": 900.0,
        "reason_classes": REASONS.classes,
        "forget_after": 30 * DAY,
    }
    return SnapshotOptions(**(usual | fields))


def an_action(name: str, status: str, created: float, **fields: Any) -> Action:
    """Return an action that took ten seconds to get where it is."""
    usual: dict[str, Any] = {
        "sim_card_id": "sim",
        "action_type": "enable",
        "reason": "No network" if status in {"failed", "interrupted"} else None,
        "created_at": created,
        "updated_at": created + 10,
    }
    return Action(id=name, status=status, **(usual | fields))


class World:
    """An account in a database in memory."""

    def __init__(self, worker: ThreadPoolExecutor, **fields: Any) -> None:
        """Begin with an empty baseline."""
        self._loop = asyncio.new_event_loop()
        self._store = SqliteStore(Database("sqlite://"))
        self._worker = worker
        self._options, self._reasons = an_options(**fields), REASONS
        self.ledger = self._open()

    def saw(self, *actions: Action, at: float = NOW, where: PageContext = NEW) -> "World":
        """Commit actions that are listed, all at once, at a time."""
        self._run(self._saw(actions, at, where))
        return self

    def restart(self, at: float = NOW) -> "World":
        """Forget what is in memory."""
        self.ledger = self._open()
        self.saw(at=at)
        return self

    def reload(self, reasons: Reasons = REASONS, **fields: Any) -> None:
        """Go on with other settings."""
        self._options, self._reasons = an_options(**fields), reasons
        self.restart()

    def events(self) -> list[Any]:
        """Return what the log has to be told."""
        return [event for _, event in self._run(self.ledger.undelivered("log"))]

    def forget(self, before: float) -> None:
        """Prune the actions that ended before a time."""
        self._run(self.ledger.forget(before))

    @property
    def count(self) -> int:
        """How many problems are published."""
        return len(self.snapshot.problems)

    @property
    def snapshot(self) -> AccountSnapshot:
        """What is published."""
        return self.ledger.snapshot

    def close(self) -> None:
        """Close what is open."""
        self._run(self.ledger.in_worker(self._store.close))
        self._loop.close()

    def _open(self) -> Ledger:
        return Ledger(
            name="main",
            store=self._store,
            worker=self._worker,
            reasons=self._reasons,
            options=self._options,
            sinks=("log",),
        )

    async def _saw(self, actions: Sequence[Action], at: float, where: PageContext) -> None:
        await self.ledger.open(at)
        unit = self.ledger.begin(at)
        await self.ledger.record(unit, actions, where)
        unit.baseline_at = self.ledger.state.baseline_at or 0.0
        unit.audit_at = self.ledger.state.audit_at or 0.0
        await self.ledger.conclude(unit, at)
        self.ledger.announce()

    def _run(self, call: Any) -> Any:
        return self._loop.run_until_complete(call)


@contextmanager
def a_world(**fields: Any) -> Iterator[World]:
    """Give an empty account."""
    with ThreadPoolExecutor(1) as worker:
        world = World(worker, **fields)
        try:
            yield world.saw(at=0.0)
        finally:
            world.close()


@pytest.fixture
def world() -> Iterator[World]:
    """Give an empty account."""
    with a_world() as made:
        yield made


def essence(problem: Problem) -> tuple[Any, ...]:
    """Return what must not depend on when things were seen."""
    return (
        problem.sim_card_id,
        problem.concern,
        problem.status.value,
        problem.opened_at,
        problem.attempts,
        problem.action_id,
        problem.reason_class,
    )


def expected(
    actions: Sequence[Action],
) -> tuple[set[tuple[Any, ...]], Counter[str], Counter[str], bool]:
    """Work out from all actions what is broken, what was opened, what was mended.

    Also whether one failed when a newer one had completed: if that is seen in this order it opens
    nothing, and in the other it is mended at once.
    """
    some_moot = False
    broken: dict[tuple[str, str], list[Action]] = {}
    opened: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    completed = [each for each in actions if each.status == "completed"]
    for action in sorted(
        actions, key=lambda each: (each.created_at or 0, each.status in FAILURE_STATUSES, each.id)
    ):
        key = action.sim_card_id, concern_of(action.action_type)
        moot = any(
            (each.sim_card_id, concern_of(each.action_type)) == key
            and (each.created_at or 0) > (action.created_at or 0)
            and (each.updated_at or 0) < (action.updated_at or 0)
            for each in completed
        )
        some_moot |= moot and action.status in FAILURE_STATUSES
        if action.status in FAILURE_STATUSES and not moot:
            opened[key[1]] += key not in broken
            broken.setdefault(key, []).append(action)
        elif action.status == "completed" and key in broken:
            del broken[key]
            mended[key[1]] += 1
    problems = {
        (
            card,
            concern,
            failures[-1].status,
            min(each.updated_at or 0 for each in failures),
            len(failures),
            failures[-1].id,
            REASONS.classify(failures[-1].reason or ""),
        )
        for (card, concern), failures in broken.items()
    }
    return problems, opened, mended, some_moot


Story = list[tuple[str, str, str, int, int]]
"""The SIM card, type and status of each action, how many seconds it took, and how many seconds
after the one before it was created."""

STORY = st.lists(
    st.tuples(
        st.sampled_from(["one", "one", "one", "two"]),
        st.sampled_from(["enable", "disable", "enable", "set_public_ip", "reset"]),
        st.sampled_from([*ENDED, "failed", "completed", "in-progress"]),
        st.integers(1, 20),
        st.sampled_from([1, 1, 0]),
    ),
    min_size=1,
    max_size=12,
)


def actions_of(story: Story) -> list[Action]:
    """Return the actions of a story; some are created at the same time."""
    times = accumulate((gap for *_, gap in story), initial=100.0)
    return [
        an_action(
            f"a{number:02}",
            status,
            created,
            sim_card_id=card,
            action_type=kind,
            updated_at=created + takes,
        )
        for (number, (card, kind, status, takes, _)), created in zip(
            enumerate(story), times, strict=False
        )
    ]


@settings(max_examples=settings().max_examples // 4, deadline=None)
@given(story=STORY, data=st.data())
def test_the_order_of_arrival_does_not_matter(story: Story, data: st.DataObject) -> None:
    """Any permutation of pages and polls, with restarts, ends in the same set and counts."""
    actions = actions_of(story)
    arriving = data.draw(st.permutations(actions))
    early = data.draw(st.sets(st.sampled_from([each.id for each in actions])))
    with a_world(named=frozenset({"reset"})) as world:
        while arriving:
            size = data.draw(st.integers(1, len(arriving)))
            page, arriving = arriving[:size], arriving[size:]
            world.saw(
                *(
                    an_action(
                        each.id,
                        "in-progress",
                        each.created_at or 0,
                        sim_card_id=each.sim_card_id,
                        action_type=each.action_type,
                        updated_at=each.created_at,
                    )
                    for each in page
                    if each.id in early
                )
            )
            world.saw(*page)
            if data.draw(st.booleans()):
                world.restart()
        problems, opened, mended, some_moot = expected(actions)
        snapshot = world.snapshot
        assert {essence(each) for each in snapshot.problems} == problems
        shown = Counter(snapshot.problems_opened)
        repaired = Counter({k[0]: n for k, n in snapshot.problems_closed.items() if n})
        told = Counter(e.concern for e in world.events() if e.event_type is EventType.MENDED)
        observed = {k: sum(each.counts) for k, each in snapshot.mend_seconds.items()}
        assert +repaired == told == +Counter(observed)
        assert +(shown - repaired) == +(opened - mended)
        if not some_moot:
            assert (+shown, told) == (+opened, +mended)


@settings(max_examples=settings().max_examples // 5, deadline=None)
@given(story=STORY, pruned=st.integers(0, 12))
def test_what_was_pruned_still_counts(story: Story, pruned: int) -> None:
    """A problem keeps its attempts and its age when its actions are not remembered any more."""
    actions = actions_of(story)
    with a_world() as world:
        for number, action in enumerate(actions):
            world.saw(action, at=NOW + number)
            if number == pruned:
                world.forget(NOW + number)
                world.restart()
        assert {essence(each) for each in world.snapshot.problems} == expected(actions)[0]


OBSERVATIONS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([*ENDED, "in-progress", "in-progress"]),
        st.sampled_from([0.0, 5.0, 1000.0]),
        st.booleans(),
    ),
    max_size=15,
)


@settings(deadline=None, max_examples=settings().max_examples // 2)
@given(observations=OBSERVATIONS)
def test_what_was_opened_is_open_or_closed(
    observations: list[tuple[int, str, float, bool]],
) -> None:
    """Whatever is seen, also what gets stuck or goes on, each problem is counted once."""
    at = NOW
    with a_world() as world:
        for number, status, later, restarts in observations:
            at += later
            world.saw(an_action(f"a{number}", status, 100.0 + number, updated_at=at), at=at)
            if restarts:
                world.restart(at)
            snapshot = world.snapshot
            closed = sum(snapshot.problems_closed.values())
            assert sum(snapshot.problems_opened.values()) - closed == world.count
            assert sum(sum(each.counts) for each in snapshot.mend_seconds.values()) == closed
            assert sum(e.event_type is EventType.MENDED for e in world.events()) == closed


@pytest.mark.parametrize("restarts", [False, True])
def test_a_success_between_two_failures_makes_two_problems(world: World, *, restarts: bool) -> None:
    """Also if it is seen last, when what seemed to be one problem is mended already."""
    world.saw(an_action("a", "failed", 100.0))
    world.saw(an_action("c", "failed", 300.0), an_action("d", "completed", 400.0))
    assert world.snapshot.problems_opened["connectivity"] == 1
    if restarts:
        world.restart()
    world.saw(an_action("b", "completed", 200.0))
    assert world.snapshot.problems_opened["connectivity"] == 2
    assert world.snapshot.problems_closed["connectivity", "mended"] == 2
    told = [e for e in world.events() if e.event_type is EventType.MENDED]
    assert [each.action_id for each in told] == ["d", "b"]


def test_two_repairs_of_one_problem_count_once(world: World) -> None:
    """A retry completes, and then what was stuck completes, too."""
    world.saw(an_action("a", "in-progress", 100.0), at=1100.0)
    world.saw(an_action("b", "completed", 200.0), at=1200.0)
    world.saw(an_action("a", "completed", 100.0, updated_at=1300.0), at=1300.0)
    assert world.snapshot.problems_opened["connectivity"] == 1
    assert world.snapshot.problems_closed["connectivity", "mended"] == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_a_failure_after_a_newer_success_opens_nothing(world: World, *, restarts: bool) -> None:
    """The card is in the state that was asked for last."""
    world.saw(an_action("a", "in-progress", 100.0), an_action("c", "completed", 300.0))
    if restarts:
        world.restart()
    world.saw(an_action("a", "failed", 100.0, updated_at=400.0))
    assert world.snapshot.problems_opened["connectivity"] == 0
    assert [e.attempts for e in world.events() if e.event_type is EventType.FAILED] == [0]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_action_turns_out_to_be_older_than_its_repair(world: World, *, restarts: bool) -> None:
    """The API says only later when it was created: the problem was moot, and is closed."""
    world.saw(an_action("c", "completed", 300.0))
    world.saw(an_action("a", "interrupted", 100.0, created_at=None, updated_at=400.0))
    assert world.count == 1
    if restarts:
        world.restart()
    world.saw(an_action("a", "failed", 100.0, updated_at=410.0))
    assert world.count == 0
    assert world.snapshot.problems_opened["connectivity"] == 1
    assert world.snapshot.problems_closed["connectivity", "mended"] == 1


def test_an_action_turns_out_to_be_older_than_another_failure(world: World) -> None:
    """The problem goes by the other one then, which is the latest."""
    world.saw(
        an_action("a", "interrupted", 100.0, created_at=None), an_action("b", "failed", 200.0)
    )
    world.saw(an_action("a", "failed", 100.0, updated_at=150.0))
    assert [(each.action_id, each.attempts) for each in world.snapshot.problems] == [("b", 2)]


def test_what_is_completed_no_more_mends_nothing(world: World) -> None:
    """A newer action that goes on again, in the same poll in which an older one fails."""
    world.saw(an_action("b", "completed", 200.0))
    world.saw(
        an_action("a", "failed", 100.0, updated_at=310.0),
        an_action("b", "in-progress", 200.0, updated_at=300.0),
    )
    assert [each.action_id for each in world.snapshot.problems] == ["a"]


def test_pruning_forgets_no_repair_and_no_problem(world: World) -> None:
    """What an older action that is still open will mean depends on them."""
    world.saw(an_action("a", "in-progress", 100.0), at=110.0)
    world.saw(an_action("a", "in-progress", 100.0, sim_card_id="other", action_type="reset"))
    world.saw(an_action("c", "completed", 300.0), at=320.0)
    world.saw(an_action("x", "in-progress", 100.0, sim_card_id="t"), at=110.0)
    world.saw(an_action("y", "failed", 200.0, sim_card_id="t"), at=320.0)
    world.forget(800.0)
    world.restart()
    world.saw(an_action("a", "failed", 100.0, updated_at=900.0), at=900.0)
    world.saw(an_action("x", "completed", 100.0, sim_card_id="t", updated_at=900.0), at=900.0)
    assert [each.action_id for each in world.snapshot.problems] == ["y"]
    assert world.snapshot.problems_closed["connectivity", "mended"] == 0


def test_filters_that_hide_a_concern_close_its_problems() -> None:
    """Repairs cannot be seen then; what fails meanwhile counts neither then nor later."""
    with a_world() as world:
        world.saw(an_action("a", "failed", 100.0))
        world.reload(action_types=("enable",))
        world.saw(an_action("b", "failed", 200.0))
        assert world.count == 0
        world.reload()
        world.saw()
        assert world.snapshot.problems_closed["connectivity", "forgotten"] == 1
        world.saw(an_action("c", "failed", 300.0))
        assert [(each.attempts, each.opened_at) for each in world.snapshot.problems] == [(1, 310.0)]


def test_reasons_are_classified_as_configured_now() -> None:
    """A problem has the class that its reason has after a reload."""
    with a_world() as world:
        world.saw(an_action("a", "failed", 100.0))
        dead_zone = Rule("dead_zone", re.compile("(?i)no network"))
        world.reload(reasons=Reasons.with_configured([dead_zone]))
        assert [each.reason_class for each in world.snapshot.problems] == ["dead_zone"]


def test_an_action_type_out_of_bounds_holds_up_nothing() -> None:
    """There is no label for it, and polls go on."""
    with a_world() as world:
        types = [an_action(f"t{n}", "completed", 50.0, action_type=f"t{n}") for n in range(60)]
        world.saw(*types)
        world.reload(action_types=("brand_new",))
        world.saw(an_action("a", "failed", 100.0, action_type="brand_new"))
        assert [each.concern for each in world.snapshot.problems] == ["brand_new"]


def test_a_baseline_begins_with_none(world: World) -> None:
    """What failed before the first poll is history, and no later failure counts it."""
    world.saw(an_action("a", "failed", 50.0), where=PageContext(None))
    assert world.count == 0
    world.saw(an_action("b", "failed", 200.0))
    assert [(each.attempts, each.opened_at) for each in world.snapshot.problems] == [(1, 210.0)]


def test_a_stuck_action_is_a_problem_until_it_ends(world: World) -> None:
    """It opens when it gets stuck, is no attempt yet, and is mended when it completes."""
    world.saw(an_action("a", "in-progress", 100.0), at=1100.0)
    (problem,) = world.snapshot.problems
    assert (problem.status.value, problem.opened_at, problem.attempts) == ("stuck", 1000.0, 0)
    assert not problem.retrying
    world.saw(an_action("a", "completed", 100.0, updated_at=1200.0), at=1205.0)
    assert world.count == 0
    (resolved,) = world.snapshot.resolved_problems
    assert (resolved.problem.status.value, resolved.resolved_at) == ("stuck", 1205.0)
    mended = [each for each in world.events() if each.event_type is EventType.MENDED]
    assert [(each.action_id, each.duration_seconds) for each in mended] == [("a", 200.0)]


def test_a_stuck_action_that_fails_is_one_attempt(world: World) -> None:
    """The problem is the same one, with another status: the former is resolved."""
    world.saw(an_action("a", "in-progress", 100.0), at=1100.0)
    world.saw(an_action("a", "failed", 100.0, updated_at=1200.0), at=1205.0)
    (problem,) = world.snapshot.problems
    assert (problem.status.value, problem.opened_at, problem.attempts) == ("failed", 1000.0, 1)
    assert [each.problem.status.value for each in world.snapshot.resolved_problems] == ["stuck"]
    assert world.snapshot.problems_opened["connectivity"] == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_an_interrupted_action_that_goes_on_is_retried(world: World, *, restarts: bool) -> None:
    """It stays a problem, with its reason, until it completes."""
    world.saw(an_action("a", "interrupted", 100.0))
    world.saw(an_action("a", "in-progress", 100.0, updated_at=150.0, reason=None))
    if restarts:
        world.restart()
    (problem,) = world.snapshot.problems
    assert (problem.status.value, problem.retrying, problem.attempts) == ("interrupted", True, 1)
    assert problem.reason == "No network"
    world.saw(an_action("a", "completed", 100.0, updated_at=200.0))
    assert world.snapshot.problems_closed["connectivity", "mended"] == 1


def test_a_later_attempt_in_progress_is_a_retry(world: World) -> None:
    """An earlier one, or one of another concern, is none."""
    world.saw(an_action("b", "failed", 200.0))
    world.saw(an_action("a", "in-progress", 100.0))
    world.saw(an_action("v", "in-progress", 300.0, action_type="enable_voice"))
    assert [each.retrying for each in world.snapshot.problems] == [False]
    world.saw(an_action("c", "in-progress", 300.0))
    assert [each.retrying for each in world.snapshot.problems] == [True]


def test_a_failure_says_which_attempt_it_is(world: World) -> None:
    """Failures are numbered within their problem; one after a repair begins again."""
    world.saw(an_action("a", "failed", 100.0), an_action("b", "failed", 110.0))
    world.saw(an_action("c", "interrupted", 120.0))
    world.saw(an_action("d", "completed", 130.0), an_action("e", "failed", 140.0))
    told = {
        e.action_id: e.attempts
        for e in world.events()
        if e.event_type in {EventType.FAILED, EventType.INTERRUPTED}
    }
    assert told == {"a": 1, "b": 2, "c": 3, "e": 1}


def test_a_problem_without_news_is_forgotten(world: World) -> None:
    """It closes as forgotten, and a later failure opens another one that knows nothing of it."""
    world.saw(an_action("a", "failed", 100.0))
    world.saw(at=NOW + 29 * DAY)
    assert world.count == 1
    world.saw(at=NOW + 31 * DAY)
    assert world.count == 0
    assert world.snapshot.problems_closed["connectivity", "forgotten"] == 1
    assert len(world.snapshot.resolved_problems) == 1
    world.restart()
    late = NOW + 32 * DAY
    world.saw(an_action("b", "failed", late), at=late + 20)
    assert [each.attempts for each in world.snapshot.problems] == [1]
    assert world.snapshot.problems_opened["connectivity"] == 2


def test_a_forgotten_stuck_action_opens_none_until_it_fails(world: World) -> None:
    """That it is stuck was told, and is not told again."""
    world.saw(an_action("a", "in-progress", 100.0), at=1100.0)
    late = 1100.0 + 31 * DAY
    world.saw(at=late)
    world.saw(an_action("b", "in-progress", late), at=late)
    assert world.count == 0
    world.saw(an_action("a", "failed", 100.0, updated_at=late + 5), at=late + 10)
    assert [each.action_id for each in world.snapshot.problems] == ["a"]


@pytest.mark.parametrize(
    ("hidden", "watched"),
    [
        ({"statuses": (Status.FAILED,)}, set()),
        ({"action_types": ("enable", "disable")}, set()),
        ({"action_types": ("enable_voice", "disable_voice", "reset")}, {"voice", "reset"}),
    ],
)
def test_concerns_whose_repairs_are_hidden_are_left_out(
    hidden: dict[str, Any], watched: set[str]
) -> None:
    """Nothing could close a problem of theirs."""
    with a_world(**hidden) as world:
        for number, kind in enumerate(("enable", "enable_voice", "reset")):
            world.saw(an_action(f"a{number}", "failed", 100.0, action_type=kind))
        snapshot = world.snapshot
        assert {each.concern for each in snapshot.problems} == watched
        assert set(snapshot.problems_opened) == watched
        assert {concern for concern, _ in snapshot.problem_counts} == watched
        assert not watched & set(snapshot.unwatched_concerns)


def test_an_action_without_a_sim_card_is_no_problem(world: World) -> None:
    """Nobody could tell what mends it."""
    world.saw(an_action("a", "failed", 100.0, sim_card_id=""))
    assert world.count == 0


def test_an_equally_old_repair_mends_nothing(world: World) -> None:
    """Of two actions created at the same time, neither is later."""
    world.saw(an_action("a", "failed", 100.0), an_action("b", "completed", 100.0))
    assert world.count == 1


@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize("together", [False, True])
def test_one_that_goes_on_and_is_completed_mends_itself_alone(
    world: World, first: str, *, together: bool
) -> None:
    """Not another that was created at the same time and is broken still."""
    other = "b" if first == "a" else "a"
    interrupted, failed = an_action(first, "interrupted", 100.0), an_action(other, "failed", 100.0)
    if together:
        world.saw(interrupted, failed)
    else:
        world.saw(interrupted)
        world.saw(failed)
    world.saw(an_action(first, "completed", 100.0, updated_at=200.0))
    (problem,) = world.snapshot.problems
    assert (problem.action_id, problem.attempts) == (other, 1)
    assert world.snapshot.problems_opened["connectivity"] == 2
    assert world.snapshot.problems_closed["connectivity", "mended"] == 1


def test_resolved_problems_are_told_for_a_while(world: World) -> None:
    """Also after a restart, for 15 minutes."""
    world.saw(an_action("a", "failed", 100.0))
    world.saw(an_action("b", "completed", 200.0))
    world.restart()
    assert len(world.snapshot.resolved_problems) == 1
    world.saw(at=NOW + 901)
    assert not world.snapshot.resolved_problems
