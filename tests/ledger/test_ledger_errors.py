import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from exporter.errors import StateError
from exporter.ledger.ledger import PageContext
from exporter.ledger.records import ListCursor, SortOrder, SumKey, SumName
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., Any]
Maker = Callable[..., Any]

BASELINE = PageContext(None)


@pytest.fixture
def remove_state_file(state_file: Path) -> Callable[[], None]:
    """Give a way to take the state file away while it is in use."""
    return state_file.unlink


def since(baseline_cutoff: float, spare: int = 0) -> PageContext:
    """Return a sight of a listing whose history goes up to ``baseline_cutoff``."""
    return PageContext(ListCursor(SortOrder.NEWEST, 0, baseline_cutoff), spare=spare)


async def test_nothing_is_known_before_it_is_opened(open_account: Opener) -> None:
    """There is a view of zeros to show, and no book to work against."""
    account = open_account()
    assert not account.ledger.snapshot.baselined
    with pytest.raises(StateError, match="not opened"):
        account.ledger.begin(0.0)
    with pytest.raises(StateError, match="not opened"):
        await account.ledger.publish(0.0)


async def test_an_action_that_vanished_and_is_listed_again_is_not_new(
    open_account: Opener, make_action: Maker
) -> None:
    """Within one poll, one answer may deny what another shows."""
    account = open_account()
    await account.saw(make_action("a"))
    unit = account.ledger.begin(130.0)
    unit.mark_gone(account.ledger.state.open["a"])
    seen = await account.ledger.record(unit, [make_action("a", "failed")], since(50.0))
    await account.ledger.commit(unit)
    await account.ledger.publish(130.0)
    assert (seen.new, seen.changed) == (0, 1)
    assert account.ledger.snapshot.created["enable"] == 1
    assert account.ledger.snapshot.failed["enable", "none"] == 1
    assert account.ledger.snapshot.actions["enable", "failed"] == 1
    assert account.kept() == account.ledger.state


async def test_after_an_error_memory_is_what_the_disk_holds(
    open_account: Opener, make_action: Maker
) -> None:
    """The commit that failed is not seen; the same observations count once when it works again."""
    account = open_account()
    await account.saw(make_action("a"))
    published = account.ledger.snapshot
    database = account.store._database  # noqa: SLF001  # the error to come
    with database.transaction() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER broken BEFORE INSERT ON outbox"
                " BEGIN SELECT RAISE(ABORT, 'no more'); END"
            )
        )
    actions = (make_action("a", "failed"), make_action("b"))
    with pytest.raises(StateError, match="no more"):
        await account.saw(*actions)
    assert account.ledger.snapshot == published
    with pytest.raises(StateError, match="no more"):
        account.ledger.begin(0.0)  # a poll that goes on says what happened
    with database.transaction() as connection:
        connection.execute(text("DROP TRIGGER broken"))
    await account.ledger.open(130.0)
    assert list(account.ledger.state.open) == ["a"]
    await account.saw(*actions)
    assert account.ledger.snapshot.failed["enable", "none"] == 1
    assert account.ledger.snapshot.created["enable"] == 2
    assert account.kept() == account.ledger.state


async def test_an_error_of_one_account_makes_the_others_read_anew(
    open_account: Opener,
    open_store: Callable[..., SqliteStore],
    make_action: Maker,
    remove_state_file: Callable[[], None],
) -> None:
    """A file that was replaced may number accounts otherwise: nothing is written on old terms."""
    store = open_store()
    one, two = open_account("one", store), open_account("two", store)
    await one.saw(make_action("a"))
    await two.saw(make_action("b"))
    unit = two.ledger.begin(130.0)
    await two.ledger.record(unit, [make_action("b", "failed")], since(50.0))
    remove_state_file()
    with pytest.raises(StateError, match="deleted or replaced"):
        await one.saw(make_action("a", "failed"))
    with pytest.raises(StateError, match="reopened"):
        await two.ledger.commit(unit)
    await two.saw(make_action("c"))
    await one.saw(make_action("d"))
    assert list(two.ledger.state.open) == ["c"]
    assert list(one.ledger.state.open) == ["d"]
    assert (one.kept(), two.kept()) == (one.ledger.state, two.ledger.state)


