import asyncio
import threading
import time
from collections.abc import Callable

import bcrypt
import pytest

from exporter.web.password_check import MAX_REMEMBERED, CheckResult, Credentials, PasswordChecker
from exporter.web.password_queue import MAX_WAITING, MAX_WAITING_EACH

DEADLINE = 30.0


class Bcrypt:
    """bcrypt itself, which notes what it is asked and can be held."""

    def __init__(self) -> None:
        """Let everything pass."""
        self.asked: list[tuple[bytes, bytes]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, password: bytes, expected: bytes) -> bool:
        """Compare."""
        self.asked.append((password, expected))
        assert self.free.wait(DEADLINE)
        return bcrypt.checkpw(password, expected)


@pytest.fixture
def users(hashed: Callable[..., str]) -> dict[bytes, bytes]:
    """Give two users whose hashes cost differently."""
    return {b"ann": hashed("right", 4).encode(), b"bob": hashed("other", 5).encode()}


def sent(name: str, password: str) -> Credentials:
    """Return what a client sends."""
    return Credentials(name.encode(), password.encode())


@pytest.mark.parametrize(
    ("name", "password", "result"),
    [
        pytest.param("ann", "right", CheckResult.RIGHT, id="right"),
        pytest.param("ann", "wrong", CheckResult.WRONG, id="wrong"),
        pytest.param("ann", "", CheckResult.WRONG, id="empty"),
        pytest.param("bob", "right", CheckResult.WRONG, id="of another user"),
        pytest.param("eve", "right", CheckResult.WRONG, id="unknown name"),
        pytest.param("ann", "right" + "x" * 100, CheckResult.WRONG, id="long"),
        pytest.param("ann", "right\0", CheckResult.WRONG, id="with a zero byte"),
    ],
)
async def test_only_the_right_password_is_right(
    users: dict[bytes, bytes], name: str, password: str, result: CheckResult
) -> None:
    """Asked once or again, the result is the same."""
    checker = PasswordChecker()
    for _ in range(2):
        assert await checker.check(users, sent(name, password), "c") is result


async def test_password_of_no_user_is_wrong_even_where_it_fits(users: dict[bytes, bytes]) -> None:
    """The hash that an unknown name is compared with lets nobody in."""
    checker = PasswordChecker()
    for index in range(20):
        for password in ("right", "other"):
            result = await checker.check(users, sent(f"eve{index}", password), "c")
            assert result is CheckResult.WRONG


async def test_long_passwords_are_cut_as_bcrypt_does(hashed: Callable[..., str]) -> None:
    """A password of more than 72 bytes works as with any other program."""
    users = {b"ann": hashed("a" * 72).encode()}
    assert await PasswordChecker().check(users, sent("ann", "a" * 100), "c") is CheckResult.RIGHT


async def test_right_password_is_computed_once(users: dict[bytes, bytes]) -> None:
    """It is remembered; a wrong one is not."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    for password in ("right", "wrong"):
        for _ in range(3):
            await checker.check(users, sent("ann", password), "c")
    assert [password for password, _ in compare.asked] == [b"right", *[b"wrong"] * 3]


async def test_new_hash_forgets_the_old_password(
    users: dict[bytes, bytes], hashed: Callable[..., str]
) -> None:
    """What is remembered hangs on the hash: a changed one is asked anew."""
    checker = PasswordChecker()
    assert await checker.check(users, sent("ann", "right"), "c") is CheckResult.RIGHT
    users[b"ann"] = hashed("new").encode()
    assert await checker.check(users, sent("ann", "right"), "c") is CheckResult.WRONG
    del users[b"ann"]
    assert await checker.check(users, sent("ann", "right"), "c") is CheckResult.WRONG


async def test_unknown_name_costs_as_much_as_a_known_one(users: dict[bytes, bytes]) -> None:
    """It is compared with a hash of a cost that is in use, the same for a name each time."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    for index in range(40):
        for _ in range(2):
            await checker.check(users, sent(f"eve{index}", "x"), "c")
    costs = [expected[4:6] for _, expected in compare.asked]
    assert set(costs) == {b"04", b"05"}
    assert costs[::2] == costs[1::2]


