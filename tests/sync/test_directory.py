"""Lookups of SIM cards: what they cost, what they bring, and what stops them."""

import asyncio
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import SimCard
from exporter.errors import (
    AuthError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.sync.directory import LookUpProgress, LookUpResult, look_up, plan_lookup
from exporter.sync.request_plan import RequestPlan
from exporter.telnyx.client import Client, ClientLimits
from tests.support.simulation import AdvancingClock, ManualClock
from tests.sync.conftest import Nobody

NOW = 1_700_000_000.0

Answer = Callable[[httpx.Request], httpx.Response | Exception | None]


@dataclass
class Server:
    """An API that has ``cards`` SIM cards, named c0, c1 and so on, but for the ``deleted`` ones.

    It serves at most ``page_size`` a page. ``odd`` may answer a request in another way.
    """

    cards: int
    deleted: frozenset[int] = frozenset()
    page_size: int = 250
    tells_size: bool = True
    tells_total: bool = True
    total: int | None = None
    """The total that it tells, if not the true one."""
    odd: Answer = lambda _: None
    takes: float = 0.0
    """Seconds that an answer takes."""
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    asked: list[str] = field(default_factory=list)
    """What was asked for: the number of a page, or an id."""

    @property
    def listed(self) -> list[str]:
        """The ids of the list, in its order."""
        return [f"c{n}" for n in range(self.cards) if n not in self.deleted]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        *_, name = request.url.path.split("/")
        query = request.url.params
        self.asked.append(query["page[number]"] if name == "sim_cards" else name)
        assert query["include_sim_card_group"] == "true"
        self.clock.advance(self.takes)
        if (answer := self.odd(request)) is not None:
            if isinstance(answer, Exception):
                raise answer
            return answer
        if name != "sim_cards":
            if name not in self.listed:
                return httpx.Response(404, json={"errors": [{"code": "10005", "title": "No"}]})
            return httpx.Response(200, json={"data": self.card(name)})
        size = min(int(query["page[size]"]), self.page_size)
        first = (int(query["page[number]"]) - 1) * size
        meta: dict[str, int] = {}
        if self.tells_size:
            meta["page_size"] = size
        if self.tells_total:
            meta["total_results"] = len(self.listed) if self.total is None else self.total
        items = [self.card(each) for each in self.listed[first : first + size]]
        return httpx.Response(200, json={"data": items, "meta": meta})

    @staticmethod
    def card(name: str) -> dict[str, object]:
        """Return a SIM card as the API sends it."""
        return {"id": name, "iccid": f"8999{name[1:]}", "imsi": "081932214823362973"}

    async def look_up(self, ids: Sequence[str], budget: int = 20, **options: Any) -> LookUpResult:
        """Look up ``ids`` with a real client of this server, or of a ``transport``."""
        transport = options.pop("transport", None) or httpx.MockTransport(self)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
            clock = AdvancingClock(self.clock)
            client = Client(
                base_url="https://api.telnyx.test/v2",
                key=lambda: "KEY",
                http=http,
                limits=ClientLimits(timeout=10.0, rate=1e6, concurrency=4),
                observer=Nobody(),
                clock=clock,
            )
            given = {"total": None, "concurrency": 4, "clock": clock, "seconds": 1e9} | options
            return await look_up(client, ids, budget=budget, **given)


def _named(number: int) -> SimCard:
    return SimCard(f"c{number}", iccid=f"8999{number}", looked_up_at=NOW)


def _deleted(number: int) -> SimCard:
    return SimCard(f"c{number}", deleted=True, looked_up_at=NOW)


def _ids(*numbers: int) -> list[str]:
    return [f"c{number}" for number in numbers]


@pytest.mark.parametrize(
    ("ids", "budget", "total"),
    [([], 20, None), (_ids(1, 2), 0, None), (["", "a\n", "x" * 201], 20, 5)],
)
async def test_nothing_to_ask_costs_nothing(ids: list[str], budget: int, total: int | None) -> None:
    """Without ids, valid ones, or a budget no request is sent."""
    server = Server(9)
    result = await server.look_up(ids, budget, total=total)
    assert (result, server.asked) == (LookUpResult(total=total), [])


@pytest.mark.parametrize(
    ("ids", "cards", "total", "asked"),
    [
        pytest.param(_ids(7), 9, None, ["c7"], id="one-by-id"),
        pytest.param(_ids(7), 9, 9, ["c7"], id="one-of-few-by-id"),
        pytest.param(_ids(7, 7), 9, 9, ["c7"], id="one-given-twice"),
        pytest.param(_ids(7, 8), 9, 9, ["1"], id="two-by-the-only-page"),
        pytest.param(_ids(7, 8), 9, None, ["1"], id="two-by-the-first-page"),
        pytest.param(_ids(7, 8, 9), 600, 600, _ids(7, 8, 9), id="as-many-as-pages"),
        pytest.param(_ids(*range(599, 580, -1)), 600, 600, ["1", "2", "3"], id="pages"),
        pytest.param(_ids(*range(20)), 5000, 5000, _ids(*range(20)), id="many-pages"),
        pytest.param(_ids(1, 2, 800), 1000, None, ["1", "c800"], id="pages-or-ids-after-the-first"),
        pytest.param(_ids(0, *range(590, 599)), 600, None, ["1", "2", "3"], id="unknown-total"),
    ],
)
async def test_the_cheaper_way_is_taken(
    ids: list[str], cards: int, total: int | None, asked: list[str]
) -> None:
    """By id or by page, every SIM card is named with as few requests as either takes."""
    server = Server(cards)
    result = await server.look_up(ids, total=total, concurrency=1)
    assert server.asked == asked
    assert {each.id: each for each in result.cards} == {each: _named(int(each[1:])) for each in ids}
    assert (result.requests, result.error) == (len(asked), None)


async def test_no_other_card_of_a_page_is_returned() -> None:
    """Pages show healthy SIM cards as well: they are left out."""
    result = await Server(200).look_up(_ids(3, 4))
    assert result.cards == (_named(3), _named(4))
    assert result.total == 200


async def test_a_deleted_card_is_told_by_its_id() -> None:
    """What the API does not know is deleted."""
    result = await Server(9, deleted=frozenset({3})).look_up(_ids(3))
    assert result.cards == (_deleted(3),)
    assert result.error is None


async def test_what_no_page_shows_is_asked_by_id_next() -> None:
    """Where the bound is used up by the page, the ids that it did not show have the next turn."""
    server = Server(9, deleted=frozenset({3, 4, 5}))
    first = await server.look_up(_ids(3, 4, 5, 6))
    assert (first.cards, first.unlisted) == ((_named(6),), frozenset(_ids(3, 4, 5)))
    second = await server.look_up(_ids(3, 4, 5), total=first.total, unlisted=first.unlisted)
    assert second.cards == (_deleted(3),)
    assert second.unlisted == frozenset(_ids(4, 5))
    assert server.asked == ["1", "c3"]


async def test_fewer_requests_than_pages_read_some_of_them() -> None:
    """With thousands to name and few requests, pages are worth more than ids."""
    server = Server(10_000)
    result = await server.look_up(_ids(*range(10_000)), 10, total=10_000)
    assert result.requests == 10
    assert len(result.cards) in {9 * 250, 9 * 250 + 1}


@pytest.mark.parametrize("tells_size", [True, False])
async def test_smaller_pages_are_noticed(*, tells_size: bool) -> None:
    """A server that serves fewer a page than asked for costs no more than the bound."""
    server = Server(1000, page_size=50, tells_size=tells_size)
    result = await server.look_up(_ids(0, 60, 110, 960), total=None)
    assert result.requests == len(server.asked) == 4
    assert server.asked == ["1", "c60", "c110", "c960"]


def _response(status: int, content: bytes = b"{}", **headers: str) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (_response(401), AuthError),
        (_response(403), AuthError),
        (_response(429), RateLimitedError),
        (_response(500), UnavailableError),
        (httpx.ConnectError("refused"), UnavailableError),
        (httpx.ReadTimeout("late"), UnavailableError),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("page", [True, False])
async def test_an_error_stops_the_lookup(
    *, failure: httpx.Response | Exception, kind: type[PollError], page: bool
) -> None:
    """What would meet the next request, too, ends it: what was read is returned, not raised."""
    hits = {"2"} if page else {"c701", "c702"}
    ids = _ids(0, *range(700, 720)) if page else _ids(700, 701, 702, 703)
    server = Server(
        750 if page else 5000,
        odd=lambda _: failure if server.asked[-1] in hits else None,
    )
    result = await server.look_up(ids, total=len(server.listed), concurrency=1)
    assert type(result.error) is kind
    assert [each.id for each in result.cards] == ids[:1]
    # By id, an error that may concern one SIM card is believed when it comes again.
    twice = not page and kind is UnavailableError
    assert (result.requests, server.asked[-1] in hits) == (3 if twice else 2, True)


async def test_answers_that_were_under_way_count() -> None:
    """Beside one that fails, the others of the same moment are read."""
    server = Server(5000, odd=lambda _: _response(401) if server.asked[-1] == "c1" else None)
    result = await server.look_up(_ids(0, 1, 2, 3, 4), total=5000)
    assert [each.id for each in result.cards] == _ids(0, 2, 3)
    assert result.requests == 4


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_response(200, b'{"data":{"id":"c9"}}'), id="another-card"),
        pytest.param(_response(200, b'{"data":{}}'), id="no-card"),
        pytest.param(_response(200, b'{"data":{"id":"c1"'), id="truncated"),
        pytest.param(_response(400), id="400"),
        pytest.param(_response(422), id="422"),
        pytest.param(_response(500), id="500"),
        pytest.param(_response(503), id="503"),
        pytest.param(httpx.ReadTimeout("late"), id="late"),
    ],
)
async def test_an_answer_that_is_an_error_concerns_its_card(
    answer: httpx.Response | Exception,
) -> None:
    """It names nothing, not even the SIM card that it has, and the others are looked up."""
    server = Server(5000, odd=lambda _: answer if server.asked[-1] == "c1" else None)
    result = await server.look_up(_ids(1, 2, 3), total=5000, concurrency=1)
    assert result.cards == (_named(2), _named(3))
    assert (result.error, list(result.failed)) == (None, ["c1"])


