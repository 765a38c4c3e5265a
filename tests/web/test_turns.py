import pytest

from exporter.web.turns import (
    MAX_RECORDS,
    MAX_WAITING,
    MAX_WAITING_EACH,
    Rank,
    Turns,
    origin,
)


@pytest.fixture
def turns() -> Turns[str]:
    """Give turns for which nobody waits."""
    return Turns()


@pytest.mark.parametrize(
    ("client", "other", "same"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", True, id="IPv4"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="neighbours in IPv4"),
        pytest.param("2001:db8::1", "2001:db8::ffff:1", True, id="one network"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="another network"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", True, id="IPv4 on a socket of IPv6"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="neighbours on one"),
        pytest.param("fe80::1%eth0", "fe80::2%eth0", True, id="with an interface"),
        pytest.param("", "", True, id="unknown"),
    ],
)
def test_address_is_what_a_customer_has(client: str, other: str, *, same: bool) -> None:
    """Of IPv4 it is one, of IPv6 a network of 64 bits."""
    assert (origin(client) == origin(other)) is same


def test_good_goes_before_unknown_and_unknown_before_guessing(turns: Turns[str]) -> None:
    """The record of an address decides, and not who came first."""
    turns.note("192.0.2.1", right=False)
    turns.note("192.0.2.3", right=True)
    for number in (1, 2, 3):
        assert turns.enter(f"192.0.2.{number}", str(number)) is None
    assert [turns.next() for _ in range(4)] == ["3", "2", "1", None]


def test_only_ranks_that_are_asked_for_are_served(turns: Turns[str]) -> None:
    """Guessers can be left waiting."""
    turns.note("192.0.2.1", right=False)
    turns.enter("192.0.2.1", "guess")
    assert turns.next(Rank.UNKNOWN) is None
    turns.enter("192.0.2.2", "new")
    assert turns.next(Rank.UNKNOWN) == "new"
    assert turns.next() == "guess"


def test_addresses_of_a_rank_take_turns(turns: Turns[str]) -> None:
    """One with many questions waits as long for each as one with a single one."""
    for number in range(3):
        turns.enter("192.0.2.1", f"a{number}")
    turns.enter("192.0.2.2", "b0")
    assert [turns.next() for _ in range(2)] == ["a0", "b0"]
    turns.enter("192.0.2.2", "b1")
    assert [turns.next() for _ in range(3)] == ["a1", "b1", "a2"]


def test_an_address_has_few_places(turns: Turns[str]) -> None:
    """One more of it gives way itself."""
    for number in range(MAX_WAITING_EACH):
        assert turns.enter("2001:db8::1", str(number)) is None
    assert turns.enter("2001:db8::2", "more") == "more"
    assert len(turns) == MAX_WAITING_EACH


def test_names_share_the_places_of_an_address(turns: Turns[str]) -> None:
    """One user has a place beside those who guess the password of another there."""
    for number in range(MAX_WAITING_EACH):
        assert turns.enter("192.0.2.1", str(number), name=b"ann") is None
    assert turns.enter("192.0.2.1", "more", name=b"ann") == "more"
    assert turns.enter("192.0.2.1", "bob", name=b"bob") == str(MAX_WAITING_EACH - 1)
    assert turns.enter("192.0.2.1", "more", name=b"ann") == "more"
    assert len(turns) == MAX_WAITING_EACH


def test_who_guesses_gives_way_to_who_does_not(turns: Turns[str]) -> None:
    """However many guess, a new address gets a place; the last of the greediest loses one."""
    for number in range(MAX_WAITING):
        client = f"192.0.2.{number // MAX_WAITING_EACH}"
        turns.note(client, right=False)
        assert turns.enter(client, str(number)) is None
    assert turns.enter("198.51.100.1", "new") == str(MAX_WAITING - 1)
    assert turns.next() == "new"


def test_last_comer_gives_way_among_equals(turns: Turns[str]) -> None:
    """Where all are alike, who waits keeps the place."""
    for number in range(MAX_WAITING):
        turns.enter(f"192.0.2.{number}", str(number))
    assert turns.enter("198.51.100.1", "new") == "new"


def test_guessers_crowd_nobody_out_of_the_records(turns: Turns[str]) -> None:
    """However many guess, who was right is still known."""
    turns.note("192.0.2.1", right=True)
    for number in range(MAX_RECORDS + 1):
        turns.note(f"10.0.{number // 256}.{number % 256}", right=False)
    assert turns.rank("192.0.2.1") is Rank.GOOD
    assert turns.rank("10.0.0.0") is Rank.UNKNOWN
    assert turns.rank("10.0.0.9") is Rank.GUESSING
