import pytest

from exporter.web.password_queue import (
    MAX_RECORDS,
    MAX_WAITING,
    MAX_WAITING_EACH,
    PasswordQueue,
    Reputation,
)


@pytest.fixture
def queue() -> PasswordQueue[str]:
    """Give queue for which nobody waits."""
    return PasswordQueue()


def test_good_goes_before_unknown_and_unknown_before_guessing(queue: PasswordQueue[str]) -> None:
    """The record of an address decides, and not who came first."""
    queue.record("192.0.2.1", right=False)
    queue.record("192.0.2.3", right=True)
    for number in (1, 2, 3):
        assert queue.add(f"192.0.2.{number}", str(number)) is None
    assert [queue.pop() for _ in range(4)] == ["3", "2", "1", None]


def test_only_reputations_that_are_asked_for_are_served(queue: PasswordQueue[str]) -> None:
    """Guessers can be left waiting."""
    queue.record("192.0.2.1", right=False)
    queue.add("192.0.2.1", "guess")
    assert queue.pop(Reputation.UNKNOWN) is None
    queue.add("192.0.2.2", "new")
    assert queue.pop(Reputation.UNKNOWN) == "new"
    assert queue.pop() == "guess"


def test_addresses_of_one_reputation_take_turns(queue: PasswordQueue[str]) -> None:
    """One with many questions waits as long for each as one with a single one."""
    for number in range(3):
        queue.add("192.0.2.1", f"a{number}")
    queue.add("192.0.2.2", "b0")
    assert [queue.pop() for _ in range(2)] == ["a0", "b0"]
    queue.add("192.0.2.2", "b1")
    assert [queue.pop() for _ in range(3)] == ["a1", "b1", "a2"]


def test_an_address_has_few_places(queue: PasswordQueue[str]) -> None:
    """One more of it gives way itself."""
    for number in range(MAX_WAITING_EACH):
        assert queue.add("2001:db8::1", str(number)) is None
    assert queue.add("2001:db8::2", "more") == "more"
    assert len(queue) == MAX_WAITING_EACH


def test_names_share_the_places_of_an_address(queue: PasswordQueue[str]) -> None:
    """One user has a place beside those who guess the password of another there."""
    for number in range(MAX_WAITING_EACH):
        assert queue.add("192.0.2.1", str(number), name=b"ann") is None
    assert queue.add("192.0.2.1", "more", name=b"ann") == "more"
    assert queue.add("192.0.2.1", "bob", name=b"bob") == str(MAX_WAITING_EACH - 1)
    assert queue.add("192.0.2.1", "more", name=b"ann") == "more"
    assert len(queue) == MAX_WAITING_EACH


def test_who_guesses_gives_way_to_who_does_not(queue: PasswordQueue[str]) -> None:
    """However many guess, a new address gets a place; the last of the greediest loses one."""
    for number in range(MAX_WAITING):
        client = f"192.0.2.{number // MAX_WAITING_EACH}"
        queue.record(client, right=False)
        assert queue.add(client, str(number)) is None
    assert queue.add("198.51.100.1", "new") == str(MAX_WAITING - 1)
    assert queue.pop() == "new"


def test_last_comer_gives_way_among_equals(queue: PasswordQueue[str]) -> None:
    """Where all are alike, who waits keeps the place."""
    for number in range(MAX_WAITING):
        queue.add(f"192.0.2.{number}", str(number))
    assert queue.add("198.51.100.1", "new") == "new"


def test_guessers_crowd_nobody_out_of_the_records(queue: PasswordQueue[str]) -> None:
    """However many guess, who was right is still known."""
    queue.record("192.0.2.1", right=True)
    for number in range(MAX_RECORDS + 1):
        queue.record(f"10.0.{number // 256}.{number % 256}", right=False)
    assert queue.reputation("192.0.2.1") is Reputation.GOOD
    assert queue.reputation("10.0.0.0") is Reputation.UNKNOWN
    assert queue.reputation("10.0.0.9") is Reputation.GUESSING
