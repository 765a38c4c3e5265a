"""Every error that this program raises on purpose; it must not hold a secret.

    ExporterError
    +-- ConfigError            the configuration is wrong; `problems` lists every mistake
    +-- StateError             the state database cannot be read or written
    +-- UsageError             what was asked for on the command line cannot be done
    +-- OutputError            standard output does not take what is printed
    +-- DeliveryError          a sink does not take events; `delivered` says how many it took
    +-- PollError              a poll failed; `cause` is the label of poll_failures_total
        +-- AuthError          401 or 403: the key is refused
        +-- RateLimitedError   told to wait longer than a poll may; `retry_after` says for how long
        +-- UnavailableError   timeouts, broken connections, 5xx, answers of somebody in between
        +-- InvalidResponseError  an answer that cannot be understood
        |   +-- NotFoundError  404: there is no such action
        |   +-- BadRequestError  400 or 422: the API does not take a parameter
        |   +-- TooDeepError   a page that is needed lies deeper than the API lets anyone read
        +-- DeadlineError      the poll took longer than it may

Errors of the HTTP library, of the database and of the operating system are turned
into these at the boundary where they occur, with ``raise ... from exc``.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class Cause(StrEnum):
    """Why a poll failed: the values of the label ``cause``."""

    AUTH = "auth"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INVALID_RESPONSE = "invalid_response"
    DEADLINE = "deadline"
    STATE = "state"
    INTERNAL = "internal"


class ExporterError(Exception):
    """The root of all errors that this program raises on purpose."""

    cause: ClassVar[Cause] = Cause.INTERNAL


class ConfigError(ExporterError):
    """The configuration cannot be used.

    ``problems`` holds one line for each mistake: ``place: what is wrong; how to mend it``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep ``problems``, at least one, in the order of the file."""
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class StateError(ExporterError):
    """The state database cannot be read or written."""

    cause = Cause.STATE


class UsageError(ExporterError):
    """What was asked for on the command line cannot be done."""


class OutputError(ExporterError):
    """Standard output does not take what is printed."""


class DeliveryError(ExporterError):
    """A sink does not take events now."""

    def __init__(self, message: str, *, delivered: int = 0) -> None:
        """Keep how many of the events were ``delivered`` all the same, the first of them."""
        self.delivered = delivered
        super().__init__(message)


class PollError(ExporterError):
    """A poll of one account failed."""


class AuthError(PollError):
    """Telnyx refuses the API key (401 or 403)."""

    cause = Cause.AUTH


class RateLimitedError(PollError):
    """Telnyx asks to wait for longer than one poll may."""

    cause = Cause.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: float) -> None:
        """Keep ``retry_after``: no request may be sent for so many seconds."""
        self.retry_after = retry_after
        super().__init__(message)


class UnavailableError(PollError):
    """Telnyx does not answer, or answers with 5xx, or somebody in between answers for it."""

    cause = Cause.UNAVAILABLE


class InvalidResponseError(PollError):
    """Telnyx answers with something that cannot be understood."""

    cause = Cause.INVALID_RESPONSE


class NotFoundError(InvalidResponseError):
    """There is no such action (404)."""


class BadRequestError(InvalidResponseError):
    """The API does not take a parameter (400 or 422)."""


class TooDeepError(InvalidResponseError):
    """The API refuses a page that is needed: it lets nobody read so far into a list."""


class DeadlineError(PollError):
    """The poll took longer than it may."""

    cause = Cause.DEADLINE
