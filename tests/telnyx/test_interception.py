"""Whose answer it is: Telnyx's, or that of something in between."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.errors import AuthError, UnavailableError
from exporter.telnyx.interception import HttpAnswer, interceptor
from exporter.telnyx.query import Query

PAGE = b"<!DOCTYPE html>\n<html><head><title>Access\n Denied</title></head><body>No.</body></html>"


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 422, 450, 503])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b" \r\n", "text/plain"),
        (b"", "application/json"),
        (b'{"errors": [{"code": "10009"}]}', "application/json"),
        (b'{"error": "no"}', "text/html; charset=utf-8"),
        (b'{"message": "<b>no</b>"}', ""),
        (b'{"errors": [{"ti', "application/json"),
        (b'{"errors": [{"ti', "text/html"),
        (b'[{"ti', "text/plain"),
        (b"{", "text/plain"),
        (b"[" * 100_000, "text/plain"),
        (b"[]", "text/plain"),
        (b"null", "application/json"),
        (b'"Unauthorized"', "application/json"),
        (b"\xef\xbb\xbf{}", "application/json"),
    ],
)
def test_json_and_no_body_are_telnyx_s(status: int, body: bytes, content_type: str) -> None:
    """Documented or not, cut off or mislabelled: that is a status of Telnyx's own."""
    assert interceptor(HttpAnswer(status, body, content_type)) is None


@pytest.mark.parametrize("status", [401, 404])
def test_an_older_text_is_telnyx_s(status: int) -> None:
    """Some 401 and 404 of Telnyx have another body."""
    assert interceptor(HttpAnswer(status, b"Unauthorized", "text/plain")) is None


@pytest.mark.parametrize("scheme", ["", "Bearer", 'Basic realm="a, b", bearer realm="x"'])
def test_a_refused_key_is_telnyx_s(scheme: str) -> None:
    """So it is where Telnyx tells the scheme that it takes."""
    assert interceptor(HttpAnswer(401, b"", authenticate=scheme)) is None


def test_a_documented_refusal_is_telnyx_s_whatever_scheme_it_names() -> None:
    """Nobody else sends Telnyx's errors."""
    body = b'{"errors": [{"code": "10009", "title": "Authentication failed"}]}'
    assert interceptor(HttpAnswer(401, body, authenticate="Basic")) is None


@pytest.mark.parametrize("status", [200, 401, 403, 404])
@pytest.mark.parametrize("content_type", ["text/html", "text/plain", ""])
@pytest.mark.parametrize("body", [b"[Blocked] by firewall", b"{Blocked} by firewall"])
def test_brackets_alone_are_no_json(status: int, content_type: str, body: bytes) -> None:
    """A text in brackets is somebody's text."""
    assert interceptor(HttpAnswer(status, body, content_type)) == body.decode()


