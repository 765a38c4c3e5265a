"""Actions that the server does not give, or refuses, when they are asked for by id."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

OpenOdd = Callable[..., Any]
Params = dict[str, str]
LISTING = "/v2/sim_card_actions"


def refuse_ids(code: int) -> Callable[[str, Params], httpx.Response | None]:
    """Answer each request by id with an HTTP status, and leave the listings alone."""
    return lambda path, _params: None if path == LISTING else httpx.Response(code)


async def bury(account: Any) -> None:
    """Let 720 newer actions be polled, so that what was created before is far from page 1."""
    for _ in range(3):
        account.server.follow_on(240, apart=5.0)
        await account.poll()


async def test_a_passing_404_does_not_lose_the_end(open_odd: OpenOdd) -> None:
    """An id that is not found in one poll is known again in the next, and its end counts."""
    account = open_odd()
    account.server.history(600)
    await account.poll()
    action = account.server.create()
    await account.poll()
    await bury(account)
    account.server.answer = refuse_ids(404)
    assert await account.poll() == 2
    assert account.counts == {"created": 721, "completed": 720, "running": 1}
    account.server.answer = lambda _path, _params: None
    await account.poll()
    account.server.end(action, "failed")
    await account.poll()
    assert account.counts == {"created": 721, "completed": 720, "failed": 1}


async def test_a_passing_404_does_not_create_twice(open_odd: OpenOdd) -> None:
    """Three vanish from every answer for one poll; they are the same three when they are back."""
    account = open_odd()
    await account.poll()
    account.server.create(3)
    await account.poll()
    nothing = {"data": [], "meta": {"total_results": 0}}
    account.server.answer = lambda path, _params: (
        httpx.Response(200, json=nothing) if path == LISTING else httpx.Response(404)
    )
    await account.poll()
    account.server.answer = lambda _path, _params: None
    await account.poll()
    assert account.counts == {"created": 3, "running": 3}


@pytest.mark.parametrize(
    ("code", "requests"), [pytest.param(400, 2, id="400"), pytest.param(500, 5, id="500")]
)
async def test_one_refused_id_holds_up_no_other_action(
    open_odd: OpenOdd, code: int, requests: int
) -> None:
    """Polls go on and count what is new, while one id answers nothing but an error."""
    account = open_odd()
    account.server.history(600)
    await account.poll()
    (action,) = account.server.create()
    await account.poll()
    await bury(account)
    account.server.answer = lambda path, _params: (
        httpx.Response(code) if path == f"{LISTING}/{action['id']}" else None
    )
    account.server.end([action], "failed")
    costs = []
    for _ in range(4):
        account.server.create(1, "failed")
        costs.append(await account.poll())
    assert costs == [requests] * 4
    assert account.counts == {"created": 725, "completed": 720, "failed": 4, "running": 1}
