import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.web.connection_limiter import (
    MAX_CONNECTIONS,
    MIN_CONNECTIONS,
    ConnectionLimiter,
    connection_limit,
)


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Give what sets the limit of open files; it is as before in the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda files: resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("files", "polls", "connections"),
    [
        pytest.param(4096, 40, MAX_CONNECTIONS, id="plenty"),
        pytest.param(256, 4, 156, id="256 files"),
        pytest.param(256, 40, 120, id="ten accounts"),
        pytest.param(256, 4000, MIN_CONNECTIONS, id="more accounts than files"),
    ],
)
def test_the_limit_follows_that_of_files(
    limit: Callable[[int], None], files: int, polls: int, connections: int
) -> None:
    """What polls, the state and a reload need is never given to connections."""
    limit(files)
    assert connection_limit(polls) == connections


@dataclass(eq=False)
class Connection:
    """A connection as the limiter sees it."""

    client: str = "192.0.2.1"
    busy: bool = False
    stalled: bool = False
    ready: bool = True
    aborted: bool = False

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


def add(limiter: ConnectionLimiter, **options: Any) -> Connection:
    """Let a connection in."""
    connection = Connection(**options)
    limiter.add(connection)
    return connection


@pytest.fixture
def told() -> list[int]:
    """Give what was reported."""
    return []


@pytest.fixture
def make(told: list[int]) -> Callable[..., ConnectionLimiter]:
    """Give a maker of limiters to two connections."""
    return lambda **options: ConnectionLimiter(lambda: 2, told.append, **options)


def test_the_longest_idle_goes_first(
    make: Callable[..., ConnectionLimiter], told: list[int]
) -> None:
    """Not the one that is open the longest, if it was used since."""
    limiter = make()
    first, second = add(limiter), add(limiter)
    assert not told
    limiter.touch(first)
    add(limiter)
    assert (first.aborted, second.aborted) == (False, True)
    assert (limiter.dropped, told) == (1, [2])


def test_one_that_does_not_take_its_answer_goes_before_a_busy_one(
    make: Callable[..., ConnectionLimiter],
) -> None:
    """A request that is being answered stays, one whose client reads nothing does not."""
    limiter = make()
    busy, stalled = add(limiter, busy=True), add(limiter, busy=True, stalled=True)
    add(limiter, busy=True)
    add(limiter)
    assert (busy.aborted, stalled.aborted) == (False, True)
    assert limiter.dropped == 1


def test_who_opens_one_after_the_other_closes_its_own(told: list[int]) -> None:
    """A scraper whose connection rests between two scrapes is not the one that goes."""
    limiter = ConnectionLimiter(lambda: 3, told.append)
    scraper = add(limiter, client="192.0.2.1")
    flood = [add(limiter, client=f"192.0.2.{2 + each % 2}") for each in range(100)]
    assert not scraper.aborted
    assert [each.aborted for each in flood] == [True] * 98 + [False] * 2


def test_it_is_told_once_a_minute(make: Callable[..., ConnectionLimiter], told: list[int]) -> None:
    """A flood is one line a minute."""
    now = [0.0]
    limiter = make(monotonic=lambda: now[0])
    for _ in range(100):
        add(limiter)
    assert told == [2]
    now[0] = 61.0
    add(limiter)
    assert told == [2, 2]
    assert limiter.dropped == 99


def test_a_limit_that_shrinks_holds_at_once(told: list[int]) -> None:
    """Accounts that a reload adds get their files from idle connections."""
    size = [10]
    limiter = ConnectionLimiter(lambda: size[0], told.append)
    held = [add(limiter) for _ in range(10)]
    size[0] = 3
    add(limiter)
    assert [each.aborted for each in held] == [True] * 8 + [False] * 2


def test_it_is_full_only_of_what_is_open(make: Callable[..., ConnectionLimiter]) -> None:
    """What gave way does not count, nor a handshake; what is busy and requests that run do."""
    limiter = make()
    for _ in range(5):
        add(limiter)
    add(limiter, ready=False)
    assert not limiter.is_full(requests=2)
    assert limiter.is_full(requests=3)
    for _ in range(3):
        add(limiter, busy=True)
    assert limiter.is_full(requests=0)