@pytest.mark.parametrize("status", [200, 401, 403])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_page_is_not_telnyx_s(status: int, body: bytes) -> None:
    """Telnyx sends no page, not even an empty one."""
    assert interceptor(HttpAnswer(status, body, "text/html; charset=utf-8")) == ""


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "text/plain"])
def test_a_good_status_with_a_text_is_not_telnyx_s(content_type: str) -> None:
    """Telnyx lists in JSON; broken JSON that is called JSON may be its own."""
    assert interceptor(HttpAnswer(200, b"Access denied", content_type)) == "Access denied"
    assert interceptor(HttpAnswer(200, b"Access denied", "application/json")) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HttpAnswer(401, b"", authenticate="NTLM"), "requires authentication with NTLM"),
        (
            HttpAnswer(401, b"no", "text/plain", authenticate="Negotiate, NTLM TlRM=="),
            "requires authentication with Negotiate, NTLM",
        ),
        (
            HttpAnswer(401, b"", authenticate='Basic realm="Bearer, bearer", charset = "UTF-8"'),
            "requires authentication with Basic",
        ),
        *(
            (HttpAnswer(403, PAGE.decode().encode(codec)), "Access Denied")
            for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
        (HttpAnswer(403, PAGE, "text/html"), "Access Denied"),
        (HttpAnswer(403, PAGE), "Access Denied"),
        (HttpAnswer(403, PAGE, "application/json"), "Access Denied"),
        (HttpAnswer(200, b"\n" * 500 + PAGE), "Access Denied"),
        (HttpAnswer(200, b"\xef\xbb\xbf" + PAGE), "Access Denied"),
        (
            HttpAnswer(
                404, "<title>日本</title>".encode("shift_jis"), "text/html; charset=Shift_JIS"
            ),
            "日本",
        ),
        (HttpAnswer(403, '<meta charset="latin-1"><title>é</title>'.encode("latin-1")), "é"),
        (HttpAnswer(403, b"<title>\xff</title>", "text/html; charset=no-such"), "\ufffd"),
        (HttpAnswer(403, b"<title>A &amp; B</title><svg><title>C</title></svg>"), "A & B"),
        (HttpAnswer(403, b"<title>a\x00b\x1b[31m\xe2\x80\xaec</title>"), "a b [31m c"),
        (HttpAnswer(403, b"<title> </title><script>x()</script><h1>Blocked</h1>"), "Blocked"),
        (
            HttpAnswer(403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
            "AccessDenied",
        ),
        (HttpAnswer(403, b"<!-- <title>no</title> -->"), ""),
        (HttpAnswer(401, b"Please log in", "text/html"), "Please log in"),
        (HttpAnswer(403, b"RBAC: access denied", "text/plain"), "RBAC: access denied"),
        (HttpAnswer(403, b"error code: 1020"), "error code: 1020"),
        (HttpAnswer(200, b"Please log in", "text/plain"), "Please log in"),
        (HttpAnswer(407, b""), ""),
        (HttpAnswer(407, b'{"a": 1}'), '{"a": 1}'),
        (HttpAnswer(451, b"", "application/json"), ""),
        (HttpAnswer(511, b""), ""),
        (
            HttpAnswer(302, b"", location="https://u:p@portal.example.org:8443/login?to=x"),
            "redirects to https://portal.example.org",
        ),
        (HttpAnswer(307, b"", location="/login?to=x"), "redirects to /login"),
        (HttpAnswer(301, b"", location="http://["), "redirects to an invalid address"),
    ],
)
def test_what_is_in_between_says_who_it_is(answer: HttpAnswer, words: str) -> None:
    """By its title, in one line, or else by its text or where it leads to."""
    assert interceptor(answer) == words


def test_a_page_without_end_is_read_no_further_than_its_begin() -> None:
    """A title that is megabytes away is not looked for."""
    assert "x" not in str(interceptor(HttpAnswer(403, b"<p>" * 1_000_000 + b"<title>x</title>")))


def test_a_page_that_no_parser_takes_is_a_page() -> None:
    """Some declarations are errors to some versions of Python's parser."""
    assert interceptor(HttpAnswer(403, b"<![x><title>x</title>")) in {"", "x"}


async def test_a_block_page_is_not_hammered_and_says_nothing_of_the_api(
    desk: Callable[..., Any], answer: Callable[..., httpx.Response]
) -> None:
    """One request, no retry; its clock and its limits are not taken for Telnyx's."""
    spent = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "900"}
    date = {"date": "Mon, 01 Jan 2001 00:00:00 GMT"}
    at = desk([answer(403, PAGE, content_type="text/html", **spent, **date), answer(403, b"")])
    with pytest.raises(UnavailableError, match=r"HTTP 403, not from Telnyx .*: Access Denied"):
        await at.client.list(Query())
    assert at.notes.done == [("list", "403", 0.0)]
    assert (at.notes.retries, at.notes.limits, at.client.clock_offset) == ([], [], None)
    with pytest.raises(AuthError, match=r"^HTTP 403$"):
        await at.client.list(Query())
    assert at.clock.waits == []