async def test_two_unusable_answers_in_a_row_stop_it() -> None:
    """Then it is the API, and not one SIM card."""
    server = Server(5000, odd=lambda _: _response(200, b'{"data":[]}'))
    result = await server.look_up(_ids(1, 2, 3), total=5000, concurrency=1)
    assert (result.cards, result.requests) == ((), 2)
    assert isinstance(result.error, InvalidResponseError)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_page_that_is_refused_is_made_up_for_by_ids(status: int) -> None:
    """A list that ends early leaves the rest of the requests to ids."""
    server = Server(1000, odd=lambda _: _response(status) if server.asked[-1] == "2" else None)
    result = await server.look_up(_ids(0, *range(700, 720)), total=1000, concurrency=1)
    assert server.asked == ["1", "2", "c700", "c701"]
    assert result.cards == (_named(0), _named(700), _named(701))
    assert isinstance(result.error, BadRequestError)


async def test_an_api_without_sim_cards_deletes_none() -> None:
    """Where the list itself is not found, 404 says nothing of a SIM card."""
    server = Server(9, odd=lambda _: _response(404))
    result = await server.look_up(_ids(1, 2, 3))
    assert (result.cards, server.asked) == ((), ["1"])
    assert isinstance(result.error, NotFoundError)


@pytest.mark.parametrize(
    "body",
    [b"", b"404 page not found", b"{}", b'{"error":"Not Found"}', b'{"errors":[{}]}', b"[]"],
)
async def test_a_404_of_no_telnyx_deletes_nothing(body: bytes) -> None:
    """As long as no SIM card was ever read, a web server's own 404 is an error for all of them."""
    server = Server(9, odd=lambda _: _response(404, body))
    result = await server.look_up(_ids(1))
    assert (result.cards, server.asked) == ((), ["c1"])
    assert "the API has no /sim_cards; check base_url" in str(result.error)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b'{"errors":[{"code":"10005","title":"Resource not found"}]}', {}),
        (b"", {"any_known": True}),
        (b"", {"total": 9}),
    ],
    ids=["documented", "known", "listed"],
)
async def test_a_404_where_sim_cards_exist_is_a_deleted_one(
    body: bytes, options: dict[str, Any]
) -> None:
    """So is one of Telnyx's own form."""
    server = Server(9, odd=lambda _: _response(404, body))
    result = await server.look_up(_ids(1), **options)
    assert (result.cards, result.error) == ((_deleted(1),), None)


