"""The control endpoints: read the record, set faults, create and finish actions, over HTTP.

They require no key, so the simulator must listen on loopback only. Bodies are JSON objects;
unknown keys and values out of bounds are refused by name, with 422.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.domain import Status
from exporter.errors import UsageError
from exporter.simulator.simulator import Simulator

_Handler = Callable[[Request], Awaitable[object]]


class _CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST actions; ``created_at`` is in seconds since the epoch."""

    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    action_type: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    created_at: Annotated[float, msgspec.Meta(ge=0, le=4e9)] | None = None
    bulk: bool = False
    lives: bool = False
    sim_card_id: str | None = None


class _FinishBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST actions/{id}."""

    status: Status
    reason: str | None = None


class _SimCardBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST sim_cards/{id}."""

    deleted: bool


class _KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST key."""

    key: Annotated[str, msgspec.Meta(pattern=r"^[!-~]+$")]


class _Control:
    """The handlers; each returns the body of its response, not yet encoded."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._world = simulator.world

    async def record(self, _: Request) -> object:
        return self._world.record().as_json()

    async def faults(self, _: Request) -> object:
        return asdict(self._simulator.faults.settings)

    async def set_faults(self, request: Request) -> object:
        values = msgspec.json.decode(await request.body(), type=dict[str, Any])
        self._simulator.faults.settings = self._simulator.faults.settings.changed(**values)
        return asdict(self._simulator.faults.settings)

    async def pause(self, _: Request) -> object:
        self._world.pause()
        return {"paused": True}

    async def resume(self, _: Request) -> object:
        self._world.resume()
        return {"paused": False}

    async def create(self, request: Request) -> object:
        body = msgspec.json.decode(await request.body(), type=_CreateBody)
        return {"ids": self._world.create(**msgspec.structs.asdict(body))}

    async def finish(self, request: Request) -> object:
        body = msgspec.json.decode(await request.body(), type=_FinishBody)
        action_id = request.path_params["id"]
        self._world.finish(action_id, body.status, body.reason)
        return {"id": action_id, "status": body.status, "reason": body.reason}

    async def set_sim_card(self, request: Request) -> object:
        body = msgspec.json.decode(await request.body(), type=_SimCardBody)
        sim_card_id = request.path_params["id"]
        self._world.delete_sim_card(sim_card_id, deleted=body.deleted)
        return {"id": sim_card_id, "deleted": body.deleted}

    async def set_key(self, request: Request) -> object:
        self._simulator.key = msgspec.json.decode(await request.body(), type=_KeyBody).key
        return {"changed": True}


def control_routes(simulator: Simulator) -> list[Route]:
    """Return the routes that control ``simulator``, relative to their mount point."""
    control = _Control(simulator)

    def route(path: str, handler: _Handler, method: str) -> Route:
        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            simulator.tick()
            try:
                body, status = await handler(request), 200
            except (UsageError, msgspec.DecodeError) as exc:
                body, status = {"errors": [{"code": "10015", "title": str(exc)}]}, 422
            return Response(msgspec.json.encode(body), status, media_type="application/json")

        return Route(path, endpoint, methods=[method])

    return [
        route("/record", control.record, "GET"),
        route("/faults", control.faults, "GET"),
        route("/faults", control.set_faults, "POST"),
        route("/pause", control.pause, "POST"),
        route("/resume", control.resume, "POST"),
        route("/actions", control.create, "POST"),
        route("/actions/{id}", control.finish, "POST"),
        route("/sim_cards/{id}", control.set_sim_card, "POST"),
        route("/key", control.set_key, "POST"),
    ]
