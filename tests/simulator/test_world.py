from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import ENDED_STATUSES, Status
from exporter.errors import UsageError
from exporter.simulator.actions import ActionFilter, SimulatedAction
from exporter.simulator.settings import DEMO, ListOrder, WorldSettings
from exporter.simulator.world import World
from tests.support.simulation import QUIET

START = 1_700_000_000.0
BUSY = WorldSettings(
    rate=3.0,
    bulk_every=15.0,
    bulk_size=7,
    duration=5.0,
    failed=0.2,
    interrupted=0.2,
    stuck=0.05,
    resumed=0.5,
    resume_after=10.0,
    stuck_at_start=2,
    history=50,
)


def everything(world: World) -> list[SimulatedAction]:
    """Return every action that is listed."""
    return world.page(ActionFilter(), 0, world.total(ActionFilter()))


@settings(deadline=None, max_examples=settings().max_examples // 4)
@given(steps=st.lists(st.floats(0, 40), max_size=12))
def test_what_happens_does_not_depend_on_how_often_it_is_advanced(steps: list[float]) -> None:
    """In steps or in one go, the same seed gives the same account."""
    stepped, whole = World(BUSY, START), World(BUSY, START)
    now = START
    for step in steps:
        now += step
        stepped.advance(now)
    whole.advance(now)
    assert stepped.record() == whole.record()
    assert everything(stepped) == everything(whole)


def test_another_seed_is_another_account() -> None:
    """Different things happen with different seeds."""
    one, two = World(BUSY, START), World(replace(BUSY, seed=2), START)
    one.advance(START + 60)
    two.advance(START + 60)
    assert one.record() != two.record()


def test_the_record_agrees_with_the_list() -> None:
    """What the record says is listed now is what a reader of the whole list counts."""
    world = World(BUSY, START)
    world.advance(START + 300)
    listed = Counter((each.action_type, each.status) for each in everything(world))
    assert Counter(world.record().current) == listed
    assert world.record().in_flight == world.total(ActionFilter(status=Status.IN_PROGRESS))


def test_actions_end_in_the_configured_fractions() -> None:
    """Over many actions, failures, interruptions and stuck ones are as frequent as configured."""
    world = World(
        replace(QUIET, rate=50.0, failed=0.2, interrupted=0.1, stuck=0.05, resumed=0.0), START
    )
    world.advance(START + 100)
    world.pause()
    world.advance(START + 10_000)
    record = world.record()
    total = sum(record.created.values())
    fractions = [sum(record.by_type(status).values()) / total for status in ENDED_STATUSES]
    assert fractions == pytest.approx([0.65, 0.2, 0.1], abs=0.03)
    assert record.in_flight / total == pytest.approx(0.05, abs=0.02)
    assert total == pytest.approx(5000, rel=0.1)


def test_failures_have_many_reasons() -> None:
    """Reasons vary, and every failed or interrupted action has one."""
    world = World(BUSY, START)
    world.advance(START + 600)
    for status in (Status.FAILED, Status.INTERRUPTED):
        reasons = world.record().by_reason(status)
        assert None not in reasons
        assert len(reasons) > 10
    assert set(world.record().by_reason(Status.COMPLETED)) == {None}


def test_an_interrupted_action_resumes_after_the_configured_time() -> None:
    """It stays interrupted for resume_after at least, then resumes and ends for good."""
    world = World(replace(QUIET, interrupted=1.0, failed=0.0, stuck=0.0, resumed=1.0), START)
    (action_id,) = world.create(lives=True)
    seen: list[tuple[Status, int]] = []
    for second in range(3000):
        world.advance(START + second)
        action = world.get(action_id)
        assert action is not None
        if not seen or seen[-1][0] is not action.status:
            seen.append((action.status, action.updated_ms))
    assert [status for status, _ in seen] == [
        Status.IN_PROGRESS,
        Status.INTERRUPTED,
        Status.IN_PROGRESS,
        Status.COMPLETED,
    ]
    assert seen[2][1] - seen[1][1] >= QUIET.resume_after * 1000


def test_a_bulk_shares_one_instant_and_ends_singly() -> None:
    """The actions of a bulk are created at one time, each of another SIM card, but end apart."""
    settings = replace(QUIET, bulk_every=10.0, bulk_size=40, sim_cards=40, stuck=0.0, resumed=0.0)
    world = World(settings, START)
    world.advance(START + 11)
    world.pause()
    world.advance(START + 1000)
    (bulk,) = world.bulks
    actions = world.page(ActionFilter(bulk_number=bulk.number), 0, 250)
    assert len({each.sim_card_id for each in actions}) == 40
    assert {each.created_ms for each in actions} == {round((START + 10) * 1000)}
    assert len({each.updated_ms for each in actions}) > 30
    assert len({each.action_type for each in actions}) == 1


def test_stuck_actions_are_older_than_the_start() -> None:
    """Those that were stuck before the start are in progress, old, and not counted as created."""
    world = World(replace(QUIET, stuck_at_start=3, stuck_age=2400.0), START)
    world.advance(START + 100_000)
    actions = everything(world)
    assert [each.status for each in actions] == [Status.IN_PROGRESS] * 3
    assert {each.created_ms for each in actions} == {round((START - 2400) * 1000)}
    assert sum(world.record().created.values()) == 0


def test_a_pause_stops_arrivals_but_not_what_is_in_flight() -> None:
    """During a pause nothing new arrives and actions in flight end; after it, arrivals go on."""
    world = World(replace(BUSY, stuck=0.0, stuck_at_start=0), START)
    world.advance(START + 60)
    world.pause()
    created = world.record().created
    assert world.record().in_flight > 0
    world.advance(START + 10_000)
    assert world.record().created == created
    assert world.record().in_flight == 0
    world.resume()
    world.advance(START + 10_060)
    arrived = sum(world.record().created.values()) - sum(created.values())
    assert 100 < arrived < 320


def test_an_action_made_by_hand_waits_for_its_end() -> None:
    """It stays in progress until it is finished, and then stays as it was finished."""
    world = World(QUIET, START)
    (action_id,) = world.create(action_type="reboot", created_at=START - 50)
    world.advance(START + 10_000)
    assert world.record().in_flight == 1
    world.finish(action_id, Status.FAILED, "no carrier", at=START + 9_000)
    world.advance(START + 20_000)
    action = world.get(action_id)
    assert action is not None
    assert (action.status, action.reason) == (Status.FAILED, "no carrier")
    assert (action.created_ms, action.updated_ms) == (
        round((START - 50) * 1000),
        round((START + 9_000) * 1000),
    )
    assert world.record().entered == {("reboot", Status.FAILED, "no carrier"): 1}


def test_each_entry_into_a_status_counts() -> None:
    """Interrupted, resumed, interrupted again: that is two interruptions."""
    world = World(QUIET, START)
    (action_id,) = world.create(action_type="enable")
    for status in (Status.INTERRUPTED, Status.IN_PROGRESS, Status.INTERRUPTED):
        world.finish(action_id, status)
    assert world.record().by_type(Status.INTERRUPTED)["enable"] == 2
    assert world.record().created["enable"] == 1


def test_an_action_finished_by_hand_changes_no_more() -> None:
    """The changes that were due for it are cancelled."""
    world = World(replace(QUIET, stuck=0.0), START)
    (action_id,) = world.create(lives=True)
    world.finish(action_id, Status.INTERRUPTED, "by hand")
    world.advance(START + 100_000)
    assert sum(world.record().entered.values()) == 1


def test_deleted_actions_are_gone() -> None:
    """A deleted action is neither listed nor found, and what happened stays on record."""
    world = World(replace(QUIET, stuck=0.0), START)
    gone, stays = world.create(2, lives=True)
    world.delete([gone])
    world.advance(START + 100_000)
    assert world.get(gone) is None
    assert [each.id for each in everything(world)] == [stays]
    assert sum(world.record().created.values()) == 2
    assert sum(world.record().current.values()) == 1


@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("count", [0, 1, 12, 24, 1000])
def test_pruning_takes_the_oldest(count: int, order: ListOrder) -> None:
    """The oldest actions go, whether of the history or of before the start or later."""
    world = World(replace(QUIET, history=20, history_spacing=10.0, order=order.value), START)
    world.create(2, created_at=START - 105)
    world.create(3)
    before = sorted(everything(world), key=lambda each: (each.created_ms, each.number))
    world.prune(count)
    left = everything(world)
    assert {each.id for each in left} == {each.id for each in before[count:]}
    assert sum(world.record().current.values()) == len(left)


def test_what_is_not_there_cannot_be_changed() -> None:
    """Unknown ids, those of the history, and a status it has already are refused."""
    world = World(replace(QUIET, history=1), START)
    (action_id,) = world.create()
    (past,) = world.page(ActionFilter(status=everything(world)[-1].status), 0, 1)
    for wrong in ("6a09cdc3-8948-47f0-aa62-74ac943d6c58", past.id):
        with pytest.raises(UsageError, match="there is no such action since the start"):
            world.finish(wrong, Status.FAILED)
        with pytest.raises(UsageError, match="there is no such action since the start"):
            world.delete([action_id, wrong])
    with pytest.raises(UsageError, match="is already in-progress"):
        world.finish(action_id, Status.IN_PROGRESS)
    assert world.get(action_id) is not None


def test_the_demo_shows_something_within_half_a_minute() -> None:
    """Thirty seconds in: failures of several reasons, interruptions, stuck actions, history."""
    world = World(DEMO.world, START)
    world.advance(START + 30)
    record = world.record()
    assert len(record.by_reason(Status.FAILED)) >= 3
    assert sum(record.by_type(Status.INTERRUPTED).values()) >= 1
    oldest = world.page(ActionFilter(status=Status.IN_PROGRESS), 0, 250)[-1]
    assert oldest.created_ms == round((START - DEMO.world.stuck_age) * 1000)
    assert world.total(ActionFilter()) > 20_000