async def test_same_question_is_asked_once_at_a_time(users: dict[bytes, bytes]) -> None:
    """A flood of scrapes by one user after the start costs one computation."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    checks = (checker.check(users, sent("ann", "right"), "c") for _ in range(50))
    assert set(await asyncio.gather(*checks)) == {CheckResult.RIGHT}
    assert len(compare.asked) == 1


@pytest.mark.parametrize(("limit", "sharing"), [(16, 4), (28, 7), (256, 64)])
async def test_requests_that_wait_for_one_check_are_bounded(
    users: dict[bytes, bytes], limit: int, sharing: int
) -> None:
    """Who sends the same guess again and again takes a quarter of the connections at most."""
    compare = Bcrypt()
    compare.free.clear()
    checker = PasswordChecker(compare, connection_limit=lambda: limit)
    flood = [
        asyncio.create_task(checker.check(users, sent("ann", "guess"), "bad"))
        for _ in range(1 + sharing + 50)
    ]
    done: set[asyncio.Task[CheckResult]] = set()
    while len(done) < 50:
        done, _ = await asyncio.wait(flood, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        assert done
    assert {each.result() for each in done} == {CheckResult.BUSY}
    compare.free.set()
    results = await asyncio.gather(*flood)
    assert results.count(CheckResult.WRONG) == 1 + sharing


async def test_flood_of_wrong_passwords_stops_nobody(users: dict[bytes, bytes]) -> None:
    """While bcrypt is at work, who is known is let in, and others still get their turn."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    assert await checker.check(users, sent("ann", "right"), "good") is CheckResult.RIGHT
    compare.free.clear()
    flood = [
        asyncio.create_task(checker.check(users, sent("ann", f"{index}"), "bad"))
        for index in range(100)
    ]
    done, waiting = await asyncio.wait(flood, timeout=0)
    while len(done) < 100 - MAX_WAITING_EACH:
        more, waiting = await asyncio.wait(
            waiting, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED
        )
        assert more
        done |= more
    assert {each.result() for each in done} == {CheckResult.BUSY}
    assert await checker.check(users, sent("ann", "right"), "bad") is CheckResult.RIGHT
    late = asyncio.create_task(checker.check(users, sent("bob", "other"), "good"))
    compare.free.set()
    assert await asyncio.wait_for(late, DEADLINE) is CheckResult.RIGHT
    assert {await each for each in waiting} == {CheckResult.WRONG}
    assert len(compare.asked) == 1 + MAX_WAITING_EACH + 1


@pytest.mark.parametrize(("limit", "places"), [(16, 4), (28, 7), (256, MAX_WAITING)])
async def test_all_clients_together_wait_in_bounds(
    users: dict[bytes, bytes], limit: int, places: int
) -> None:
    """Many addresses queue a quarter of the connections at most, and the queue empties again."""
    compare = Bcrypt()
    checker = PasswordChecker(compare, connection_limit=lambda: limit)
    checks = (checker.check(users, sent("ann", f"{each}"), f"{each}") for each in range(100))
    results = await asyncio.gather(*checks)
    assert results.count(CheckResult.WRONG) == len(compare.asked) == places
    assert results.count(CheckResult.BUSY) == 100 - places
    assert await checker.check(users, sent("ann", "again"), "0") is CheckResult.WRONG


async def test_who_gives_up_does_not_end_it_for_others(users: dict[bytes, bytes]) -> None:
    """Two wait for one computation; one goes away."""
    compare = Bcrypt()
    compare.free.clear()
    checker = PasswordChecker(compare)
    first, second = (
        asyncio.create_task(checker.check(users, sent("ann", "right"), "c")) for _ in range(2)
    )
    await asyncio.wait({first, second}, timeout=0)
    first.cancel()
    await asyncio.wait({first})
    compare.free.set()
    assert await asyncio.wait_for(second, DEADLINE) is CheckResult.RIGHT


