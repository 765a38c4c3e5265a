"""What an answer other than a good one means: which error, and whether to send it again.

Pure: it must not wait, count or send. Of Telnyx's answers the status decides, and the body only
gives the words, as Telnyx answers some requests with another body than the documented one, or with
none. Answers that are not Telnyx's are an outage, whatever their status.
"""

import re
from dataclasses import replace

import httpx

from exporter.errors import (
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
"""Characters of a refusal's description that are kept."""

LONGEST_TITLE = 120
"""Characters that are kept of the title of a page."""

_REFUSALS: dict[int, type[PollError]] = {
    httpx.codes.UNAUTHORIZED: AuthError,
    httpx.codes.FORBIDDEN: AuthError,
    httpx.codes.NOT_FOUND: NotFoundError,
    httpx.codes.BAD_REQUEST: BadRequestError,
    httpx.codes.UNPROCESSABLE_ENTITY: BadRequestError,
    # What servers say of a page that is too deep, besides the two that Telnyx documents.
    httpx.codes.GONE: BadRequestError,
    httpx.codes.REQUEST_ENTITY_TOO_LARGE: BadRequestError,
    httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE: BadRequestError,
}


class RetryableError(Exception):
    """A request that may be sent again: ``error`` is raised when it may not any more.

    ``cause`` is the label of the retry, ``wait`` the seconds that the server asks for, if any.
    """

    def __init__(self, error: PollError, cause: str, wait: float | None = None) -> None:
        """Keep the parts."""
        super().__init__(cause)
        self.error = error
        self.cause = cause
        self.wait = wait


def error_for(status: int, text: str, limit: RateLimitStatus) -> PollError | RetryableError:
    """Return what to raise for ``status``, described by ``text``."""
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = limit.wait
        error = RateLimitedError(text, retry_after=min(wait or 0.0, LONGEST_PAUSE))
        too_long = wait is not None and wait > LONGEST_WAIT
        return error if too_long else RetryableError(error, error.cause, wait)
    if passes(status):
        # The wait of an outage is obeyed within the cap: then the poll tries on its own terms.
        wait = None if limit.retry_after is None else min(limit.retry_after, LONGEST_WAIT)
        return RetryableError(UnavailableError(text), UnavailableError.cause, wait)
    return _REFUSALS.get(status, InvalidResponseError)(text)


def interception_error(answer: HttpAnswer, key: str) -> UnavailableError | None:
    """Return the error of an answer that is somebody else's; None if it is Telnyx's.

    It is final: a page that blocks stays for more than seconds. A status that may pass is left to
    `error_for`, whoever sent it.
    """
    if passes(answer.status):
        return None
    if interceptor(answer) is None:
        return None
    words = _words(answer, key)
    quoted = f": {words}" if words else ""
    where = "not from Telnyx but from a firewall, proxy or portal in between"
    return UnavailableError(_line(f"HTTP {answer.status}, {where}{quoted}", key))


def passes(status: int) -> bool:
    """Tell whether sending the request again may help with a status."""
    if status == httpx.codes.NETWORK_AUTHENTICATION_REQUIRED:
        return False
    return status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
    }


def describe(answer: HttpAnswer, key: str) -> str:
    """Return one line: the status, and the first error that the body names, or its title.

    ``key`` is struck out of it: some servers repeat in their answer what they were sent.
    """
    errors = decode_errors(answer.body)
    words = str(errors[0]) if errors else _words(answer, key)
    return _line(f"HTTP {answer.status}: {words}" if words else f"HTTP {answer.status}", key)


def redact(text: str, key: str) -> str:
    """Return ``text`` without the key, in upper or lower case."""
    return re.sub(re.escape(key), "***", text, flags=re.IGNORECASE)


def _words(answer: HttpAnswer, key: str) -> str:
    # The key first, also of the body: of one that is cut, the rest would stay.
    body = re.sub(re.escape(key.encode()), b"***", answer.body, flags=re.IGNORECASE)
    return redact(interceptor(replace(answer, body=body)) or "", key)[:LONGEST_TITLE]


def _line(text: str, key: str) -> str:
    return " ".join(redact(text, key).split())[:LONGEST_TEXT]
