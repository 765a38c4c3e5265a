"""Responses of the simulated API, not yet HTTP: status, headers and body in Telnyx's format.

It must not decide which response is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

_DOCUMENTATION = "https://developers.telnyx.com/docs/overview/errors/"
_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>Try later</body></html>"
_BLOCKED = b"<!DOCTYPE html><html><head><title>Access denied</title></head></html>"


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One response; ``headers`` are added to those that every response has."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class ParameterError:
    """What is wrong with one query parameter."""

    parameter: str
    detail: str


def json_response(body: object, status: int = 200) -> ApiResponse:
    """Return ``body`` as a JSON document."""
    return ApiResponse(status, msgspec.json.encode(body))


def invalid_parameters(errors: Sequence[ParameterError], status: int = 422) -> ApiResponse:
    """Return ``status`` with one entry for each of the ``errors``."""
    title = "Bad Request" if status == HTTPStatus.BAD_REQUEST else "Invalid parameter"
    entries = [
        _entry("10015", title, each.detail) | {"source": {"parameter": each.parameter}}
        for each in errors
    ]
    return json_response({"errors": entries}, status)


def unauthorized(*, empty: bool) -> ApiResponse:
    """Return 401, with the documented body or an ``empty`` one."""
    if empty:
        return ApiResponse(401, b"")
    return _error(
        401,
        "10009",
        "Authentication failed",
        "The required authentication headers were either invalid or not included in the request.",
    )


def forbidden() -> ApiResponse:
    """Return 403."""
    return _error(403, "10010", "Authorization failed", "The key may not read this resource.")


def unpaid() -> ApiResponse:
    """Return 402."""
    return _error(402, "20100", "Insufficient funds", "Add funds to the account, and try again.")


def not_found() -> ApiResponse:
    """Return 404."""
    return _error(404, "10005", "Resource not found", "There is nothing at this address.")


def throttled() -> ApiResponse:
    """Return 429."""
    return _error(429, "10011", "Too many requests", "You have exceeded the maximum request rate.")


def server_error(status: int) -> ApiResponse:
    """Return a 5xx: a gateway answers 502 with an HTML page, the service itself with JSON."""
    if status == HTTPStatus.BAD_GATEWAY:
        return ApiResponse(status, _HTML, media_type="text/html")
    code = "10007" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "10008"
    return _error(status, code, "Unexpected error", "Something went wrong on our side.")


def html_page(*, blocked: bool) -> ApiResponse:
    """Return HTML where JSON is expected: a firewall's 403 if ``blocked``, else a portal's 200."""
    if blocked:
        return ApiResponse(403, _BLOCKED, media_type="text/html")
    return ApiResponse(200, _HTML, media_type="text/html")


def _error(status: int, code: str, title: str, detail: str) -> ApiResponse:
    return json_response({"errors": [_entry(code, title, detail)]}, status)


def _entry(code: str, title: str, detail: str) -> dict[str, object]:
    return {"code": code, "title": title, "detail": detail, "meta": {"url": _DOCUMENTATION + code}}
