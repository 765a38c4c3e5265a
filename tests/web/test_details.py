"""The pages and the API over the ledger, as a browser and a program ask for them."""

import asyncio
import csv
import gzip
import io
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, cast
from urllib.parse import urljoin

import httpx
import pytest

from exporter.domain import ProblemStatus, SimCard, Status
from exporter.errors import Cause, QueryTimeoutError, StateError
from exporter.ledger.problems import ProblemStep
from exporter.ledger.queries import (
    AccountAction,
    FailureQuery,
    LedgerView,
    Rows,
    SimCardHistory,
    encode_position,
)
from exporter.ledger.snapshot import EndedAction
from exporter.metrics.self_metrics import SelfMetrics
from exporter.web.detail_routes import LedgerSource
from tests.views import a_problem

NOW = 1_785_585_605.0

HOSTILE = "<script>alert('x')</script>"
CARD = SimCard("sim/1 <b>", "8988", "group-1", HOSTILE, ("=cmd", 'a "b", c'))


AN_ACTION = AccountAction(
    account="default",
    action_id="action-9",
    sim_card_id="sim-9",
    action_type="enable",
    status="failed",
    reason="",
    reason_class="none",
    created_at=NOW - 20,
    updated_at=NOW - 10,
    started_at=NOW - 20,
    seen_end=NOW - 5,
    stuck=False,
)


class _Text(HTMLParser):
    """The words of a page, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag in {"td", "th", "p", "li", "span"}:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def broken(view: Callable[..., Any]) -> Any:
    """Give the view of an account with three problems, one of a card of hostile names."""
    return view(
        problems=(
            a_problem(CARD.id, reason=HOSTILE, reason_class="other", retrying=True),
            a_problem(
                status=ProblemStatus.STUCK,
                reason="",
                reason_class="",
                attempts=0,
                opened_at=NOW - 3000,
            ),
            a_problem("sim-3", concern="voice", opened_at=NOW - 60, attempts=1),
        ),
        sim_cards={CARD.id: CARD},
    )


@pytest.fixture
async def ask(
    operator: Any, snapshot: Callable[..., Any], broken: Any, up: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the app of that account."""
    operator.snapshot = snapshot((broken, up))
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_status_page_begins_with_what_is_wrong(ask: httpx.AsyncClient) -> None:
    """How many problems and since when, then each with names, reason, since and attempts."""
    text = _Text((await ask.get("/")).text).text
    assert "What is wrong 3 SIM card problems, the oldest open for 1 h" in text
    for words in (
        "1 h ago 2026-08-01 11:00:05 UTC 2 failed attempts retrying connectivity",
        f"enable failed other {HOSTILE}",
        f'ICCID 8988 Group {HOSTILE} Tags =cmd a "b", c SIM {CARD.id} Action action-of-',
        "50 min ago 2026-08-01 11:10:05 UTC connectivity enable stuck SIM sim-2",
        "1 min ago 2026-08-01 11:59:05 UTC 1 failed attempt voice",
    ):
        assert words in text, words


async def test_accounts_with_trouble_come_first(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any, broken: Any
) -> None:
    """Those that are down, then those with problems, then the others as configured."""
    down = SelfMetrics("down")
    down.poll_failed(NOW - 5, 0.5, Cause.UNAVAILABLE, "no answer")
    operator.snapshot = snapshot(
        (view("fine-1"), up),
        (view("fine-2"), up),
        (replace(broken, name="broken"), up),
        (view("down"), down),
    )
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        html = (await client.get("/")).text
    text = _Text(html).text
    assert (
        "What is wrong 1 account down, overdue or not polled: down 3 SIM card problems in 1 account"
        in text
    )
    order = [text.index(f" {name} ") for name in ("down ✕", "broken !", "fine-1 ✓", "fine-2 ✓")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("acount=two", "acount: unknown parameter; did you mean account?"),
        ("account=<b>", "account: unknown value '<b>'; use one of default, one, two"),
        ("state=Down", "state: unknown value 'Down'; did you mean down?"),
        ("refresh=5", "refresh: unknown value '5'; use one of on"),
        ("name=a&name=b", "name: is given more than once; give it once"),
        ("account=one&name=o", "name: does not go with account"),
        ("account=one&state=down", "state: does not go with account"),
    ],
)
async def test_a_wrong_parameter_of_the_status_page_is_named(
    ask: httpx.AsyncClient, query: str, sentence: str
) -> None:
    """As on any other page."""
    answer = await ask.get(f"/?{query}")
    assert (answer.status_code, sentence in _Text(answer.text).text) == (400, True)


