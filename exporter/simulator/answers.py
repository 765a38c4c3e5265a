"""Answers of the simulated API before they are HTTP: status, headers and body in Telnyx's form.

It must not decide which answer is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

_DOCUMENTATION = "https://developers.telnyx.com/docs/overview/errors/"
_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>Try later</body></html>"
_BLOCKED = b"<!DOCTYPE html><html><head><title>Access denied</title></head></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``headers`` come on top of the ones every answer has."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one query parameter."""

    parameter: str
    detail: str


def document(body: object, status: int = 200) -> Answer:
    """Return ``body`` as a JSON document."""
    return Answer(status, msgspec.json.encode(body))


def error(status: int, code: str, title: str, detail: str) -> Answer:
    """Return an error of one entry."""
    return document({"errors": [_entry(code, title, detail)]}, status)


def invalid(problems: Sequence[Problem], status: int = 422) -> Answer:
    """Return ``status`` with one entry for each of the ``problems``."""
    title = "Bad Request" if status == HTTPStatus.BAD_REQUEST else "Invalid parameter"
    entries = [
        _entry("10015", title, each.detail) | {"source": {"parameter": each.parameter}}
        for each in problems
    ]
    return document({"errors": entries}, status)


def unauthorized(*, empty: bool) -> Answer:
    """Return 401, with the documented body or an ``empty`` one."""
    if empty:
        return Answer(401, b"")
    return error(
        401,
        "10009",
        "Authentication failed",
        "The required authentication headers were either invalid or not included in the request.",
    )


def forbidden() -> Answer:
    """Return 403."""
    return error(403, "10010", "Authorization failed", "The key may not read this resource.")


def not_found() -> Answer:
    """Return 404."""
    return error(404, "10005", "Resource not found", "There is nothing at this address.")


def throttled() -> Answer:
    """Return 429."""
    return error(429, "10011", "Too many requests", "You have exceeded the maximum request rate.")


def server_error(status: int) -> Answer:
    """Return a 5xx: a gateway answers 502 with a page, the service itself with JSON."""
    if status == HTTPStatus.BAD_GATEWAY:
        return Answer(status, _HTML, media_type="text/html")
    code = "10007" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "10008"
    return error(status, code, "Unexpected error", "Something went wrong on our side.")


def web_page(*, blocked: bool) -> Answer:
    """Return a page where JSON is due: 403 of a firewall that blocks, else 200 of a portal."""
    if blocked:
        return Answer(403, _BLOCKED, media_type="text/html")
    return Answer(200, _HTML, media_type="text/html")


def _entry(code: str, title: str, detail: str) -> dict[str, object]:
    return {"code": code, "title": title, "detail": detail, "meta": {"url": _DOCUMENTATION + code}}