async def test_a_404_after_a_page_is_a_deleted_sim_card() -> None:
    """The page shows that the API has SIM cards."""
    server = Server(
        600, frozenset({1}), odd=lambda _: _response(404) if server.asked[-1] == "c1" else None
    )
    result = await server.look_up(_ids(0, 1))
    assert result.cards == (_named(0), _deleted(1))


@pytest.mark.parametrize("budget", [1, 2, 5])
async def test_a_list_without_totals_is_left_alone_after_its_first_page(budget: int) -> None:
    """Nobody knows then how many pages there are: what is left is asked by id."""
    server = Server(5000, tells_total=False)
    result = await server.look_up(_ids(0, 700, 701, 702), budget)
    pages = ["1"] if budget > 1 else []
    assert server.asked[: len(pages)] == pages
    assert result.requests == len(server.asked) == min(4, budget)


@pytest.mark.parametrize(("concurrency", "sent"), [(1, 3), (2, 6)])
async def test_a_slow_server_is_left_in_time(concurrency: int, sent: int) -> None:
    """After its seconds a lookup returns what was found until then, and the error."""
    server = Server(5000, takes=4.0 / concurrency)
    result = await server.look_up(
        _ids(*range(10)), total=5000, concurrency=concurrency, seconds=8.1
    )
    assert (result.requests, len(server.asked)) == (sent, sent)
    assert {each.id for each in result.cards} == set(_ids(*range(sent)))
    assert isinstance(result.error, UnavailableError)
    assert "longer than 8.1 s" in str(result.error)


