"""The pages and the API over the ledger: a request in, a response out.

Queries and rendering run on threads of their own, so that neither polls nor scrapes wait for them.
It must not contain HTML, or decide what a filter means.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from math import inf
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from exporter.domain import ProblemStatus, Status
from exporter.errors import ExporterError, QueryError, QueryTimeoutError, StateError
from exporter.ledger.listings import (
    ACTION_COLUMNS,
    PROBLEM_COLUMNS,
    Values,
    action_values,
    csv_text,
    problem_values,
)
from exporter.ledger.queries import (
    ACTION_ORDERS,
    DAY,
    SORT_ORDERS,
    LedgerView,
    ReasonCount,
    Rows,
    action_query,
    failure_query,
    history_query,
    problem_query,
    read_in_parts,
)
from exporter.ledger.rules import FAILURE_STATUSES
from exporter.ledger.snapshot import AccountSnapshot, build
from exporter.ledger.store.protocol import LedgerReader, StateReader
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.web import telnyx_api
from exporter.web.account_query import AccountQuery, account_query
from exporter.web.addresses import sim_card_page
from exporter.web.page import PageRenderer
from exporter.web.response_coalescing import (
    Body,
    CoalescedResponses,
    body_response,
    packed,
    takes_gzip,
)

PAGE_ROWS = 100
"""Rows of a page."""

API_ROWS = 1000
"""Problems in a response of the API, unless the request has a limit."""

OTHERS_FOR = 10.0
"""Seconds for which the status page shows accounts of other replicas as they were read."""

_REASONS_SHOWN = 100
QUERIES = 1
"""Queries at a time: with a second one, the polls would wait for a processor, and Python's lock."""

