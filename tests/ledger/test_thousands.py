"""Many at a time: what is written in parts is written whole."""

from collections.abc import Callable
from typing import Any

Opener = Callable[..., Any]
Maker = Callable[..., Any]


async def test_thousands_of_failures_are_each_kept_and_told_once(
    open_account: Opener, make_action: Maker
) -> None:
    """One commit holds more rows and events than one statement takes."""
    account = open_account()
    await account.saw(*(make_action(f"{number}", "failed") for number in range(2_500)))
    assert account.ledger.snapshot.tracked == 2_500
    told = []
    while events := await account.ledger.undelivered("log"):
        told += [event.action_id for _, event in events]
        await account.ledger.delivered("log", events[-1][0])
    assert len(told) == len(set(told)) == 2_500


async def test_one_that_ends_as_it_would_be_told_of_as_stuck_is_no_stuck_one(
    open_account: Opener, make_action: Maker
) -> None:
    """The unit of work that ends it has the last word over what was known before."""
    account = open_account()
    await account.saw(make_action("a"), at=120.0)
    await account.saw(make_action("a", "failed", updated_at=5_000.0), at=5_001.0)
    assert account.ledger.state.open == {}
    events = await account.ledger.undelivered("log")
    assert [event.event_type for _, event in events] == ["sim_card_action_failed"]
