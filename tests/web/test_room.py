import asyncio
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.web.room import MAX_CONNECTIONS, MIN_CONNECTIONS, Room, room_for_connections


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Give what sets the limit of open files; it is as before in the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda files: resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("files", "polls", "room"),
    [
        pytest.param(4096, 40, MAX_CONNECTIONS, id="plenty"),
        pytest.param(256, 4, 156, id="256 files"),
        pytest.param(256, 40, 120, id="ten accounts"),
        pytest.param(256, 4000, MIN_CONNECTIONS, id="more accounts than files"),
    ],
)
def test_room_follows_the_limit_of_files(
    limit: Callable[[int], None], files: int, polls: int, room: int
) -> None:
    """What polls, the state and a reload need is never given to connections."""
    limit(files)
    assert room_for_connections(polls) == room


class Wire(asyncio.Transport):
    """A transport that notes that it was broken off."""

    aborted = False

    def __init__(self, client: str) -> None:
        """Come from the address ``client``."""
        super().__init__({"peername": (client, 1)})

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


@dataclass
class Guest:
    """A connection as the room sees it."""

    busy: bool = False
    stalled: bool = False
    made: bool = True


def enter(room: Room, guest: Guest, client: str = "192.0.2.1") -> Wire:
    """Let a connection in."""
    wire = Wire(client)
    room.enter(wire, guest)
    return wire


@pytest.fixture
def told() -> list[int]:
    """Give what was reported."""
    return []


@pytest.fixture
def make(told: list[int]) -> Callable[..., Room]:
    """Give a maker of rooms for two."""
    return lambda **options: Room(lambda: 2, told.append, **options)


def test_the_longest_idle_goes_first(make: Callable[..., Room], told: list[int]) -> None:
    """Not the one that is open the longest, if it was used since."""
    room = make()
    first, second = enter(room, Guest()), enter(room, Guest())
    assert not told
    room.used(first)
    enter(room, Guest())
    assert (first.aborted, second.aborted) == (False, True)
    assert (room.dropped, told) == (1, [2])


def test_one_that_does_not_take_its_answer_goes_before_a_busy_one(
    make: Callable[..., Room],
) -> None:
    """A request that is being answered stays, one whose client reads nothing does not."""
    room = make()
    busy, stalled = enter(room, Guest(busy=True)), enter(room, Guest(busy=True, stalled=True))
    enter(room, Guest(busy=True))
    enter(room, Guest())
    assert (busy.aborted, stalled.aborted) == (False, True)
    assert room.dropped == 1


def test_who_opens_one_after_the_other_closes_its_own(told: list[int]) -> None:
    """A scraper whose connection rests between two scrapes is not the one that goes."""
    room = Room(lambda: 3, told.append)
    scraper = enter(room, Guest(), "192.0.2.1")
    flood = [enter(room, Guest(), f"192.0.2.{2 + each % 2}") for each in range(100)]
    assert not scraper.aborted
    assert [each.aborted for each in flood] == [True] * 98 + [False] * 2


def test_it_is_told_once_a_minute(make: Callable[..., Room], told: list[int]) -> None:
    """A flood is one line a minute."""
    now = [0.0]
    room = make(monotonic=lambda: now[0])
    for _ in range(100):
        enter(room, Guest())
    assert told == [2]
    now[0] = 61.0
    enter(room, Guest())
    assert told == [2, 2]
    assert room.dropped == 99


def test_a_room_that_shrinks_is_cleared(told: list[int]) -> None:
    """Accounts that a reload adds get their files from idle connections."""
    size = [10]
    room = Room(lambda: size[0], told.append)
    wires: list[Any] = [enter(room, Guest()) for _ in range(10)]
    size[0] = 3
    enter(room, Guest())
    assert [each.aborted for each in wires] == [True] * 8 + [False] * 2


def test_room_is_full_only_of_what_is_in_it(make: Callable[..., Room]) -> None:
    """What gave way does not count, nor a handshake; what is busy and requests that run do."""
    room = make()
    for _ in range(5):
        enter(room, Guest())
    enter(room, Guest(made=False))
    assert not room.is_full(running=2)
    assert room.is_full(running=3)
    for _ in range(3):
        enter(room, Guest(busy=True))
    assert room.is_full(running=0)
