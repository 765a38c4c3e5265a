import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from exporter.domain import EventType
from exporter.ledger.ledger import PageContext, PageResult
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, SumName
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., Any]
Maker = Callable[..., Any]

HEAD = ListFilter(None, None)
BASELINE = PageContext(None)


def since(baseline_cutoff: float, spare: int = 0) -> PageContext:
    """Return a sight of a listing whose history goes up to ``baseline_cutoff``."""
    return PageContext(ListCursor(SortOrder.NEWEST, 0, baseline_cutoff), spare=spare)


async def test_an_action_counts_once_however_often_it_is_listed(
    open_account: Opener, make_action: Maker
) -> None:
    """Twice on one page, on two pages of a poll, in two polls: once."""
    account = open_account()
    action = make_action(status="failed")
    await account.ledger.open(0.0)
    unit = account.ledger.begin(120.0)
    context = since(50.0)
    assert (await account.ledger.record(unit, [action, action], context)).new == 1
    assert (await account.ledger.record(unit, [action], context)).new == 0
    await account.ledger.commit(unit)
    assert await account.saw(action) == PageResult(0, 0, ends_known=True)
    assert account.ledger.snapshot.created["enable"] == 1
    assert account.ledger.snapshot.failed["enable", "none"] == 1


@pytest.mark.parametrize("restart", [False, True], ids=["going on", "after a restart"])
async def test_counters_go_on_and_catch_up(
    open_account: Opener, make_action: Maker, *, restart: bool
) -> None:
    """What happened meanwhile is added to what was counted before."""
    account = open_account()
    await account.saw(make_action("a"), make_action("b", "completed"))
    if restart:
        account.store.close()
        account = open_account()
    seen = await account.saw(make_action("a", "failed"), make_action("c", "interrupted"))
    assert seen == PageResult(1, 1, ends_known=False)
    snapshot = account.ledger.snapshot
    assert (snapshot.created["enable"], snapshot.completed["enable"]) == (3, 1)
    assert (snapshot.failed["enable", "none"], snapshot.interrupted["enable", "none"]) == (1, 1)
    assert {status: snapshot.actions["enable", status] for status in ("completed", "failed")} == {
        "completed": 1,
        "failed": 1,
    }


async def test_a_restart_shows_what_was_committed_at_once(
    open_account: Opener, make_action: Maker
) -> None:
    """Before the first poll of the new process, the view is that of the old one."""
    account = open_account()
    await account.saw(make_action("a"), make_action("b", "failed"))
    before = account.ledger.snapshot
    account.store.close()
    account = open_account()
    await account.ledger.open(120.0)
    assert account.ledger.snapshot == before


async def test_a_picture_that_did_not_change_stays_the_same_object(
    open_account: Opener, make_action: Maker
) -> None:
    """What was written of it need not be written anew; one that changed is another."""
    account = open_account()
    await account.saw(make_action("a"))
    before = account.ledger.snapshot
    await account.ledger.publish(121.0)
    assert account.ledger.snapshot is before
    await account.saw(make_action("a", "failed"))
    assert account.ledger.snapshot is not before


async def test_what_ended_before_the_baseline_is_history(
    open_account: Opener, make_action: Maker
) -> None:
    """It counts as nothing; what was in progress then is tracked, and counts when it ends."""
    account = open_account()
    await account.saw(make_action("a"), make_action("b", "failed"), cursor=BASELINE)
    assert {key.metric for key in account.sums()} == {SumName.KNOWN}
    await account.saw(make_action("a", "failed"), make_action("b", "failed"))
    snapshot = account.ledger.snapshot
    assert (snapshot.created["enable"], snapshot.failed["enable", "none"]) == (0, 1)


async def test_the_totals_say_how_many_without_a_time_are_new(
    open_account: Opener, make_action: Maker
) -> None:
    """Of those that do not say when they were created, as many count as are missing."""
    account = open_account()
    actions = [make_action(f"{n}", "failed", created_at=None, updated_at=None) for n in range(3)]
    seen = await account.saw(*actions, cursor=since(100.0, spare=2))
    assert seen == PageResult(2, 0, ends_known=True)
    assert account.ledger.snapshot.created["enable"] == 2


async def test_what_was_created_at_the_horizon_is_history(
    open_account: Opener, make_action: Maker
) -> None:
    """Whatever the totals say: what was forgotten was created up to then."""
    account = open_account()
    seen = await account.saw(
        make_action("a", "failed", created_at=100.0), cursor=since(100.0, spare=2)
    )
    assert seen.new == 0


async def test_strangers_are_those_that_nobody_knows(
    open_account: Opener, make_action: Maker
) -> None:
    """Neither the unit of work nor what is committed, ended or not, holds them."""
    account = open_account()
    await account.saw(make_action("open"), make_action("ended", "failed"))
    unit = account.ledger.begin(130.0)
    await account.ledger.record(unit, [make_action("added")], since(50.0))
    ids = ("open", "ended", "added", "new", "newer")
    found = await account.ledger.unknown(unit, [make_action(each) for each in ids])
    assert [action.id for action in found] == ["new", "newer"]
    assert list(unit.rows) == ["added"]


async def test_positions_follow_the_page(open_account: Opener, make_action: Maker) -> None:
    """Each action stands one step from the one before it; rows carry it where they are written."""
    account = open_account()
    await account.saw(make_action("old"))
    page = [make_action("new"), make_action("old")]
    await account.saw(
        *page, cursor=PageContext(ListCursor(SortOrder.NEWEST, 0, None), first=9, step=-1)
    )
    held = {id_: row.position for id_, row in account.ledger.state.open.items()}
    assert held == {"new": 9, "old": 8}
    assert account.kept().open["new"].position == 9


