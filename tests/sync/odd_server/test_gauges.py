"""The gauges and counters where scopes are added, totals are refused, or a sweep goes over all."""

from collections.abc import Callable
from typing import Any

import httpx

from exporter.domain import Status
from exporter.sync.filters import AccountFilters

OpenOdd = Callable[..., Any]
Params = dict[str, str]


def gauges(account: Any) -> dict[tuple[str, str], int]:
    """Return how many actions are shown by type and status; zeros are left out."""
    return {key: count for key, count in account.ledger.snapshot.actions.items() if count}


def restart(account: Any, filters: AccountFilters) -> None:
    """Begin anew with another coverage, on the same state."""
    account.stop()
    account.start(filters)


async def test_a_sweep_under_a_status_filter_counts_no_history(open_odd: OpenOdd) -> None:
    """2,000 failures are older than the first poll; a total one too high has them swept, no more.

    The total by action type is the one that is wrong.
    """
    account = open_odd(AccountFilters((), (Status.FAILED,)), audit_interval=60.0)
    account.server.history(2_000, "failed")
    await account.poll()

    def one_too_many(_path: str, params: Params) -> None:
        more = params.get("filter[action_type]") == "enable"
        account.server.total = lambda count: count + more

    account.server.answer = one_too_many
    for _ in range(5):
        await account.poll()
    assert account.counts == {}


async def test_a_type_added_while_only_in_progress_is_asked_for(open_odd: OpenOdd) -> None:
    """Seven of the new type were in progress before it was asked for, so none counts as created."""
    account = open_odd(AccountFilters(("enable",), (Status.IN_PROGRESS,)))
    account.server.create(5)
    account.server.create(7, action_type="disable")
    await account.poll()
    await account.poll()
    restart(account, AccountFilters(("enable", "disable"), (Status.IN_PROGRESS,)))
    await account.poll()
    assert account.counts == {"running": 12}
    account.server.create(2, action_type="disable")
    await account.poll()
    assert account.counts == {"created": 2, "running": 14}


async def test_a_type_added_keeps_the_gauge_of_another(open_odd: OpenOdd) -> None:
    """50 of the known type fail just before the restart: they count once, and show once."""
    account = open_odd(AccountFilters(("enable",), ()))
    account.server.history(1_000)
    await account.poll()
    account.server.create(50, "failed")
    restart(account, AccountFilters(("enable", "disable"), ()))
    shown = []
    for _ in range(3):
        await account.poll()
        shown.append(gauges(account))
    assert shown == [{("enable", "completed"): 1_000, ("enable", "failed"): 50}] * 3
    assert account.counts == {"created": 50, "failed": 50}


async def test_all_types_added_keep_the_gauges(open_odd: OpenOdd) -> None:
    """50 in progress fail before every type is asked for: they count once, and show once."""
    account = open_odd(AccountFilters(("enable",), ()))
    account.server.history(1_000)
    running = account.server.create(50)
    await account.poll()
    account.server.end(running, "failed")
    restart(account, AccountFilters((), ()))
    shown = []
    for _ in range(3):
        await account.poll()
        shown.append(gauges(account))
    assert shown == [{("enable", "completed"): 1_000, ("enable", "failed"): 50}] * 3
    assert account.counts == {"failed": 50}


async def test_a_type_whose_totals_are_refused_is_not_other(open_odd: OpenOdd) -> None:
    """The totals of the one type there is answer 500: what it showed it shows still."""
    account = open_odd(audit_interval=60.0)
    account.server.history(1_000)
    await account.poll()
    account.server.answer = lambda _path, params: (
        httpx.Response(500) if params.get("filter[action_type]") == "enable" else None
    )
    shown = []
    for _ in range(3):
        await account.poll()
        shown.append(gauges(account))
    assert shown == [{("enable", "completed"): 1_000}] * 3
    assert set(account.ledger.snapshot.drift.values()) == {0}


async def test_an_unknown_status_that_vanished_goes_after_two_audits(open_odd: OpenOdd) -> None:
    """One queued action is deleted; three interrupted ones beside it, which are listed, stay.

    Audits are polls 4, 9, 14, and so on; the gauges agree with the server at the fifth.
    """
    account = open_odd(audit_interval=300.0)
    account.server.history(1_000)
    await account.poll()
    (queued,) = account.server.create(1, "queued")
    account.server.create(3, "interrupted")
    await account.poll()
    account.server.items.remove(queued)
    shown = []
    for _ in range(24):
        await account.poll()
        shown.append(gauges(account).get(("enable", "other"), 0))
    assert shown == [1] * 8 + [0] * 16
    assert gauges(account) == {("enable", "completed"): 1_000, ("enable", "interrupted"): 3}
    assert set(account.ledger.snapshot.drift.values()) == {0}


async def test_a_sweep_that_finds_nothing_makes_up_no_actions(open_odd: OpenOdd) -> None:
    """The first total lacked six of 50 interrupted ones: the gauge never shows more."""
    account = open_odd(audit_interval=120.0)
    account.server.history(1_000, "failed")
    account.server.history(50, "interrupted")
    account.server.total = lambda count: count - 6 if count == 1_050 else count
    await account.poll()
    account.server.total = lambda count: count
    shown = []
    for _ in range(10):
        await account.poll()
        shown.append(gauges(account)["enable", "interrupted"])
    assert max(shown) <= 50
    assert shown[-1] == 50