async def test_requests_at_the_same_time_get_what_each_asked_for(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any
) -> None:
    """Though what is the same is rendered once."""
    operator.snapshot = snapshot(*((view(name), up) for name in ("default", "one", "two")))
    queries = ["", "account=one", "account=two&refresh=on", "name=o", "state=down"]
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answers = await asyncio.gather(*(client.get(f"/?{query}") for query in queries))
    texts = [_Text(answer.text).text for answer in answers]
    found = [[name for name in ("default", "one", "two") if f" {name} ✓ Up" in t] for t in texts]
    assert found == [["default", "one", "two"], ["one"], ["two"], ["one", "two"], []]


async def test_the_whole_page_does_not_wait_for_the_filters_of_others(operator: Any) -> None:
    """However long those take that others ask for."""
    began, free = threading.Event(), threading.Event()

    class Slow(_Refusing):
        def failure_reasons(self, *_: object) -> Any:
            if not began.is_set():
                began.set()
                assert free.wait(30)
            return ()

    source = LedgerSource(view_of_all, Slow(StateError("not asked for")))
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        try:
            filtered = [asyncio.create_task(client.get(f"/?name={each}")) for each in range(9)]
            assert await asyncio.to_thread(began.wait, 30)
            whole = await asyncio.wait_for(client.get("/"), 30)
            assert (whole.status_code, any(each.done() for each in filtered)) == (200, False)
        finally:
            free.set()
        answers = await asyncio.gather(*filtered)
    assert {each.status_code for each in answers} == {200}


async def test_nothing_wrong_is_said(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any
) -> None:
    """In words, and what is not watched is named."""
    operator.snapshot = snapshot((view(unwatched_concerns=("voice", "public_ip")), up))
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        text = _Text((await client.get("/")).text).text
    assert "Nothing is wrong Every account was polled" in text
    assert "Problems are not tracked for voice, public_ip, because" in text


async def test_many_problems_are_a_link(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any
) -> None:
    """The page has twenty of an account, and all of them are two clicks away at most."""
    many = tuple(a_problem(f"sim-{n:05}", opened_at=NOW - 20_000 + n) for n in range(10_000))
    operator.snapshot = snapshot((view(problems=many), up))
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        home = (await client.get("/")).text
        assert len(re.findall("action-of-", home)) == 20
        assert "the oldest 20 of 10,000" in home
        assert 'href="problems?account=default"' in home
        begun = time.monotonic()
        first = (await client.get("/problems?account=default")).text
        assert time.monotonic() - begun < 5
        assert len(re.findall("action-of-", first)) == 100
        following = re.search(r'href="(problems\?[^"]*after=[^"]+)"', first)
        assert following
        second = (await client.get("/" + following[1].replace("&amp;", "&"))).text
        assert "action-of-sim-00100" in second
        assert "action-of-sim-00099" not in second
        table = (await client.get("/problems?format=csv")).text
        assert table.count("\r\n") == 10_001
        answer = (await client.get("/api/v1/problems")).json()["data"]
        seen = [each["sim_card_id"] for each in answer["problems"]]
        while answer["next"]:
            parameters = {"after": answer["next"], "limit": "5000"}
            answer = (await client.get("/api/v1/problems", params=parameters)).json()["data"]
            seen += [each["sim_card_id"] for each in answer["problems"]]
        assert seen == [problem.sim_card_id for problem in many]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?account=default",
        "/actions",
        "/problems",
        "/failures",
        "/sim-cards/sim%2F1%20%3Cb%3E",
        "/problems?sim_card_id=%3Cb%3E",
    ],
)
async def test_foreign_text_makes_no_element(ask: httpx.AsyncClient, path: str) -> None:
    """On no page, nor does what stands in the address."""
    read = _Text((await ask.get(path)).text)
    assert "script" not in read.tags
    assert "b" not in read.tags


