"""How many requests a situation costs at several lengths of history, beside what others ask.

Ours are counted at the simulated account at each length. The others' are computed from what
the account then lists, and at the shortest history each is also run, page by page, to see
that it takes as many.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import ceil

from benchmarks.account import Account, open_account
from benchmarks.figures import Figure, Report, Table
from benchmarks.rivals import PAGE, RIVALS
from exporter.domain import Status
from tests.support.simulation import QUIET

HISTORIES = (10_000, 1_000_000, 10_000_000)
OURS = "this exporter"

RUNNING = 1_000
NEW = 10_000
BULK = 10_000
TURNS = 10
OUTCOMES = [Status.COMPLETED] * 8 + [Status.FAILED, Status.INTERRUPTED]

AUDIT_DUE = 1e9
"""Seconds after which the account is audited again: more than any situation lasts."""

MEANING = f"""\
Requests that each takes to know the account as it is, `page[size]={PAGE}` for all but
json_exporter. Ours are counted, at every length of history. The others' are computed from the pages
that the lists then have, those of an hour or a bulk as sums; at 10,000 each was run once in every
situation, page by page, to the number computed for it. No request fails, so none is repeated. The
audit, every 15 minutes by default, is in the row that says so and in no other.

They do not know the same afterwards. The SDK and the script hold each action, but count anew
after a restart unless somebody writes that as well, and read pages that shift meanwhile.
json_exporter follows no pages: it has four totals, interrupted only as what the other three leave
of the fourth, and with them no counters, no reasons, no ages and no action types."""


@dataclass
class _Looks:
    """One account at which all look in turn; ``requests`` is what that took, by contender."""

    account: Account
    requests: Counter[str] = field(default_factory=Counter)

    async def look(self) -> None:
        """Let each look once."""
        self.requests[OURS] += await self.account.poll()
        for rival in RIVALS:
            self.requests[rival.name] += rival.requests(self.account.simulator.world)


@dataclass(frozen=True, slots=True)
class _Situation:
    """Something that happens, and ``most``, the requests that it may take us."""

    what: str
    most: int | None
    happen: Callable[[_Looks], Awaitable[None]]


async def _rest(looks: _Looks) -> None:
    await looks.account.poll()
    await looks.look()


async def _hour(looks: _Looks) -> None:
    await looks.account.poll()
    for minute in range(60):
        if minute % 15 == 0:
            looks.account.clock.advance(AUDIT_DUE)
        await looks.look()


async def _in_flight(looks: _Looks) -> None:
    looks.account.simulator.world.create(RUNNING)
    await looks.account.poll()
    await looks.look()


async def _new(looks: _Looks) -> None:
    world = looks.account.simulator.world
    world.create(RUNNING)
    await looks.account.poll()
    for number, action_id in enumerate(world.create(NEW)):
        world.finish(action_id, OUTCOMES[number % len(OUTCOMES)])
    await looks.look()


async def _first(looks: _Looks) -> None:
    looks.account.simulator.world.create(RUNNING)
    await looks.look()


async def _bulk(looks: _Looks) -> None:
    world = looks.account.simulator.world
    await looks.account.poll()
    ids = world.create(BULK, bulk=True)
    await looks.account.poll()
    for turn in range(TURNS):
        for number, action_id in enumerate(ids[turn::TURNS]):
            world.finish(action_id, OUTCOMES[number % len(OUTCOMES)])
        await looks.look()


LISTED = 1 + ceil(RUNNING / PAGE)
SITUATIONS = (
    _Situation("poll at rest", 1, _rest),
    _Situation("hour at rest: 60 polls, 4 with an audit", None, _hour),
    _Situation(f"poll, {RUNNING:,} in flight", LISTED, _in_flight),
    _Situation(f"poll, {RUNNING:,} in flight, {NEW:,} new", LISTED + ceil(NEW / PAGE) + 1, _new),
    _Situation(f"first poll, {RUNNING:,} in flight", 50 + ceil(RUNNING / PAGE), _first),
    _Situation(f"bulk of {BULK:,} ending over {TURNS} polls", BULK // 20, _bulk),
)


def measure() -> Report:
    """Count the requests of every situation at every length of history."""
    with ThreadPoolExecutor(1) as worker:
        taken = asyncio.run(_measure(worker))
    figures = {
        (situation.what, history): Figure(
            f"requests: {situation.what}, history of {history:,}",
            taken[situation.what, history][OURS],
            "",
            most=situation.most,
        )
        for situation in SITUATIONS
        for history in HISTORIES
    }
    return Report("Requests", MEANING, tuple(figures.values()), _table(figures, taken))


async def _measure(worker: ThreadPoolExecutor) -> dict[tuple[str, int], Counter[str]]:
    taken = {}
    for situation in SITUATIONS:
        for history in HISTORIES:
            looks = _Looks(open_account(replace(QUIET, history=history), worker))
            await situation.happen(looks)
            taken[situation.what, history] = looks.requests
            if history == min(HISTORIES):
                for rival in RIVALS:
                    await rival.verify(looks.account.simulator)
    return taken


def _table(
    figures: Mapping[tuple[str, int], Figure], taken: Mapping[tuple[str, int], Mapping[str, int]]
) -> Table:
    rows = []
    for situation in SITUATIONS:
        ours = [figures[situation.what, history] for history in HISTORIES]
        counts = [f"{each.value:,.0f}{'' if each.kept else ' **missed**'}" for each in ours]
        most = "" if situation.most is None else f"{situation.most:,}"
        rows.append((f"**{situation.what}**: {OURS}", *counts, most))
        for rival in RIVALS:
            counts = [f"{taken[situation.what, history][rival.name]:,}" for history in HISTORIES]
            rows.append((rival.name, *counts, ""))
    return Table(
        ("requests, at a history of", *(f"{each:,}" for each in HISTORIES), "at most"), rows
    )
