"""What an unsuccessful response means: which error, and whether to retry.

Pure: it must not wait, count or send. For responses of Telnyx the status decides and the body
provides the text, because Telnyx sends some errors with an undocumented body, or with none; only
the codes of a refused key or account are read. Responses that are not from Telnyx are an outage,
whatever their status.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

import httpx

from exporter.errors import (
    AccountError,
    AuthError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.interception import HttpAnswer, interceptor
from exporter.telnyx.rate_limit_gate import LONGEST_PAUSE, LONGEST_WAIT
from exporter.telnyx.rate_limit_headers import RateLimitStatus
from exporter.telnyx.schema import decode_errors

LONGEST_TEXT = 300
"""Maximum length of an error message."""

LONGEST_TITLE = 120
"""Maximum length of the title of a page."""

MIN_REDACTED = 12
"""Characters of a key that is replaced in data; keys of Telnyx have more than fifty."""

_ACCOUNT_CODES = frozenset({"20012", "20013", "20014", "20015", "20016", "20017", "20100"})
"""Errors of an account that is blocked, inactive or out of funds, or lacks the feature."""

_KEY_CODES = frozenset({"20003", "20006", "20008"})
"""Errors of a key that is forbidden, expired or invalid."""

_REFUSALS: dict[int, type[PollError]] = {
    httpx.codes.PAYMENT_REQUIRED: AccountError,
    httpx.codes.UNAUTHORIZED: AuthError,
    httpx.codes.FORBIDDEN: AuthError,
    httpx.codes.NOT_FOUND: NotFoundError,
    httpx.codes.BAD_REQUEST: BadRequestError,
    httpx.codes.UNPROCESSABLE_ENTITY: BadRequestError,
    # Sent by servers for a page that is too deep, besides the two that Telnyx documents.
    httpx.codes.GONE: BadRequestError,
    httpx.codes.REQUEST_ENTITY_TOO_LARGE: BadRequestError,
    httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE: BadRequestError,
}


class RetryableError(Exception):
    """A request that may be retried: ``error`` is raised when no attempts are left.

    ``cause`` is the label of the retry, ``wait`` the seconds that the server asks for, if any.
    """

    def __init__(self, error: PollError, cause: str, wait: float | None = None) -> None:
        """Store the parts."""
        super().__init__(cause)
        self.error = error
        self.cause = cause
        self.wait = wait


def error_for(
    status: int, text: str, limit: RateLimitStatus, codes: Iterable[str] = ()
) -> PollError | RetryableError:
    """Return the error for ``status``, with the message ``text``.

    ``codes`` are those of the errors in the body. They tell an account that is refused from a key
    that is, which the status alone does not.
    """
    found = frozenset(codes)
    if found & _ACCOUNT_CODES:
        return AccountError(text)
    if found & _KEY_CODES:
        return AuthError(text)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = limit.wait
        error = RateLimitedError(text, retry_after=min(wait or 0.0, LONGEST_PAUSE))
        too_long = wait is not None and wait > LONGEST_WAIT
        return error if too_long else RetryableError(error, error.cause, wait)
    if is_transient(status):
        # The wait of an outage is limited; after that the backoff of the poll applies.
        wait = None if limit.retry_after is None else min(limit.retry_after, LONGEST_WAIT)
        return RetryableError(UnavailableError(text), UnavailableError.cause, wait)
    return _REFUSALS.get(status, InvalidResponseError)(text)


def interception_error(answer: HttpAnswer, key: str) -> UnavailableError | None:
    """Return the error for a response that is not from Telnyx; None if it is.

    It is not retried: a block lasts longer than seconds. A status that is worth a retry is left to
    `error_for`, whoever sent it.
    """
    if is_transient(answer.status):
        return None
    if interceptor(answer) is None:
        return None
    words = _words(answer, key)
    quoted = f": {words}" if words else ""
    where = "not from Telnyx but from a firewall, proxy or captive portal"
    return UnavailableError(_line(f"HTTP {answer.status}, {where}{quoted}", key))


def is_transient(status: int) -> bool:
    """Tell whether a retry may help for a status."""
    if status == httpx.codes.NETWORK_AUTHENTICATION_REQUIRED:
        return False
    return status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
    }


def describe(answer: HttpAnswer, key: str) -> str:
    """Return one line: the status, and the first error in the body, or its title.

    ``key`` is redacted: some servers echo the request in their response.
    """
    errors = decode_errors(answer.body)
    words = str(errors[0]) if errors else _words(answer, key)
    return _line(f"HTTP {answer.status}: {words}" if words else f"HTTP {answer.status}", key)


def redact(text: str, key: str) -> str:
    """Return ``text`` without the key, ignoring case."""
    return re.sub(re.escape(key), "***", text, flags=re.IGNORECASE)


def redact_body(body: bytes, key: str) -> bytes:
    """Return a body without the key, which an API or a proxy might repeat in its data.

    A key that is shorter than MIN_REDACTED could be part of the data by chance, and stays.
    """
    secret = key.encode()
    return body.replace(secret, b"***") if len(secret) >= MIN_REDACTED and secret in body else body


def _words(answer: HttpAnswer, key: str) -> str:
    # Redacted before truncation, which could leave a part of the key.
    body = re.sub(re.escape(key.encode()), b"***", answer.body, flags=re.IGNORECASE)
    return redact(interceptor(replace(answer, body=body)) or "", key)[:LONGEST_TITLE]


def _line(text: str, key: str) -> str:
    return " ".join(redact(text, key).split())[:LONGEST_TEXT]
