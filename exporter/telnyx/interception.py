"""Whether a response is from Telnyx, or from a firewall, proxy or captive portal in between.

Pure. Telnyx responds with JSON, documented or not, or with a status alone; it sends no HTML pages
and no redirects. It must not interpret the responses of Telnyx.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import urlsplit

from exporter.errors import InvalidResponseError
from exporter.telnyx.lenient_json import decode_anything
from exporter.telnyx.schema import decode_errors

_BEGIN = 32 * 1024
"""Bytes of a page that are searched for its title: foreign pages can have any length."""

_NEVER_TELNYX = {
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
    HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED,
}
_REDIRECTS = {301, 302, 303, 307, 308}
_PLAIN_TEXT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}
"""Statuses that Telnyx itself may send with a plain text body instead of JSON."""

_CUT_JSON = re.compile(r"(\[\s*)*(\{\s*(\"|\Z)|\Z)")
"""The beginning of an object, or a list of objects, that may be truncated anywhere."""

_GZIP = b"\x1f\x8b"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_SCHEME = re.compile(r"\s*([\w!#$%&'*+.^`|~-]+)(?:\s+[^\s=]|\s*\Z)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A response: its status, its whole body, and the headers that show its origin.

    The body is empty if it could not be decompressed.
    """

    status: int
    body: bytes
    content_type: str = ""
    location: str = ""
    authenticate: str = ""


def interceptor(answer: HttpAnswer) -> str | None:
    """Return one line that describes a foreign ``answer``, maybe empty; None if it is Telnyx's.

    It is the target of a redirect, the authentication schemes, the title of a page, or else the
    beginning of its text.
    """
    if answer.status in _REDIRECTS and answer.location:
        return f"redirects to {_target(answer.location)}"
    schemes = _foreign_schemes(answer)
    if schemes:
        return _line(f"requires authentication with {', '.join(schemes)}")
    if _is_page(answer):
        return _title(answer)
    if answer.status in _NEVER_TELNYX:
        return _title(answer)
    return _title(answer) if _is_foreign_text(answer) else None


def _is_page(answer: HttpAnswer) -> bool:
    start = _start(answer.body)
    if start.startswith("<"):
        return True
    return "html" in answer.content_type.lower() and not (start and _is_json(answer.body))


def _is_foreign_text(answer: HttpAnswer) -> bool:
    """Tell whether the body is not JSON although Telnyx would send JSON."""
    if answer.status in _PLAIN_TEXT and not _is_bracketed(answer.body):
        return False
    # Invalid JSON in a successful response is Telnyx's if it is declared as JSON or compressed.
    broken = "json" in answer.content_type.lower() or answer.body.startswith(_GZIP)
    if answer.status < HTTPStatus.BAD_REQUEST and broken:
        return False
    return bool(answer.body.strip()) and not _is_json(answer.body)


def _is_bracketed(body: bytes) -> bool:
    return _start(body)[:1] in {"{", "["}


def _is_json(body: bytes) -> bool:
    """Tell whether the body is JSON, or truncated JSON."""
    if _CUT_JSON.match(_start(body)):
        return True
    try:
        decode_anything(body)
    except InvalidResponseError:
        return False
    return True


def _start(body: bytes) -> str:
    begin = body[:_BEGIN]
    return begin.decode(json.detect_encoding(begin), "replace").lstrip("\ufeff \t\r\n\f\v")


def _foreign_schemes(answer: HttpAnswer) -> list[str]:
    """Return the authentication schemes of a 401, if none of them is Telnyx's."""
    if answer.status != HTTPStatus.UNAUTHORIZED or decode_errors(answer.body):
        return []
    parts = _QUOTED.sub('""', answer.authenticate).split(",")
    schemes = [found[1] for found in map(_SCHEME.match, parts) if found]
    return [] if "bearer" in map(str.lower, schemes) else list(dict.fromkeys(schemes))


def _target(location: str) -> str:
    """Return the scheme and host of a redirect, or its path: the rest may echo the request."""
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return "an invalid address"
    return _line(f"{parts.scheme}://{host}" if host else parts.path)


def _title(answer: HttpAnswer) -> str:
    words = _decoded(answer)
    if "<" not in words:
        return _line(words)
    reader = _HtmlTextParser()
    with suppress(AssertionError):  # raised by the parser for some declarations
        reader.feed(words)
        reader.close()
    return _line(" ".join(reader.title)) or _line(" ".join(reader.text))


def _decoded(answer: HttpAnswer) -> str:
    begin = answer.body[:_BEGIN]
    detected = json.detect_encoding(begin)  # by zero bytes, which other encodings do not have
    if not detected.startswith("utf-8"):
        return begin.decode(detected, "replace").removeprefix("\ufeff")
    declared = _CHARSET.search(answer.content_type) or _CHARSET.search(
        begin[:1024].decode("latin-1")
    )
    try:
        return begin.decode(declared[1] if declared else "utf-8", "replace")
    except (LookupError, ValueError):
        return begin.decode("utf-8", "replace")


def _line(words: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(plain.split())


class _HtmlTextParser(HTMLParser):
    """Collects the first title of a page, and its visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.title: list[str] = []
        self.text: list[str] = []
        self._inside = ""
        self._titled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in {"title", "script", "style"}:
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._titled = self._titled or tag == "title"
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            if not self._titled:
                self.title.append(data)
        elif not self._inside:
            self.text.append(data)