async def test_stuck_is_told_once(open_account: Opener, make_action: Maker) -> None:
    """An action that is in progress for too long is an event, the first time it is found."""
    account = open_account()
    await account.saw(make_action("slow"), make_action("strange", "paused"), at=1000.0)
    assert await account.ledger.undelivered("log") == ()
    await account.saw(at=1001.0)
    await account.saw(at=1002.0)
    account.store.close()
    account = open_account()
    await account.saw(at=1003.0)
    told = [
        (event.event_type, event.action_id) for _, event in await account.ledger.undelivered("log")
    ]
    assert told == [(EventType.STUCK, "slow")]
    assert account.ledger.snapshot.stuck["enable"] == 1


async def test_events_are_announced_when_there_may_be_some(
    open_account: Opener, make_action: Maker
) -> None:
    """After what is read at first, and once what they are about is published; not otherwise."""
    announced: list[int] = []
    account = open_account(
        on_events=lambda ledger: announced.append(sum(ledger.snapshot.failed.values()))
    )
    await account.ledger.open(0.0)
    assert announced == [0]
    await account.ledger.open(0.0)
    await account.saw(make_action("a"))
    assert announced == [0]
    await account.saw(make_action("a", "failed"))
    assert announced == [0, 1]
    account.store.close()
    await account.ledger.open(0.0)
    assert announced == [0, 1, 1]


async def test_events_that_are_not_published_can_be_announced(
    open_account: Opener, make_action: Maker
) -> None:
    """A poll that fails has committed all the same what it did before."""
    announced: list[str] = []
    account = open_account(on_events=lambda ledger: announced.append(ledger.name))
    await account.saw()
    announced.clear()
    unit = account.ledger.begin(0.0)
    await account.ledger.record(unit, [make_action("a", "failed")], since(50.0))
    await account.ledger.commit(unit)
    assert announced == []
    account.ledger.announce()
    account.ledger.announce()
    assert announced == ["main"]


async def test_events_are_told_until_they_were_logged(
    open_account: Opener, make_action: Maker
) -> None:
    """A crash between commit and log tells them again; what was logged is not told again."""
    account = open_account()
    await account.saw(make_action("a", "failed", reason="No funds"))
    account.store.close()
    account = open_account()
    await account.ledger.open(0.0)
    ((seq, event),) = await account.ledger.undelivered("log")
    assert (event.action_id, event.reason, event.account) == ("a", "No funds", "main")
    await account.ledger.delivered("log", seq)
    assert await account.ledger.undelivered("log") == ()
    assert [row.action_id for row in account.kept().failures] == ["a"]


async def test_forgotten_actions_that_are_still_listed_do_not_count_again(
    open_account: Opener, make_action: Maker
) -> None:
    """The counters stay as they are, in memory and on the disk, and what is new still counts."""
    account = open_account()
    cursor = ListCursor(SortOrder.NEWEST, 2, None)
    await account.ledger.open(0.0)
    unit = account.ledger.begin(120.0)
    unit.cursors[HEAD] = cursor
    # Without a SIM card there is no problem that the latest would be kept for.
    actions = [
        make_action("a", "failed", sim_card_id=""),
        make_action("b", "failed", sim_card_id="", created_at=None),
    ]
    await account.ledger.record(unit, actions, PageContext(cursor))
    await account.ledger.commit(unit)
    sums = account.sums()
    assert await account.ledger.forget(120.0) == 0
    assert await account.ledger.forget(121.0) == 2
    assert account.ledger.state.tracked == 0
    assert account.ledger.state.cursors == account.kept().cursors
    now_known = PageContext(account.ledger.state.cursors[HEAD])
    assert await account.saw(*actions, cursor=now_known) == PageResult(0, 0, ends_known=True)
    assert account.sums() == sums
    later = make_action("c", "failed", created_at=111.0, updated_at=112.0)
    assert (await account.saw(later, cursor=now_known)).new == 1


async def test_two_accounts_on_one_store_do_not_mix(
    open_account: Opener, open_store: Callable[..., SqliteStore], make_action: Maker
) -> None:
    """The same action ids count for each."""
    store = open_store()
    one, two = open_account("one", store), open_account("two", store)
    await one.saw(make_action("a", "failed"))
    await two.saw(make_action("a", "completed"), make_action("b"))
    assert (one.ledger.snapshot.created["enable"], two.ledger.snapshot.created["enable"]) == (1, 2)
    assert [event.account for _, event in await one.ledger.undelivered("log")] == ["one"]
    assert await two.ledger.undelivered("log") == ()


async def test_nothing_to_write_is_no_commit(open_account: Opener, make_action: Maker) -> None:
    """A poll that brought nothing new takes in where actions stand, and leaves the disk alone."""
    account = open_account()
    await account.saw(make_action("a"))
    before = account.kept()
    unit = account.ledger.begin(130.0)
    context = PageContext(ListCursor(SortOrder.NEWEST, 0, None), first=4)
    await account.ledger.record(unit, [make_action("a")], context)
    await account.ledger.commit(unit)
    assert account.ledger.state.open["a"].position == 4
    assert account.kept() == before


async def test_one_that_is_left_while_it_is_read_shows_nothing(
    open_account: Opener, make_action: Maker
) -> None:
    """What another process changes from now on must not be served when it comes back."""
    account = open_account()
    await account.saw(make_action("a"))
    await account.ledger.leave()
    opening = asyncio.ensure_future(account.ledger.open(130.0))
    await asyncio.gather(opening, account.ledger.leave())
    assert not account.ledger.snapshot.baselined
    assert not account.ledger.announced.baselined