_GZIP = 16 + zlib.MAX_WBITS
"""What makes zlib write the format of gzip."""

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: its parameters, what is read, and the URL of the status page."""

    reader: LedgerReader
    view: LedgerView
    now: float
    parameters: Sequence[tuple[str, str]]
    id: str
    base: str
    root: str
    gzip: bool

    @property
    def given(self) -> dict[str, str]:
        """The parameters that are not empty; raises QueryError if one is repeated."""
        names = [name for name, _ in self.parameters]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise QueryError(f"{repeated[0]}: is given more than once; give it once")
        return {name: value for name, value in self.parameters if value}

    def url(self, sim_card_id: str) -> str:
        """Return the URL of the page of a SIM card; empty for one without an ID."""
        return f"{self.base}{sim_card_page(sim_card_id)}" if sim_card_id else ""


@dataclass(frozen=True, slots=True)
class _ResponseContent:
    """The content of a response."""

    content: str
    media: str = _HTML
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    rest: Iterator[str] | None = None
    """What follows ``content``, each part read only when the client has taken the one before."""


@dataclass(frozen=True, slots=True)
class LedgerSource:
    """What reads the ledger; ``view`` returns what of it is shown."""

    view: Callable[[], LedgerView]
    reader: StateReader

    def others(self, snapshot: ExporterSnapshot) -> dict[str, AccountSnapshot]:
        """Read the accounts that other replicas poll, by name; raises StateError."""
        read: dict[str, AccountSnapshot] = {}
        for scope in self.view().accounts:
            if not snapshot.leases.held.get(scope.name, True):
                state = self.reader.state(scope.name)
                if state is not None:
                    read[scope.name] = build(state, scope.options, snapshot.now)
        return read


class DetailRoutes:
    """The routes that show single SIM cards and actions: pages and API."""

    def __init__(
        self,
        ledger: LedgerSource,
        snapshot: Callable[[], ExporterSnapshot],
        page: PageRenderer,
        prefix: str,
        external_url: str | None,
    ) -> None:
        """Read ``ledger`` and ``snapshot``, and render with ``page``; as in `create_app`."""
        self._ledger = ledger
        self._snapshot = snapshot
        self._page = page
        self._prefix = prefix
        self._external_url = external_url
        self._others: Mapping[str, AccountSnapshot] = {}
        self._others_at = -inf
        self._threads = ThreadPoolExecutor(QUERIES, thread_name_prefix="reader")
        # The page that everybody opens does not wait for those that others filter.
        self._whole, self._filtered = (
            CoalescedResponses(snapshot, self._home_body) for _ in range(2)
        )

    def routes(self) -> list[Route]:
        """Return the routes, below the prefix."""
        return [
            Route(f"{self._prefix}/", self._home),
            *(
                Route(f"{self._prefix}{path}", self._endpoint(answer, on_error))
                for path, answer, on_error in (
                    ("/actions", self._actions_page, self._error_page),
                    ("/problems", self._problems, self._error_page),
                    ("/failures", self._failures, self._error_page),
                    ("/sim-cards/{id:path}", self._sim_card, self._error_page),
                    ("/api/v1/problems", self._api_problems, _api_error),
                    ("/v2/sim_card_actions", self._actions, _telnyx_error),
                    ("/v2/sim_card_actions/{id:path}", self._action, _telnyx_error),
                )
            ),
        ]

    async def _home(self, request: Request) -> Response:
        asked = self._asked(request)
        try:
            query = account_query(asked.given, asked.view.names)
        except QueryError as exc:
            return _response(asked, self._error_page(asked, exc))
        homes = self._filtered if query.narrows else self._whole
        return body_response(await homes.body((query, asked.gzip)), _HTML)

    def _home_body(self, snapshot: ExporterSnapshot, form: tuple[AccountQuery, bool]) -> Body:
        asked, gzipped = form
        return packed(self._home_page(snapshot, asked).encode(), gzipped=gzipped)

    def _home_page(self, snapshot: ExporterSnapshot, asked: AccountQuery) -> str:
        try:
            if not self._others_at <= snapshot.now < self._others_at + OTHERS_FOR:
                self._others, self._others_at = self._ledger.others(snapshot), snapshot.now
            accounts = tuple(
                (view if snapshot.leases.held.get(view.name, True) else others, health)
                for view, health in snapshot.accounts
                for others in (self._others.get(view.name, view),)
            )
            snapshot = replace(snapshot, accounts=accounts)
            reasons = self._ledger.reader.failure_reasons(self._ledger.view(), snapshot.now - DAY)
        except StateError as exc:
            return self._page.render(snapshot, None, str(exc), asked)
        return self._page.render(snapshot, reasons, asked=asked)

    def _endpoint(
        self,
        answer: Callable[[_Asked], _ResponseContent],
        on_error: Callable[[_Asked, ExporterError], _ResponseContent],
    ) -> Callable[[Request], Awaitable[Response]]:
        def respond(asked: _Asked) -> Response:
            try:
                answered = answer(asked)
            except (QueryError, StateError) as exc:
                answered = on_error(asked, exc)
            if answered.rest is not None:
                return _streamed(answered, answered.rest, asked, self._threads)
            return _response(asked, answered)

        async def endpoint(request: Request) -> Response:
            asked = self._asked(request)
            return await asyncio.get_running_loop().run_in_executor(self._threads, respond, asked)

        return endpoint

    def _asked(self, request: Request) -> _Asked:
        snapshot = self._snapshot()
        return _Asked(
            reader=self._ledger.reader,
            view=self._ledger.view(),
            now=snapshot.now,
            parameters=request.query_params.multi_items(),
            id=request.path_params.get("id", ""),
            base=self._base(request),
            root=self._root(request),
            gzip=takes_gzip(request.headers),
        )

    def _base(self, request: Request) -> str:
        if self._external_url is not None:
            return f"{self._external_url.rstrip('/')}/"
        return f"{request.url.scheme}://{request.url.netloc}{self._prefix}/"

    def _root(self, request: Request) -> str:
        """Return the relative address of the status page, as a browser sees the path.

        An encoded slash is not one to it, so the decoded path would not do.
        """
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        depth = raw.partition(b"?")[0].count(b"/") - self._prefix.count("/") - 1
        return "../" * depth

    def _problems(self, asked: _Asked) -> _ResponseContent:
        given, as_csv = _format(asked.given)
        query = problem_query(given, asked.view, None if as_csv else PAGE_ROWS)
        if as_csv:
            parts = (
                [problem_values(row, asked.url(row.problem.sim_card_id)) for row in each.rows]
                for each in read_in_parts(partial(asked.reader.problems, asked.view), query)
            )
            return _csv("problems", PROBLEM_COLUMNS, parts)
        found = asked.reader.problems(asked.view, query)
        return self._list(
            "problems",
            asked,
            given,
            found,
            statuses=[each.value for each in ProblemStatus],
            **_sorting("problems", given, query.sort, SORT_ORDERS),
        )

    def _actions_page(self, asked: _Asked) -> _ResponseContent:
        given, as_csv = _format(asked.given)
        query = action_query(given, asked.view, asked.now, None if as_csv else PAGE_ROWS)
        if as_csv:
            parts = (
                [action_values(row, asked.url(row.sim_card_id)) for row in each.rows]
                for each in read_in_parts(partial(asked.reader.actions, asked.view), query)
            )
            return _csv("actions", ACTION_COLUMNS, parts)
        return self._list(
            "actions",
            asked,
            given,
            asked.reader.actions(asked.view, query),
            members_missing=query.bulk_id is not None
            and asked.reader.complete_since(asked.view, query.account, query.bulk_id) is None,
            statuses=dict.fromkeys((*(each.value for each in Status), *_one(given, "status"))),
            **_sorting("actions", given, query.sort, ACTION_ORDERS),
        )

    def _failures(self, asked: _Asked) -> _ResponseContent:
        given, as_csv = _format(asked.given)
        query = failure_query(given, asked.view, None if as_csv else PAGE_ROWS)
        if as_csv:
            parts = (
                [action_values(row, asked.url(row.sim_card_id)) for row in each.rows]
                for each in read_in_parts(partial(asked.reader.failures, asked.view), query)
            )
            return _csv("failures", ACTION_COLUMNS, parts)
        found = asked.reader.failures(asked.view, query)
        reasons: Sequence[ReasonCount] | None = None
        note = ""
        if not given:
            try:
                reasons = asked.reader.failure_reasons(asked.view, asked.now - DAY)
            except QueryTimeoutError:
                note = "The failures of the last day are too many to be counted by reason."
        return self._list(
            "failures",
            asked,
            given,
            found,
            statuses=[each.value for each in FAILURE_STATUSES],
            reasons=None if reasons is None else reasons[:_REASONS_SHOWN],
            more_reasons=max(0, len(reasons or ()) - _REASONS_SHOWN),
            note=note,
        )

    def _list(
        self,
        name: str,
        asked: _Asked,
        given: Mapping[str, str],
        found: Rows[Any],
        **more: object,
    ) -> _ResponseContent:
        """Return the page of a list, with links to its other parts and to a download."""
        filters = {key: value for key, value in given.items() if key != "after"}
        return _ResponseContent(
            self._page.render_part(
                f"{name}.html",
                csv=_link(name, {**filters, "format": "csv"}),
                first=_link(name, filters) if "after" in given else "",
                found=found,
                given=given,
                next=_link(name, {**filters, "after": found.next}) if found.next else "",
                now=asked.now,
                root=asked.root,
                view=asked.view,
                **more,
            )
        )

    def _sim_card(self, asked: _Asked) -> _ResponseContent:
        given = asked.given
        if not asked.id:  # actions that name no SIM card are not those of one
            raise QueryError("id: is missing; the path is /sim-cards/{id}")
        history = asked.reader.sim_card(asked.view, asked.id, history_query(given), PAGE_ROWS)
        own = f"{asked.root}{sim_card_page(asked.id)}"
        of_card = {"sim_card_id": asked.id}
        content = self._page.render_part(
            "sim_card.html",
            actions=_link("actions", of_card),
            csv=_link("actions", {**of_card, "format": "csv"}),
            first=own if given else "",
            history=history,
            next=_link(own, {"after": history.actions.next}) if history.actions.next else "",
            now=asked.now,
            root=asked.root,
            sim_card_id=asked.id,
        )
        return _ResponseContent(
            content, status=HTTPStatus.OK if history.known else HTTPStatus.NOT_FOUND
        )

    def _api_problems(self, asked: _Asked) -> _ResponseContent:
        query = problem_query(asked.given, asked.view, API_ROWS)
        found = asked.reader.problems(asked.view, query)
        rows = [problem_values(row, asked.url(row.problem.sim_card_id)) for row in found.rows]
        return _api_answer({"status": "success", "data": {"problems": rows, "next": found.next}})

    def _actions(self, asked: _Asked) -> _ResponseContent:
        query, paging = telnyx_api.list_query(asked.parameters, asked.view, asked.now)
        found = asked.reader.actions(asked.view, query)
        since = asked.reader.complete_since(asked.view, query.account, query.bulk_id)
        return _api_answer(telnyx_api.list_body(found, paging, since))

    def _action(self, asked: _Asked) -> _ResponseContent:
        query = telnyx_api.item_query(asked.id, asked.parameters, asked.view, asked.now)
        return _api_answer(telnyx_api.item_body(asked.reader.actions(asked.view, query).rows))

    def _error_page(self, asked: _Asked, error: ExporterError) -> _ResponseContent:
        status = _status_of(error)
        content = self._page.render_part(
            "error.html",
            now=asked.now,
            root=asked.root,
            sentence=str(error),
            title=status.phrase,
        )
        return _ResponseContent(content, status=status)


def _response(asked: _Asked, answer: _ResponseContent) -> Response:
    body = packed(answer.content.encode(), gzipped=asked.gzip)
    response = body_response(body, answer.media, answer.status)
    response.headers.update(answer.headers)
    return response


def _status_of(error: ExporterError) -> HTTPStatus:
    wrong = isinstance(error, QueryError)
    return HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.SERVICE_UNAVAILABLE


def _api_error(_: _Asked, error: ExporterError) -> _ResponseContent:
    kinds = ((QueryError, "bad_data"), (QueryTimeoutError, "timeout"))
    kind = next((name for each, name in kinds if isinstance(error, each)), "unavailable")
    answer = {"status": "error", "errorType": kind, "error": str(error)}
    return _api_answer(answer, _status_of(error))


def _telnyx_error(_: _Asked, error: ExporterError) -> _ResponseContent:
    status, body = telnyx_api.error_body(error)
    answer = _api_answer(body, status)
    if isinstance(error, QueryTimeoutError):  # the SDK would ask twice more
        return replace(answer, headers={"x-should-retry": "false"})
    return answer


def _api_answer(
    answer: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK
) -> _ResponseContent:
    return _ResponseContent(json.dumps(answer) + "\n", _JSON, status)


def _csv(name: str, columns: Sequence[str], parts: Iterator[Sequence[Values]]) -> _ResponseContent:
    """Return a download of at least one part; raises what reading the first one raises."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return _ResponseContent(
        csv_text(columns, next(parts)),
        "text/csv; charset=utf-8",
        headers=disposition,
        rest=(csv_text(columns, each, header=False) for each in parts),
    )