async def test_a_long_reason_is_shown_in_part(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any
) -> None:
    """500 characters on a page, 10,000 in the API and CSV; shorter ones whole."""
    long, fits = "x" * 1_000_000, "y" * 500
    problems = (a_problem(reason=long), a_problem("sim-3", reason=fits, opened_at=NOW - 10))
    failure = EndedAction(
        "action-1", "sim-2", "enable", Status.FAILED, long, "other", NOW - 9, NOW - 8
    )
    card = SimCard("sim-2", "", "", "g" * 100_000, ("t" * 100_000,))
    operator.snapshot = snapshot(
        (view(problems=problems, failures=(failure,), sim_cards={card.id: card}), up)
    )
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/", "/problems", "/failures", "/sim-cards/sim-2"):
            page = (await client.get(path)).text
            assert len(page) < 60_000, path
            assert f">{'x' * 499}…<" in page
        assert f">{fits}<" in (await client.get("/problems")).text
        rows = (await client.get("/api/v1/problems")).json()["data"]["problems"]
        assert [row["reason"] for row in rows] == [f"{'x' * 9999}…", fits]
        for path in ("/problems", "/failures"):
            table = (await client.get(f"{path}?format=csv")).text
            first = next(csv.DictReader(io.StringIO(table, newline="")))
            assert first["reason"] == f"{'x' * 9999}…"


async def test_every_link_leads_somewhere(ask: httpx.AsyncClient) -> None:
    """From page to page, with ids that an address has to quote."""
    seen: set[str] = set()
    ahead = ["http://test/"]
    while ahead:
        page = ahead.pop()
        answer = await ask.get(page)
        assert answer.status_code == 200, page
        if "text/html" in answer.headers["content-type"]:
            links = (urljoin(page, link) for link in _Text(answer.text).links)
            new = {link.partition("#")[0] for link in links if link.startswith("http://test/")}
            ahead += new - seen
            seen |= new
    assert "http://test/sim-cards/sim%2F1%20%3Cb%3E" in seen
    assert len(seen) >= 8


@pytest.mark.parametrize("prefix", ["", "/a/b"])
@pytest.mark.parametrize(
    "path",
    [
        "/problems?x=1",
        "/failures?x=1",
        "/sim-cards/?x=1",
        "/sim-cards/",
        "/sim-cards/a?x=1",
        "/sim-cards/a%2Fb?x=1",
        "/sim-cards/a/b?x=1/2",
        "/sim-cards/a/b",
        "/sim-cards/a/b/",
        "/sim-cards%2Fa",
    ],
)
async def test_links_hold_wherever_a_page_is(
    operator: Any,
    serve: Any,
    snapshot: Callable[..., Any],
    view: Callable[..., Any],
    up: Any,
    prefix: str,
    path: str,
) -> None:
    """Those of errors and of what is not known too, whatever slashes are in the address."""
    operator.snapshot = snapshot((view(), up))
    _, address = await serve(operator.app(prefix=prefix))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        answer = await client.get(prefix + path)
        assert answer.status_code in {400, 404}
        links = {urljoin(str(answer.url), link) for link in _Text(answer.text).links}
        own = {str(client.base_url.join(f"{prefix}/{name}")) for name in ("", "problems")}
        assert own <= links
        for link in links:
            assert (await client.get(link)).status_code == 200, link


async def test_a_timeline_says_what_opened_and_what_mended_a_problem(operator: Any) -> None:
    """With the action that did, since when and after how long; all of them are a link away."""
    steps = {
        ("default", "action-9"): ProblemStep("voice", opened_at=NOW - 10, attempts=1),
        ("default", "action-8"): ProblemStep("voice", mended_at=NOW - 60, mended_after=3600.0),
        ("default", "action-7"): ProblemStep("voice", attempts=3),
    }
    names = ("action-9", "action-8", "action-7")
    rows = Rows(tuple(replace(AN_ACTION, action_id=name) for name in names))

    class Known(_Refusing):
        def sim_card(self, *_: object) -> SimCardHistory:
            return SimCardHistory({}, (), rows, steps)

    source = LedgerSource(view_of_all, Known(StateError("")))
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        html = (await client.get("/sim-cards/sim%209")).text
    text = _Text(html).text
    opened, mended, kept = (text.index(f"Action {name}") for name in names)
    first = text.index("problem opened voice, 10 s ago 2026-08-01 11:59:55 UTC")
    second = text.index("problem mended voice, after 1 h")
    third = text.index("3 failed attempts")
    assert first < opened < second < mended < third < kept
    assert "../actions?sim_card_id=sim+9" in _Text(html).links
    assert "../actions?sim_card_id=sim+9&format=csv" in _Text(html).links


