"""An exporter's core against a server that is odd where a test says so.

The server plays the API from a plain list, where the simulator plays a well-behaved account.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.self_metrics import SelfMetrics
from exporter.simulator.settings import ListOrder
from exporter.sync.cycle import Cycle
from exporter.sync.filters import AccountFilters
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.support.simulation import ManualClock

Item = dict[str, Any]
Params = dict[str, str]
LISTING = "/v2/sim_card_actions"
USUAL: dict[str, Any] = {"audit_interval": 1e9, "page_size": 250, "concurrency": 4}
ALL = AccountFilters((), ())
REASONS = Reasons.with_configured(())
PAST_END = [None, 400, 404, 422]
"""How pages past the end of a list may be answered; see `Server`."""


def stamp(seconds: float) -> str:
    """Write a time since the epoch as the API does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def as_ever(_path: str, _params: Params) -> None:
    """Leave the answer to the server."""


class Server(httpx.AsyncBaseTransport):
    """The API, as a transport: ``items`` in the order in which they were created.

    ``order`` is how they are listed, unless ``sorting`` says by what; ``largest_page`` is what a
    page holds at most, told in the meta if ``tells_size``. ``total`` makes the total that is told
    from the true one, None for no total. ``past_end`` is the HTTP status of pages past the end,
    None for an empty page. ``answer`` is given the path and the parameters of each request, and
    may answer in the server's place. ``dated`` answers tell the time of the server.
    """

    def __init__(self, clock: ManualClock) -> None:
        """Hold no action yet, and be well-behaved."""
        self.items: list[Item] = []
        self.order = ListOrder.NEWEST
        self.sorting: Callable[[Item], float] | None = None
        self.largest_page = 250
        self.tells_size = True
        self.total: Callable[[int], int | None] = lambda count: count
        self.past_end: int | None = None
        self.dated = False
        self.answer: Callable[[str, Params], httpx.Response | None] = as_ever
        self.requests: list[tuple[str, Params]] = []
        self._clock = clock
        self._created = 0

    def create(
        self,
        count: int = 1,
        status: str = "in-progress",
        *,
        action_type: str = "enable",
        at: float | None = None,
        apart: float = 0.0,
    ) -> list[Item]:
        """Create actions, the first at ``at`` (now), the others ``apart`` seconds later each."""
        start = self._clock() if at is None else at
        first = stamp(start)
        made: list[Item] = [
            {
                "id": f"id-{self._created + number:08d}",
                "sim_card_id": "sim",
                "action_type": action_type,
                "status": {"value": status, "reason": "x"},
                "created_at": then,
                "updated_at": then,
            }
            for number in range(count)
            for then in [stamp(start + number * apart) if apart else first]
        ]
        self._created += count
        self.items += made
        return made

    def history(
        self,
        count: int,
        status: str = "completed",
        *,
        action_type: str = "enable",
        apart: float = 10.0,
    ) -> list[Item]:
        """Create actions that ended before now, the last 100 seconds ago."""
        start = self._clock() - 100 - count * apart
        return self.create(count, status, action_type=action_type, at=start, apart=apart)

    def follow_on(self, count: int, status: str = "completed", apart: float = 1.0) -> list[Item]:
        """Create actions one after the other while time goes on."""
        made = self.create(count, status, at=self._clock() + apart, apart=apart)
        self._clock.advance(count * apart)
        return made

    def end(self, items: Sequence[Item], status: str = "completed") -> None:
        """Let actions come to a status now."""
        for item in items:
            item["status"] = {"value": status, "reason": "boom"}
            item["updated_at"] = stamp(self._clock())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path, params = request.url.path, dict(request.url.params)
        self.requests.append((path, params))
        response = self.answer(path, params) or self.well(path, params)
        if self.dated:
            response.headers["date"] = formatdate(self._clock(), usegmt=True)
        return response

    def well(self, path: str, params: Params) -> httpx.Response:
        """Answer as the server does where no test has it do otherwise."""
        if path != LISTING:
            wanted = path.removeprefix(f"{LISTING}/")
            named = [item for item in self.items if item["id"] == wanted]
            return httpx.Response(200, json={"data": named[0]}) if named else httpx.Response(404)
        listed = self._sorted(_passing(self.items, params))
        size = min(int(params["page[size]"]), self.largest_page)
        number = int(params["page[number]"])
        page = listed[(number - 1) * size : number * size]
        if self.past_end is not None and number > 1 and not page:
            return httpx.Response(self.past_end, json={"errors": []})
        meta = {"page_number": number} | ({"page_size": size} if self.tells_size else {})
        total = self.total(len(listed))
        if total is not None:
            meta |= {"total_results": total, "total_pages": -(-total // size)}
        # The client reads the same from it, in a fraction of the time that httpx takes to write it.
        return httpx.Response(200, content=msgspec.json.encode({"data": page, "meta": meta}))

    def _sorted(self, items: list[Item]) -> list[Item]:
        if self.order is ListOrder.NONE:
            return sorted(items, key=lambda item: _by_chance(item["id"]))
        listed = items if self.order is ListOrder.OLDEST else items[::-1]
        if self.order is ListOrder.UPDATED:
            # Of those that changed at once, the one that was created last stands first.
            return sorted(listed, key=itemgetter("updated_at"), reverse=True)
        return listed if self.sorting is None else sorted(listed, key=self.sorting)


@cache
def _by_chance(action_id: str) -> int:
    return zlib.crc32(action_id.encode())


def _passing(items: list[Item], params: Params) -> list[Item]:
    status, kind = params.get("filter[status]"), params.get("filter[action_type]")
    if status is not None:
        items = [item for item in items if item["status"]["value"] == status]
    if kind is not None:
        items = [item for item in items if item["action_type"] == kind]
    return items


class ServerTime:
    """The exporter's clock: the server's and ``ahead`` of it; waiting takes no time."""

    def __init__(self, clock: ManualClock, ahead: float = 0.0) -> None:
        """Follow a clock."""
        self.now: Callable[[], float] = lambda: clock() + self.ahead
        self.monotonic, self._clock, self.ahead = clock, clock, ahead

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.advance(seconds)


class Account:
    """One account of the odd server, and the exporter's core that polls it."""

    def __init__(self, url: str, filters: AccountFilters, build: Callable[..., Cycle]) -> None:
        """Keep the state at ``url``; ``build`` makes a cycle of a client and a ledger."""
        self.clock = ManualClock()
        self.server = Server(self.clock)
        self.shortfall, self.abandoned_sweeps = 0, tuple[str, ...]()
        self._url, self._build = url, build
        self.start(filters)

    def start(self, filters: AccountFilters) -> None:
        """Begin as a new process does, with nothing in memory, asking for ``filters``."""
        self._worker = ThreadPoolExecutor(1)
        self._store = SqliteStore(Database(self._url))
        self.time = time = ServerTime(self.clock)
        client = Client(
            base_url="http://telnyx.test/v2",
            key=lambda: "KEY",
            http=open_http(timeout=10, concurrency=4, transport=self.server),
            limits=ClientLimits(timeout=10, rate=1e6, concurrency=4),
            observer=SelfMetrics("odd"),
            clock=time,
        )
        options = SnapshotOptions(
            filters.action_types, filters.statuses, {}, 900.0, REASONS.classes
        )
        self.ledger = Ledger(
            name="odd",
            store=self._store,
            worker=self._worker,
            reasons=REASONS,
            options=options,
            sinks=("log",),
        )
        self._cycle = self._build(client=client, ledger=self.ledger, clock=time, filters=filters)

    def stop(self) -> None:
        """Close the state; `start` may follow."""
        self._worker.submit(self._store.close).result()
        self._worker.shutdown()

    async def poll(self, after: float = 60.0) -> int:
        """Poll once, ``after`` so many seconds; returns how many requests that took."""
        self.clock.advance(after)
        self.server.requests.clear()
        result = await self._cycle.run()
        self.shortfall, self.abandoned_sweeps = result.shortfall, result.abandoned_sweeps
        return len(self.server.requests)

    async def poll_until(self, request: int) -> None:
        """Poll until the deadline strikes, which is while ``request`` is on its way."""
        polling = asyncio.ensure_future(self.poll())

        def strike(_path: str, _params: Params) -> None:
            if len(self.server.requests) == request:
                polling.cancel()

        self.server.answer = strike
        await asyncio.wait({polling})
        self.server.answer = as_ever
        if not polling.cancelled():
            polling.result()

    async def forget(self) -> None:
        """Let 40 days pass, then forget the ended actions that retention no longer covers."""
        await self.poll(after=40 * 86_400)
        await self.ledger.forget(self.clock() - 30 * 86_400)

    @property
    def counts(self) -> dict[str, int]:
        """What is published: the counters, and how many are in progress; zeros are left out."""
        snapshot = self.ledger.snapshot
        counted = {
            "created": sum(snapshot.created.values()),
            "completed": sum(snapshot.completed.values()),
            "failed": sum(snapshot.failed.values()),
            "interrupted": sum(snapshot.interrupted.values()),
            "running": sum(
                n for (_, status), n in snapshot.actions.items() if status == "in-progress"
            ),
        }
        return {name: count for name, count in counted.items() if count}


@pytest.fixture
def open_odd(tmp_path: Path) -> Iterator[Callable[..., Account]]:
    """Open accounts of odd servers, each with a state; ``settings`` are the cycle's."""
    opened: list[Account] = []

    def open_one(filters: AccountFilters = ALL, **settings: float) -> Account:
        build = partial(Cycle, **(USUAL | settings))
        opened.append(Account(f"sqlite:///{tmp_path}/odd-{len(opened)}.db", filters, build))
        return opened[-1]

    yield open_one
    for account in opened:
        account.stop()
