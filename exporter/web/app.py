"""The ASGI app: the routes and their responses.

It must not poll, count or read the configuration: everything it shows or starts is passed in.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.negotiation import Format, choose_format
from exporter.sanitize import one_line
from exporter.web import telnyx_api
from exporter.web.csrf import is_cross_site
from exporter.web.detail_routes import DetailRoutes, LedgerSource
from exporter.web.page import PageRenderer
from exporter.web.response_coalescing import (
    Body,
    CoalescedResponses,
    body_response,
    takes_gzip,
)
from exporter.web.security_headers import SecurityHeadersMiddleware, style_source

_CROSS_SITE = (
    "cross-site request rejected; send it with a program such as curl, "
    "or set web.external_url to the URL of this page\n"
)
_NO_DETAILS = "web.details is false: only /metrics and the paths below /-/ are served"
_DETAILS = (
    "/",
    "/actions",
    "/problems",
    "/failures",
    "/sim-cards/{_:path}",
    "/api/{_:path}",
    "/v2",
    "/v2/{_:path}",
)
"""The paths that show single SIM cards and actions."""


def create_app(
    *,
    snapshot: Callable[[], ExporterSnapshot],
    exposition: Exposition,
    healthy: Callable[[], bool],
    waiting_for: Callable[[], str],
    reload: Callable[[], Awaitable[tuple[str, ...]]],
    ledger: LedgerSource | None = None,
    prefix: str = "",
    external_url: str | None = None,
) -> ASGIApp:
    """Return the ASGI app with its routes below ``prefix``; any other path is 404.

    ``snapshot``, ``healthy`` and ``waiting_for`` are called on the thread of the event loop;
    ``exposition`` writes snapshots, on another thread.
    ``waiting_for`` names what has to come before it is ready, empty once that is so.
    ``reload`` reloads the configuration and returns its mistakes: none if it is now in effect.
    ``ledger`` is what the pages and the API read; without one there are neither.
    ``prefix`` is empty, or has a leading and no trailing slash; ``/`` redirects there.
    ``external_url`` is where users reach the exporter, if it differs from the Host header; its path
    corresponds to ``prefix``.
    """
    page = PageRenderer()

    def exposed(taken: ExporterSnapshot, form: tuple[Format, bool]) -> Body:
        chosen, gzipped = form
        write = exposition.gzip if gzipped else exposition.text
        return Body(write(taken, chosen), gzipped=gzipped)

    expositions = CoalescedResponses(snapshot, exposed)

    async def metrics(request: Request) -> Response:
        chosen = choose_format(",".join(request.headers.getlist("accept")))
        body = await expositions.body((chosen, takes_gzip(request.headers)))
        return body_response(body, chosen.value, vary="Accept, Accept-Encoding")

    async def is_healthy(_: Request) -> Response:
        return _probe_response(healthy(), "healthy", "the poll loop is not running")

    async def is_ready(_: Request) -> Response:
        missing = waiting_for()
        return _probe_response(not missing, "ready", f"waiting for {missing}")

    async def do_reload(request: Request) -> Response:
        if is_cross_site(request.headers, external_url):
            return PlainTextResponse(_CROSS_SITE, 403)
        mistakes = await reload()
        if mistakes:
            return PlainTextResponse("".join(f"{one_line(line)}\n" for line in mistakes), 500)
        return PlainTextResponse("configuration reloaded\n")

    routes = [
        Route(f"{prefix}/metrics", metrics),
        Route(f"{prefix}/-/healthy", is_healthy),
        Route(f"{prefix}/-/ready", is_ready),
        Route(f"{prefix}/-/reload", do_reload, methods=["POST", "PUT"]),
    ]
    if ledger is None:
        routes += [Route(f"{prefix}{path}", _no_details) for path in _DETAILS]
    else:
        routes += DetailRoutes(ledger, snapshot, page, prefix, external_url).routes()
    if prefix:
        outside = f"{urlsplit(external_url).path.rstrip('/')}/" if external_url else f"{prefix}/"
        # Behind a proxy that strips the path, a redirect from / to / would be a loop.
        routes += [
            _redirect("/", f"{prefix}/" if outside == "/" else outside),
            _redirect(prefix, outside),
        ]
    refuse = _refusing(prefix)
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse, Exception: refuse})
    app.router.redirect_slashes = False
    return SecurityHeadersMiddleware(app, style=style_source(page.css))


def _refusing(prefix: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers where no route does, or one failed: in Telnyx's shape below /v2."""

    async def refuse(request: Request, error: Exception) -> Response:
        status, detail, headers = HTTPStatus.INTERNAL_SERVER_ERROR, "", None
        if isinstance(error, HTTPException):
            status, detail, headers = HTTPStatus(error.status_code), error.detail, error.headers
        if telnyx_api.is_below(request.scope["path"], prefix):
            detail = "" if detail == status.phrase else detail
            return JSONResponse(telnyx_api.refusal_body(status, detail), status, headers)
        return PlainTextResponse(f"{detail or status.phrase}\n", status, headers)

    return refuse


async def _no_details(_: Request) -> Response:
    raise HTTPException(HTTPStatus.NOT_FOUND, _NO_DETAILS)


def _redirect(path: str, target: str) -> Route:
    async def redirect(_: Request) -> Response:
        return RedirectResponse(target, 302)

    return Route(path, redirect)


def _probe_response(good: bool, yes: str, no: str) -> Response:  # noqa: FBT001 # the result of the probe
    return PlainTextResponse(f"{yes if good else no}\n", 200 if good else 503)
