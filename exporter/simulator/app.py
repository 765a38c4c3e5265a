"""The HTTP face of the simulator: routes, headers, and faults carried out.

What an answer says is the API's business; this module only puts it on the line, or spoils it.
"""

from collections.abc import Callable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from exporter.simulator import answers
from exporter.simulator.answers import Answer
from exporter.simulator.api import Api
from exporter.simulator.control import control_routes
from exporter.simulator.faults import Fault
from exporter.simulator.line import Line, line_of
from exporter.simulator.simulator import Simulator

_SERVER_ERRORS = (500, 502, 503)

_ABOUT = """\
A simulated Telnyx account, for rehearsals. It has nothing to do with the real one.

GET  /v2/sim_card_actions           as at api.telnyx.com, with the configured key
GET  /v2/sim_card_actions/{id}
GET  /v2/bulk_sim_card_actions      and /{id}
GET  /v2/sim_cards
GET  /_simulator/record             what has really happened since the start
GET  /_simulator/faults             the knobs of faults, wrong totals and refused pages included;
                                    POST {"server_error": 0.1, "totals_lag": 30} turns some
POST /_simulator/pause              nothing new arrives; /_simulator/resume: it does again
POST /_simulator/actions            {"count": 5, "action_type": "enable", "bulk": false}
POST /_simulator/actions/{id}       {"status": "failed", "reason": "..."}
POST /_simulator/key                {"key": "..."}: the old key is refused from now on
"""


class _Broken(Response):
    """An answer whose connection breaks in the middle."""

    def __init__(self, line: Line, answer: Answer) -> None:
        super().__init__(answer.body, answer.status, media_type=answer.media_type)
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        half = self.body[: len(self.body) // 2]
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._line.reset()


class _Telnyx:
    """The endpoint for everything below the API's root."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._api = Api(simulator)

    async def respond(self, request: Request) -> Response:
        simulator = self._simulator
        query = request.query_params.multi_items()
        simulator.note(request.url.path, query)
        fault = simulator.faults.draw()
        line = line_of(request.scope, request.receive)
        if fault is Fault.SILENCE:
            await line.silence()
            return Response()
        if fault is Fault.SLOW:
            await line.delay(simulator.faults.knobs.slow_seconds)
        now = simulator.tick()
        admitted = simulator.limiter.take(now) and fault is not Fault.THROTTLED
        if admitted:
            path, key = request.path_params["path"], request.headers.get("authorization")
            answer = self._spoilt(fault, lambda: self._api.answer(path, query, key))
        else:
            answer = answers.throttled()
        if fault is Fault.RESET:
            return _Broken(line, answer)
        headers = simulator.limiter.headers(now, refused=not admitted)
        return Response(
            answer.body,
            answer.status,
            {**headers, **answer.headers, "date": formatdate(now, usegmt=True)},
            answer.media_type if answer.body else None,
        )

    def _spoilt(self, fault: Fault | None, answer: Callable[[], Answer]) -> Answer:
        knobs = self._simulator.faults.knobs
        match fault:
            case Fault.SERVER_ERROR:
                return answers.server_error(
                    _SERVER_ERRORS[self._simulator.served % len(_SERVER_ERRORS)]
                )
            case Fault.UNAUTHORIZED:
                return answers.unauthorized(empty=knobs.empty_unauthorized)
            case Fault.FORBIDDEN:
                return answers.forbidden()
            case Fault.HTML | Fault.BLOCKED:
                return answers.web_page(blocked=fault is Fault.BLOCKED)
            case Fault.TRUNCATED:
                whole = answer()
                return Answer(whole.status, whole.body[: len(whole.body) // 2])
            case _:
                return answer()


def create_app(simulator: Simulator) -> Starlette:
    """Return the ASGI application that serves ``simulator``.

    ``/v2`` is the API, ``/_simulator`` the controls (without a key: for loopback only).
    """

    async def about(_: Request) -> Response:
        return PlainTextResponse(_ABOUT)

    return Starlette(
        routes=[
            Route("/", about),
            Route("/v2/{path:path}", _Telnyx(simulator).respond),
            Mount("/_simulator", routes=control_routes(simulator)),
        ]
    )
