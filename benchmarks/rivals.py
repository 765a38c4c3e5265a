"""What people run in the exporter's place, each asking a simulated account as it would Telnyx.

Each is there twice: as the real loop over real pages, and as the number of requests that it
takes. `verify` holds the one against the other. It must not know the exporter.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import httpx
from telnyx import AsyncTelnyx

from exporter.domain import Status
from exporter.simulator.actions import ActionFilter
from exporter.simulator.simulator import Simulator
from exporter.simulator.world import World
from tests.support.simulation import InProcessTransport

BASE_URL = "http://telnyx.test/v2"
PAGE = 250
"""Actions on a page, the most that the API gives. The SDK asks for 20 unless told."""

FILTERS = (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED, None)
"""What has to be listed to learn all four statuses: interrupted is in the whole list only."""

Get = Callable[[Mapping[str, str]], Awaitable[Any]]
"""Sends one request with these parameters; returns the JSON of the answer."""


class RivalError(Exception):
    """A rival took another number of requests than computed."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to look at an account once."""

    name: str
    requests: Callable[[World], int]
    look: Callable[[str, httpx.AsyncClient], Awaitable[object]]

    async def verify(self, simulator: Simulator) -> None:
        """Let it look for real; raises RivalError unless that takes what `requests` says."""
        served = simulator.served
        async with httpx.AsyncClient(transport=InProcessTransport(simulator)) as http:
            await self.look(simulator.key, http)
        taken, computed = simulator.served - served, self.requests(simulator.world)
        if taken != computed:
            raise RivalError(f"{self.name}: {taken} requests, not {computed} as computed")


async def _sdk(key: str, http: httpx.AsyncClient) -> int:
    client = AsyncTelnyx(api_key=key, base_url=BASE_URL, max_retries=0, http_client=http)
    return len([each async for each in client.sim_cards.actions.list(page_size=PAGE)])


async def _script(key: str, http: httpx.AsyncClient) -> dict[Status | None, int]:
    get = _getter(key, http)
    return {status: len(await _listed(get, _filter(status))) for status in FILTERS}


async def _json_exporter(key: str, http: httpx.AsyncClient) -> dict[Status | None, int]:
    get = _getter(key, http)
    answers = {each: await get({**_filter(each), "page[size]": "1"}) for each in FILTERS}
    return {each: answer["meta"]["total_results"] for each, answer in answers.items()}


RIVALS = (
    Rival("SDK, listing everything", lambda world: _pages(world, None), _sdk),
    Rival(
        "script, listing each status",
        lambda world: sum(_pages(world, each) for each in FILTERS),
        _script,
    ),
    Rival("json_exporter, totals only", lambda _: len(FILTERS), _json_exporter),
)


def _pages(world: World, status: Status | None) -> int:
    """Return how many requests it takes to list a status whole, None for all of them."""
    return max(1, ceil(world.total(ActionFilter(status=status)) / PAGE))


def _filter(status: Status | None) -> dict[str, str]:
    return {} if status is None else {"filter[status]": status.value}


def _getter(key: str, http: httpx.AsyncClient) -> Get:
    async def get(params: Mapping[str, str]) -> Any:
        answer = await http.get(
            f"{BASE_URL}/sim_card_actions",
            params=dict(params),
            headers={"authorization": f"Bearer {key}"},
        )
        return answer.raise_for_status().json()

    return get


async def _listed(get: Get, wanted: Mapping[str, str]) -> list[Any]:
    found: list[Any] = []
    number = pages = 1
    while number <= pages:
        answer = await get({**wanted, "page[number]": str(number), "page[size]": str(PAGE)})
        found += answer["data"]
        pages = answer["meta"]["total_pages"]
        number += 1
    return found
