"""The simulator's HTTP interface: routes and headers; faults are carried out here.

It must not decide what a response says, nor which request meets a fault.
"""

from collections.abc import Callable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from exporter.simulator import responses
from exporter.simulator.api import SIM_CARD_LISTS, Api
from exporter.simulator.connection import ClientConnection, connection_of
from exporter.simulator.control import control_routes
from exporter.simulator.faults import Fault
from exporter.simulator.responses import ApiResponse
from exporter.simulator.simulator import Simulator

_SERVER_ERRORS = (500, 502, 503)

_ABOUT = """\
A simulated Telnyx account, for tests and trials. It is not connected to Telnyx.

GET  /v2/sim_card_actions           as at api.telnyx.com, with the configured key
GET  /v2/sim_card_actions/{id}
GET  /v2/bulk_sim_card_actions      and /{id}
GET  /v2/sim_cards                  and /{id}
GET  /v2/sim_card_groups            and /{id}
GET  /_simulator/record             what actually happened since the start
GET  /_simulator/faults             fault options, including wrong totals and refused pages;
                                    POST {"server_error": 0.1, "totals_lag": 30} sets some
POST /_simulator/pause              stops new actions; /_simulator/resume starts them again
POST /_simulator/actions            {"count": 5, "action_type": "enable", "bulk": false,
                                    "sim_card_id": null}
POST /_simulator/actions/{id}       {"status": "failed", "reason": "..."}
POST /_simulator/sim_cards/{id}     {"deleted": true}: it is not listed, and 404
POST /_simulator/key                {"key": "..."}: replaces the accepted key
"""


class _ResetResponse(Response):
    """A response whose connection is reset half way."""

    def __init__(self, connection: ClientConnection, response: ApiResponse) -> None:
        super().__init__(response.body, response.status, media_type=response.media_type)
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        half = self.body[: len(self.body) // 2]
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._connection.reset()


class _ApiEndpoint:
    """The endpoint of every path below the API's root."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._api = Api(simulator)

    async def respond(self, request: Request) -> Response:
        simulator = self._simulator
        query = request.query_params.multi_items()
        simulator.record_request(request.url.path, query)
        fault = simulator.faults.next_fault()
        if fault is None and request.path_params["path"].partition("/")[0] in SIM_CARD_LISTS:
            fault = simulator.faults.next_sim_card_fault()
        connection = connection_of(request.scope, request.receive)
        if fault is Fault.SILENCE:
            await connection.silence()
            return Response()
        if fault is Fault.SLOW:
            await connection.delay(simulator.faults.settings.slow_seconds)
        now = simulator.tick()
        admitted = simulator.rate_limiter.admit(now) and fault is not Fault.THROTTLED
        if admitted:
            path, key = request.path_params["path"], request.headers.get("authorization")
            response = self._with_fault(fault, lambda: self._api.respond(path, query, key))
        else:
            response = responses.throttled()
        if fault is Fault.RESET:
            return _ResetResponse(connection, response)
        headers = simulator.rate_limiter.headers(now, refused=not admitted)
        return Response(
            response.body,
            response.status,
            {**headers, **response.headers, "date": formatdate(now, usegmt=True)},
            response.media_type if response.body else None,
        )

    def _with_fault(self, fault: Fault | None, respond: Callable[[], ApiResponse]) -> ApiResponse:
        match fault:
            case Fault.SERVER_ERROR:
                return responses.server_error(
                    _SERVER_ERRORS[self._simulator.served % len(_SERVER_ERRORS)]
                )
            case Fault.UNAUTHORIZED:
                return responses.unauthorized(
                    empty=self._simulator.faults.settings.empty_unauthorized
                )
            case Fault.FORBIDDEN | Fault.UNPAID:
                return responses.unpaid() if fault is Fault.UNPAID else responses.forbidden()
            case Fault.HTML | Fault.BLOCKED:
                return responses.html_page(blocked=fault is Fault.BLOCKED)
            case Fault.TRUNCATED:
                whole = respond()
                return ApiResponse(whole.status, whole.body[: len(whole.body) // 2])
            case _:
                return respond()


def create_app(simulator: Simulator) -> Starlette:
    """Return the ASGI application that serves ``simulator``.

    ``/v2`` is the API, ``/_simulator`` the control endpoints (without a key: for loopback only).
    """

    async def about(_: Request) -> Response:
        return PlainTextResponse(_ABOUT)

    return Starlette(
        routes=[
            Route("/", about),
            Route("/v2/{path:path}", _ApiEndpoint(simulator).respond),
            Mount("/_simulator", routes=control_routes(simulator)),
        ]
    )