class _Download(StreamingResponse):
    """A response that ends early, without its end mark, if a part cannot be read."""

    async def stream_response(self, send: Send) -> None:
        """Send the parts; the server closes the connection if one is missing."""
        # The status is sent by then, so that only a missing end can tell the client.
        with suppress(StateError):
            await super().stream_response(send)


def _streamed(
    answer: _ResponseContent, rest: Iterator[str], asked: _Asked, threads: Executor
) -> _Download:
    """Return a response whose parts are read on a thread one by one.

    If one cannot be read, the connection is closed before the end, which the client notices.
    """
    packer = zlib.compressobj(wbits=_GZIP) if asked.gzip else None

    def encoded(part: str | None) -> bytes:
        """Encode a part, or what is left at the end."""
        if packer is None:
            return (part or "").encode()
        return packer.flush() if part is None else packer.compress(part.encode())

    def following() -> bytes | None:
        part = next(rest, None)
        return None if part is None else encoded(part)

    async def body() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        yield encoded(answer.content)
        while (part := await loop.run_in_executor(threads, following)) is not None:
            yield part
        yield encoded(None)

    headers = {"Vary": "Accept-Encoding", **answer.headers}
    if asked.gzip:
        headers["Content-Encoding"] = "gzip"
    return _Download(body(), answer.status, headers, answer.media)


def _one(given: Mapping[str, str], name: str) -> Sequence[str]:
    """Return the value of a parameter, if it is given."""
    return [given[name]] if name in given else []


def _format(given: dict[str, str]) -> tuple[dict[str, str], bool]:
    """Return the parameters without the format, and whether that is CSV."""
    chosen = given.pop("format", "html")
    if chosen not in {"csv", "html"}:
        raise QueryError(f"format: unknown value {chosen!r}; use csv or html")
    return given, chosen == "csv"


def _sorting(
    path: str, given: Mapping[str, str], order: str, orders: Sequence[str]
) -> dict[str, object]:
    """Return the order of a list, and the address of each one; other filters stay."""
    kept = {name: value for name, value in given.items() if name != "after"}
    return {
        "order": order,
        "orders": {each: _link(path, {**kept, "sort": each}) for each in orders},
    }


def _link(path: str, parameters: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
