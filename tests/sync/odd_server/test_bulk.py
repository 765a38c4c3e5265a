"""Many actions at once: at the baseline, in a listing added later, scattered, at a deadline."""

from collections.abc import Callable
from typing import Any

import httpx

from exporter.sync.filters import AccountFilters

OpenOdd = Callable[..., Any]
Params = dict[str, str]


async def test_a_bulk_that_arrives_during_the_first_poll(open_odd: OpenOdd) -> None:
    """1,000 more of one moment come while the first is read: all are followed, none counts yet."""
    account = open_odd()
    account.server.history(1_000)
    moment = account.clock()
    account.server.end(account.server.create(1_000, at=moment)[:500])

    def arrive(_path: str, params: Params) -> None:
        if params.get("filter[status]") == "in-progress":
            account.server.answer = lambda _path, _params: None
            account.server.create(1_000, at=moment)

    account.server.answer = arrive
    await account.poll()
    await account.poll()
    assert account.counts == {"running": 1_500}
    account.server.end(account.server.items[1_500:])
    await account.poll()
    assert account.counts == {"completed": 1_500}


async def test_an_action_type_added_later_with_many_in_flight(open_odd: OpenOdd) -> None:
    """600 in progress of the new type are followed from then on, and count as they fail."""
    account = open_odd(AccountFilters(("disable",), ()))
    account.server.history(300, action_type="disable")
    account.server.history(1_000)
    account.clock.advance(100)
    running = account.server.follow_on(600, "in-progress")
    await account.poll()
    account.stop()
    account.start(AccountFilters(("disable", "enable"), ()))
    await account.poll()
    await account.poll()
    assert account.counts == {"running": 600}
    account.server.end(running, "failed")
    await account.poll()
    assert account.counts == {"failed": 600}


async def test_an_action_type_that_the_api_cannot_filter_on(open_odd: OpenOdd) -> None:
    """One filter answers 500 for ever: the audit does without it, and no poll fails."""
    account = open_odd(audit_interval=900.0)
    account.server.history(100)
    account.server.answer = lambda _path, params: (
        httpx.Response(500) if params.get("filter[action_type]") == "disable_voice" else None
    )
    assert [await account.poll() for _ in range(3)] == [20, 1, 1]
    account.server.create(1, "failed")
    await account.poll()
    assert account.counts == {"created": 1, "failed": 1}


async def test_scattered_departures_cost_little_more_than_one_request_each(
    open_odd: OpenOdd,
) -> None:
    """100 long runners spread over 3,000 actions fail at once: they take 110 requests."""
    account = open_odd(page_size=10)
    account.server.history(3_000, apart=1.0)
    running = account.server.items[50:2_750:27]
    account.server.end(running, "in-progress")
    await account.poll()
    assert account.counts == {"running": 100}
    account.server.end(running, "failed")
    assert await account.poll() == 110
    assert account.counts == {"failed": 100}


async def open_with_scattered_departures(open_odd: OpenOdd) -> Any:
    """Open an account where 100 actions have completed, each on a page of its own, and 5 failed."""
    account = open_odd(page_size=10, concurrency=1)
    await account.poll()
    running = []
    for _ in range(100):
        running += account.server.create()
        account.server.follow_on(12)
    await account.poll()
    account.server.end(running)
    account.server.create(5, "failed")
    return account


async def test_a_deadline_among_departures_keeps_what_the_head_found(open_odd: OpenOdd) -> None:
    """The five new failures are committed when the poll is cut off behind the head."""
    account = await open_with_scattered_departures(open_odd)
    await account.poll_until(request=20)
    account.stop()
    account.start(AccountFilters((), ()))
    await account.ledger.open(account.clock())
    assert account.counts == {
        "created": 1_305,
        "completed": 1_200,
        "failed": 5,
        "running": 100,
    }


async def test_polls_cut_off_each_time_get_through_in_the_end(open_odd: OpenOdd) -> None:
    """Each poll has time for 45 requests, and what it learnt the next need not ask again."""
    account = await open_with_scattered_departures(open_odd)
    left = []
    for _ in range(3):
        await account.poll_until(request=45)
        left.append(len(account.ledger.state.open))
    assert left == [65, 34, 0]
    assert account.counts == {"created": 1_305, "completed": 1_300, "failed": 5}