async def test_guessers_together_do_not_hold_up_an_address_that_does_not_guess(
    users: dict[bytes, bytes],
) -> None:
    """However many addresses guess, and all places taken, the right password is checked next."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    for each in range(12):  # from now on they are known to guess
        await checker.check(users, sent("ann", f"first {each}"), f"{each}")
    compare.free.clear()
    guesses = [
        asyncio.create_task(checker.check(users, sent("ann", f"{each}"), f"{each % 12}"))
        for each in range(48)
    ]
    await asyncio.wait(guesses, timeout=0)
    right = asyncio.create_task(checker.check(users, sent("bob", "other"), "new"))
    await asyncio.wait({right}, timeout=0)
    compare.free.set()
    assert await asyncio.wait_for(right, DEADLINE) is CheckResult.RIGHT
    asked = [password for password, _ in compare.asked]
    assert asked.index(b"other") <= 12 + 1  # after the one that was under way
    assert {await each for each in guesses} == {CheckResult.WRONG, CheckResult.BUSY}


async def test_a_user_is_served_behind_the_address_of_a_guesser(users: dict[bytes, bytes]) -> None:
    """Guesses at one user's password leave a place there to another."""
    compare = Bcrypt()
    compare.free.clear()
    checker = PasswordChecker(compare)
    guesses = [
        asyncio.create_task(checker.check(users, sent("ann", f"{each}"), "proxy"))
        for each in range(10)
    ]
    await asyncio.wait(guesses, timeout=0)
    right = asyncio.create_task(checker.check(users, sent("bob", "other"), "proxy"))
    await asyncio.wait({right}, timeout=0)
    compare.free.set()
    assert await asyncio.wait_for(right, DEADLINE) is CheckResult.RIGHT
    assert {await each for each in guesses} == {CheckResult.WRONG, CheckResult.BUSY}


async def test_a_password_that_is_right_by_now_is_not_computed_again(
    users: dict[bytes, bytes],
) -> None:
    """Several Prometheus servers with the same password cost one computation after the start."""
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    checks = (checker.check(users, sent("ann", "right"), f"{each}") for each in range(10))
    assert set(await asyncio.gather(*checks)) == {CheckResult.RIGHT}
    assert len(compare.asked) == 1


@pytest.mark.parametrize(("addresses", "share"), [(1, 0.25), (20, 0.5)], ids=["one", "new ones"])
async def test_guessers_leave_the_core_to_others(
    users: dict[bytes, bytes], addresses: int, share: float
) -> None:
    """Checks take a quarter of the time at most, or half of it if each comes from elsewhere."""
    spent = [0.0]

    def compare(password: bytes, expected: bytes) -> bool:
        begun = time.monotonic()
        same = bcrypt.checkpw(password, expected)
        spent[0] += time.monotonic() - begun
        return same

    checker = PasswordChecker(compare)
    begun = time.monotonic()
    for each in range(20):
        await checker.check(users, sent("ann", f"{each}"), f"192.0.2.{each % addresses}")
    assert spent[0] < 1.2 * share * (time.monotonic() - begun)


async def test_a_failure_of_bcrypt_is_not_waited_for(users: dict[bytes, bytes]) -> None:
    """An error comes out where the password was asked for, and the next check is done."""
    asked = []

    def compare(password: bytes, expected: bytes) -> bool:
        asked.append(password)
        if len(asked) == 1:
            raise MemoryError
        return bcrypt.checkpw(password, expected)

    checker = PasswordChecker(compare)
    with pytest.raises(MemoryError):
        await checker.check(users, sent("ann", "right"), "c")
    assert await checker.check(users, sent("ann", "right"), "c") is CheckResult.RIGHT


async def test_memory_is_bounded(hashed: Callable[..., str]) -> None:
    """Of very many users the one that came least lately is computed again."""
    expected = hashed("x").encode()
    users = {f"{index}".encode(): expected for index in range(MAX_REMEMBERED + 1)}
    compare = Bcrypt()
    checker = PasswordChecker(compare)
    for name in (*users, b"0", b"2"):
        assert await checker.check(users, Credentials(name, b"x"), "c") is CheckResult.RIGHT
    assert len(compare.asked) == len(users) + 1


async def test_no_password_is_kept(users: dict[bytes, bytes]) -> None:
    """Neither what is remembered nor what is sent shows a password."""
    checker = PasswordChecker()
    credentials = sent("ann", "right")
    await checker.check(users, credentials, "c")
    assert "right" not in f"{vars(checker)} {credentials!r}".replace("_right", "")
