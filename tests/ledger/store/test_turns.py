"""A lock in the order of those who ask: nobody waits for one who asked later."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from exporter.ledger.store.turns import Turns


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads to wait on."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def waiting(turns: Turns) -> int:
    """Return how many have a turn or wait for one."""
    return len(turns._queue)  # noqa: SLF001 # nothing else tells that a thread waits by now


def test_turns_come_in_the_order_of_the_asking(threads: ThreadPoolExecutor) -> None:
    """Also of one who asks again as soon as he has had his turn."""
    turns, came = Turns(), []

    def take(name: str) -> None:
        with turns.turn():
            came.append(name)

    asked: list[Future[None]] = []
    with turns.turn():
        for count, name in enumerate(("a", "b", "c", "a"), 2):
            asked.append(threads.submit(take, name))
            while waiting(turns) < count:
                pass
    for each in asked:
        each.result(10)
    assert came == ["a", "b", "c", "a"]


def test_who_is_in_does_not_wait_for_itself() -> None:
    """It would wait for ever."""
    turns = Turns()
    for _ in range(2):
        with turns.turn(), pytest.raises(RuntimeError, match="already"), turns.turn():
            pytest.fail("has two turns")


def test_one_who_gives_up_holds_up_nobody(threads: ThreadPoolExecutor) -> None:
    """Those behind it get their turn; an error within a turn ends it, too."""
    turns, entered, leave = Turns(), Event(), Event()

    def hold() -> None:
        with turns.turn():
            entered.set()
            leave.wait(10)
            raise ZeroDivisionError

    def take() -> str:
        with turns.turn(10):
            return "in"

    holder = threads.submit(hold)
    assert entered.wait(10)
    with pytest.raises(TimeoutError), turns.turn(0.001):
        pytest.fail("has a turn beside another")
    taker = threads.submit(take)
    leave.set()
    assert taker.result(10) == "in"
    with pytest.raises(ZeroDivisionError):
        holder.result(10)