async def test_a_timeline_goes_on_below_a_slash(operator: Any) -> None:
    """The next part is that of the same SIM card, however its ID is written in the address."""
    history = SimCardHistory({}, (), Rows((AN_ACTION,), "next"), {})

    class Known(_Refusing):
        def sim_card(self, *_: object) -> SimCardHistory:
            return history

    source = LedgerSource(view_of_all, Known(StateError("")))
    transport = httpx.ASGITransport(operator.app(ledger=source, prefix="/p"))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/p/sim-cards/a/b", "/p/sim-cards/a%2Fb"):
            answer = await client.get(path)
            links = [urljoin(str(answer.url), link) for link in _Text(answer.text).links]
            assert "http://test/p/sim-cards/a%2Fb?after=next" in links


async def test_the_api_has_every_field(ask: httpx.AsyncClient) -> None:
    """As documented, with the SIM card's page."""
    answer = await ask.get("/api/v1/problems?sim_card_id=sim/1 <b>")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert (body["status"], body["data"]["next"]) == ("success", None)
    assert body["data"]["problems"] == [
        {
            "account": "default",
            "sim_card_id": CARD.id,
            "iccid": "8988",
            "sim_card_group": HOSTILE,
            "tags": ["=cmd", 'a "b", c'],
            "concern": "connectivity",
            "status": "failed",
            "opened_at": "2026-08-01T11:00:05.000Z",
            "attempts": 2,
            "retrying": True,
            "action_id": f"action-of-{CARD.id}",
            "action_type": "enable",
            "reason": HOSTILE,
            "reason_class": "other",
            "url": "http://test/sim-cards/sim%2F1%20%3Cb%3E",
        }
    ]


@pytest.mark.parametrize(
    ("query", "cards"),
    [
        ("", {CARD.id, "sim-2", "sim-3"}),
        ("account=default&concern=&status=", {CARD.id, "sim-2", "sim-3"}),
        ("concern=voice", {"sim-3"}),
        ("concern=new_type", set()),
        ("status=stuck", {"sim-2"}),
        ("reason_class=sim_blocked", {"sim-3"}),
        ("iccid=8988", {CARD.id}),
        ("tag=%3Dcmd", {CARD.id}),
        ("sim_card_group=group-1", {CARD.id}),
        ("sort=-opened_at&limit=1", {"sim-3"}),
    ],
)
async def test_filters_of_the_api(ask: httpx.AsyncClient, query: str, cards: set[str]) -> None:
    """The same as those of the page and its download."""
    body = (await ask.get(f"/api/v1/problems?{query}")).json()
    assert {each["sim_card_id"] for each in body["data"]["problems"]} == cards
    table = csv.DictReader(io.StringIO((await ask.get(f"/problems?{query}&format=csv")).text))
    assert {each["sim_card_id"] for each in table} == cards
    text = (await ask.get(f"/problems?{query}")).text
    assert len(re.findall("action-of-", text)) == len(cards)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("acount=x", "acount: unknown parameter; did you mean account?"),
        ("account=<b>", "account: unknown value '<b>'; use one of default, one, two"),
        ("status=faild", "status: unknown value 'faild'; did you mean failed?"),
        ("status=failed&status=stuck", "status: is given more than once; give it once"),
        ("concern=enable", "concern: 'enable' is an action type; its concern is connectivity"),
        ("concern=connectivty", "concern: unknown value 'connectivty'; did you mean connectivity?"),
        ("concern=A%20B", "concern: unknown value 'A B'; use one of"),
        ("reason_class=x", "reason_class: unknown value 'x'; use one of"),
        ("sort=reason", "sort: unknown value 'reason'; use one of opened_at, -opened_at"),
        ("limit=0", "limit: must be a whole number from 1 to 10000"),
        ("limit=1e3", "limit: must be a whole number from 1 to 10000"),
        ("limit=10001", "limit: must be a whole number from 1 to 10000"),
        ("after=x", "after: is not a position in this list"),
        ("after=WzEsMl0", "after: is not a position in this list"),
        ("after=%C3%A9", "after: is not a position in this list"),
    ],
)
async def test_a_wrong_parameter_is_named(
    ask: httpx.AsyncClient, query: str, sentence: str
) -> None:
    """With what it can be; on the page it is text."""
    answer = await ask.get(f"/api/v1/problems?{query}")
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert body["error"].startswith(sentence)
    page = await ask.get(f"/problems?{query}")
    assert page.status_code == 400
    assert sentence in _Text(page.text).text