async def test_a_poll_without_news_notices_that_the_state_file_is_gone(
    open_account: Opener, make_action: Maker, remove_state_file: Callable[[], None]
) -> None:
    """Not the first one with news: what that saw would be history to the new file."""
    account = open_account()
    await account.saw(make_action("a"))
    remove_state_file()
    with pytest.raises(StateError, match="deleted or replaced"):
        await account.ledger.conclude(account.ledger.begin(130.0), 130.0)
    await account.saw(make_action("b", "failed"))
    assert account.ledger.snapshot.failed["enable", "none"] == 1


async def test_a_commit_that_nobody_waits_for_any_more_is_whole_or_nothing(
    open_account: Opener, make_action: Maker
) -> None:
    """A poll that ran out of time while committing has committed all or nothing."""
    account = open_account()
    await account.saw(make_action("a"))
    unit = account.ledger.begin(130.0)
    await account.ledger.record(unit, [make_action("a", "failed")], since(50.0))
    commit = asyncio.ensure_future(account.ledger.commit(unit))
    await asyncio.sleep(0)  # one turn of the loop: it is handed to the worker, and waits
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    await account.saw(make_action("a", "failed"))  # counts if the commit came to nothing
    assert account.ledger.snapshot.failed["enable", "none"] == 1
    assert account.kept() == account.ledger.state


async def test_a_poll_waits_for_the_commit_that_one_before_left_behind(
    open_account: Opener, make_action: Maker
) -> None:
    """A poll that ran out of time may be committing yet: the next one begins with the result."""
    committing, may_go_on = threading.Event(), threading.Event()
    may_go_on.set()

    def is_held() -> bool:
        if threading.current_thread() is not threading.main_thread():
            committing.set()
            may_go_on.wait(10)
        return True

    account = open_account(is_held=is_held)
    await account.saw(make_action("a"))
    unit = account.ledger.begin(130.0)
    await account.ledger.record(unit, [make_action("b")], since(50.0))
    may_go_on.clear()
    committing.clear()
    commit = asyncio.ensure_future(account.ledger.commit(unit))
    await asyncio.to_thread(committing.wait, 10)
    commit.cancel()
    await asyncio.gather(commit, return_exceptions=True)
    opening = asyncio.ensure_future(account.ledger.open(140.0))
    await asyncio.sleep(0)
    assert not opening.done()
    may_go_on.set()
    await opening
    assert list(account.ledger.state.open) == ["a", "b"]


async def test_the_event_loop_does_not_touch_the_disk(
    open_account: Opener, make_action: Maker
) -> None:
    """All that reads or writes happens in the worker: without it, nothing does."""
    account = open_account()
    worker = account.ledger._worker  # noqa: SLF001  # the seam that is looked at
    assert isinstance(worker, ThreadPoolExecutor)
    await account.saw(make_action("a"))
    worker.shutdown()
    unit = account.ledger.begin(130.0)
    for call in (
        account.ledger.record(unit, [], BASELINE),
        account.ledger.unknown(unit, []),
        account.ledger.conclude(unit, 0.0),
        account.ledger.publish(0.0),
        account.ledger.forget(0.0),
        account.ledger.undelivered("log"),
        account.ledger.delivered("log", 1),
    ):
        with pytest.raises(RuntimeError, match="shutdown"):
            await call


async def test_a_type_that_only_a_lost_poll_saw_takes_no_room(
    open_account: Opener, make_action: Maker
) -> None:
    """The next poll labels as a restarted process would."""
    account = open_account()
    await account.saw(make_action("a"))
    unit = account.ledger.begin(130.0)
    await account.ledger.record(unit, [make_action("b", action_type="lost")], since(50.0))
    assert "lost" in account.ledger.state.types
    account.ledger.begin(131.0)
    assert set(account.ledger.state.types) == set(account.kept().types)
    assert SumKey(SumName.CREATED, "lost") not in account.ledger.state.sums