async def test_a_lookup_that_ends_in_time_is_no_error() -> None:
    """Nor is one that took all of it and has nothing left to ask."""
    server = Server(5000, takes=4.0)
    result = await server.look_up(_ids(1, 2), total=5000, concurrency=1, seconds=8.0)
    assert (len(result.cards), result.error) == (2, None)


@pytest.mark.parametrize("ids", [_ids(1), _ids(1, 2)])
async def test_a_server_that_never_answers_is_left_in_time(ids: list[str]) -> None:
    """The time of a lookup bounds each of its requests, by id or by page."""

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            never: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
            return await never

    result = await Server(9).look_up(ids, seconds=0.01, transport=Silent())
    assert (result.cards, result.requests) == ((), 1)
    assert isinstance(result.error, UnavailableError)
    assert "longer than 0.01 s" in str(result.error)


@pytest.mark.parametrize("known", [None, 10**9, 2**40, 2**80])
@pytest.mark.parametrize(("total", "page_size"), [(10**9, 1), (2**40, 250), (2**40, 1), (2**80, 1)])
async def test_a_wild_total_costs_no_memory(total: int, page_size: int, known: int | None) -> None:
    """No total, stored or sent, makes a lookup list all pages; ids are asked for as usual."""
    server = Server(30, total=total, page_size=page_size)
    tracemalloc.start()
    try:
        result = await server.look_up(_ids(*range(1, 31)), total=known)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
    assert result.requests <= 20
    assert result.total in {None, 10**9}
    assert result.cards


def test_the_plan_samples_pages_without_listing_them() -> None:
    """Of a billion pages it takes as many as it may read, none of them twice."""
    wanted = tuple(f"c{number}" for number in range(10))
    read = frozenset(range(1, 1000))
    progress = LookUpProgress(wanted, frozenset(), 10**9, 1, read, 5)
    assert progress.unread == 10**9 - 999
    sample = progress.sample_unread(5, NOW)
    assert len(set(sample) - read) == len(sample) == 5
    assert LookUpProgress(wanted, frozenset(), 3, 1, frozenset({2, 9}), 5).unread == 2


def test_the_plan_tells_all_that_is_left_to_ask() -> None:
    """Which pages, or which ids, follows from what is known alone."""
    known = LookUpProgress(("a", "b", "c"), frozenset(), 600, 250, frozenset({1}), 2)
    assert plan_lookup(known, NOW) == RequestPlan((2, 3), ())
    assert plan_lookup(known, NOW, by_id=True) == RequestPlan((), ("a", "b"))
    unlisted = LookUpProgress(("a", "b", "c"), frozenset("bc"), 600, 250, frozenset(), 3)
    assert plan_lookup(unlisted, NOW) == RequestPlan((), ("a", "b", "c"))


@settings(deadline=None, max_examples=settings().max_examples // 5)
@given(st.data())
def test_the_bound_holds_and_every_id_is_answered_in_the_end(data: st.DataObject) -> None:
    """Whatever the account and the server are like, repeated calls name each SIM card at last."""
    cards = data.draw(st.integers(0, 40) | st.integers(200, 1500))
    server = Server(
        cards,
        deleted=frozenset(data.draw(st.sets(st.integers(0, max(0, cards - 1)), max_size=40))),
        page_size=data.draw(st.sampled_from([250, 250, 100, 7, 1])),
        tells_size=data.draw(st.booleans()),
        tells_total=data.draw(st.booleans()),
    )
    numbers = data.draw(st.lists(st.integers(0, cards + 5), max_size=60))
    left = _ids(*numbers) + data.draw(st.sampled_from([[], ["", "bad\n"]]))
    if data.draw(st.booleans()):
        left = _ids(*range(cards + 3))[-300:]
    budget = data.draw(st.integers(1, 30))
    concurrency = data.draw(st.integers(1, 8))
    total = data.draw(st.none() | st.integers(0, 2000))
    unlisted: frozenset[str] = frozenset()
    wanted = {each for each in left if each.isprintable() and each}
    answered: dict[str, SimCard] = {}
    while set(left) & wanted:
        server.asked.clear()
        result = asyncio.run(
            server.look_up(left, budget, total=total, concurrency=concurrency, unlisted=unlisted)
        )
        bounds = [len(set(left) & wanted), budget]
        if total is not None or result.total is not None:
            totals = (total, result.total)
            bounds.append(max(1, *(ceil((each or 0) / 250) for each in totals)))
        assert 0 < result.requests == len(server.asked) <= min(bounds)
        assert result.error is None
        assert {each.id for each in result.cards} <= set(left)
        answered |= {each.id: each for each in result.cards}
        left = [each for each in left if each not in answered]
        assert result.cards or result.unlisted, "what pages do not bring is asked by id next"
        total, unlisted = result.total, result.unlisted
    assert answered == {
        each: (_named if each in server.listed else _deleted)(int(each[1:])) for each in wanted
    }