class _Endless:
    """A reader of a long list that notes what it is asked, and fails after some parts."""

    def __init__(self, rows: int, error: StateError | None = None) -> None:
        self.asked: list[int | None] = []
        self._left = rows
        self._error = error

    def failures(self, _: LedgerView, query: FailureQuery) -> Rows[AccountAction]:
        self.asked.append(query.limit)
        if self._error is not None and len(self.asked) > 2:
            raise self._error
        count = min(self._left, query.limit or self._left)
        self._left -= count
        position = encode_position((NOW, "a", "default")) if self._left else None
        return Rows((AN_ACTION,) * count, position)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_long_download_is_read_in_parts(operator: Any, serve: Any, encoding: str) -> None:
    """Whole, with one header, by queries that each have a limit, compressed if asked."""
    reader = _Endless(25_000)
    _, address = await serve(operator.app(ledger=LedgerSource(view_of_all, cast("Any", reader))))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        headers = {"Accept-Encoding": encoding}
        answer = await client.get("/failures?format=csv", headers=headers)
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["action_id"] for row in rows] == [AN_ACTION.action_id] * 25_000
    assert reader.asked == [10_000] * 3


async def test_a_download_that_fails_is_no_whole_file(
    operator: Any, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees that the end is missing; there is no traceback."""
    reader = _Endless(50_000, StateError("state database x: disk I/O error"))
    _, address = await serve(operator.app(ledger=LedgerSource(view_of_all, cast("Any", reader))))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/failures?format=csv")
    assert not any(record.exc_info for record in caplog.records)


async def test_csv_is_no_formula(ask: httpx.AsyncClient) -> None:
    """A file to download, whose foreign texts no spreadsheet runs."""
    answer = await ask.get("/problems?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="problems.csv"'
    first = next(csv.DictReader(io.StringIO(answer.text)))
    assert first["tags"] == '["=cmd", "a \\"b\\", c"]'
    assert first["reason"] == HOSTILE
    assert (first["retrying"], first["attempts"]) == ("true", "2")


@pytest.mark.parametrize("word", ["=cmd|' /C calc'!A0", *"+-@\uff1d\uff0b\uff0d\uff20\t\r\n"])
async def test_a_reason_that_looks_like_a_formula_is_text(
    operator: Any, snapshot: Callable[..., Any], view: Callable[..., Any], up: Any, word: str
) -> None:
    """Whatever sign it begins with."""
    operator.snapshot = snapshot((view(problems=(a_problem(reason=word),)), up))
    transport = httpx.ASGITransport(operator.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        table = (await client.get("/problems?format=csv")).text
    (row,) = csv.DictReader(io.StringIO(table, newline=""))
    assert row["reason"] == f"'{word}"


async def test_the_api_is_compressed_when_asked(
    operator: Any, serve: Any, broken: Any, up: Any, snapshot: Callable[..., Any]
) -> None:
    """Over a real connection, as metrics are."""
    operator.snapshot = snapshot((broken, up))
    _, address = await serve(operator.app())
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        headers = {"Accept-Encoding": "gzip"}
        async with client.stream("GET", "/api/v1/problems", headers=headers) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        plain = await client.get("/api/v1/problems", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert plain.headers["vary"] == "Accept-Encoding"


async def test_the_form_may_be_sent_here_only(ask: httpx.AsyncClient) -> None:
    """The policy of the page allows its own form, and none that leads elsewhere."""
    policy = (await ask.get("/problems")).headers["content-security-policy"]
    assert "form-action 'self';" in policy


async def test_an_unknown_sim_card_is_not_found(ask: httpx.AsyncClient) -> None:
    """With a sentence."""
    assert (await ask.get("/sim-cards/")).status_code == 400
    answer = await ask.get("/sim-cards/nobody")
    assert answer.status_code == 404
    assert "Nothing is known of this SIM card." in _Text(answer.text).text


def view_of_all() -> LedgerView:
    """Return the view of no account: who reads it refuses anyway."""
    return LedgerView((), lambda _: "", ())


class _Refusing:
    """A reader that cannot read."""

    def __init__(self, error: StateError) -> None:
        self._error = error

    def _fail(self, *_: object) -> Any:
        raise self._error

    actions = complete_since = _fail
    problems = failures = failure_reasons = sim_card = state = find = _fail


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (QueryTimeoutError("the query takes longer than 2 s; narrow the filters"), "timeout"),
        (StateError("state database x: database is locked"), "unavailable"),
    ],
)
async def test_a_ledger_that_cannot_be_read_is_a_sentence(
    operator: Any, error: StateError, kind: str
) -> None:
    """503, and the status page shows all that it has."""
    source = LedgerSource(view_of_all, _Refusing(error))
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/api/v1/problems")
        assert (answer.status_code, answer.json()["errorType"]) == (503, kind)
        for path in ("/actions", "/problems", "/failures", "/sim-cards/x"):
            page = await client.get(path)
            assert (page.status_code, str(error) in page.text) == (503, True)
        home = await client.get("/")
        assert (home.status_code, f"Not available: {error}." in home.text) == (200, True)


async def test_failures_show_even_if_they_are_too_many_to_be_counted(operator: Any) -> None:
    """By page, with a sentence in place of the reasons."""

    class Slow(_Refusing):
        def failures(self, *_: object) -> Rows[AccountAction]:
            return Rows((AN_ACTION,))

    source = LedgerSource(view_of_all, Slow(QueryTimeoutError("too long")))
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/failures")
    assert page.status_code == 200
    assert "too many to be counted by reason" in page.text
    assert AN_ACTION.action_id in page.text


DETAILS = (
    "/",
    "/actions",
    "/problems",
    "/failures",
    "/sim-cards/x",
    "/api/v1/problems",
)


@pytest.mark.parametrize("path", DETAILS)
@pytest.mark.parametrize("prefix", ["", "/a"])
async def test_without_details_only_metrics_and_probes_are_served(
    operator: Any, path: str, prefix: str
) -> None:
    """The rest is 404, with the setting that says so."""
    transport = httpx.ASGITransport(operator.app(ledger=None, prefix=prefix))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(prefix + path)
        assert (answer.status_code, answer.text) == (
            404,
            "web.details is false: only /metrics and the paths below /-/ are served\n",
        )
        for served in ("/metrics", "/-/healthy", "/-/ready"):
            assert (await client.get(prefix + served)).status_code == 200


@pytest.mark.parametrize(
    ("external", "base"),
    [
        (None, "http://test/a/"),
        ("https://example.org/out/", "https://example.org/out/"),
        ("https://example.org", "https://example.org/"),
    ],
)
async def test_pages_below_a_prefix(
    operator: Any,
    snapshot: Callable[..., Any],
    broken: Any,
    up: Any,
    external: str | None,
    base: str,
) -> None:
    """Links are relative; the URL in the API is where users reach the page."""
    operator.snapshot = snapshot((broken, up))
    transport = httpx.ASGITransport(operator.app(prefix="/a", external_url=external))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        rows = (await client.get("/a/api/v1/problems")).json()["data"]["problems"]
        assert rows[1]["url"] == f"{base}sim-cards/sim-2"
        page = (await client.get("/a/sim-cards/sim-2")).text
        for link in _Text(page).links:
            target = urljoin("http://test/a/sim-cards/sim-2", link)
            assert (await client.get(target)).status_code == 200
