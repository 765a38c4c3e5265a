import pytest

from exporter.web.turns import MAX_RECORDS, MAX_WAITING, MAX_WAITING_EACH, Rank, Turns


@pytest.fixture
def turns() -> Turns[str]:
    """Give turns for which nobody waits."""
    return Turns()


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
