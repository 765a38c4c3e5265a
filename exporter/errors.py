"""All errors that this program raises deliberately; they must not contain secrets.

    ExporterError
    +-- ConfigError            invalid configuration; `mistakes` lists all errors in it
    +-- StateError             the state database cannot be read or written
    |   +-- QueryTimeoutError  a query of it takes too long
    |   +-- LeaseLostError   the account is not held by this process (any more)
    +-- QueryError             a filter or another parameter of a query is invalid
    +-- UsageError             the command line requests something that is not possible
    +-- OutputError            standard output cannot be written
    +-- DeliveryError          a sink does not take events; `delivered` says how many it took
    +-- PollError              a poll failed; `cause` is the label of poll_failures_total
        +-- RefusedError       Telnyx answers, but not to this key or account, whatever is asked
        |   +-- AuthError      401 or 403: the API key is rejected
        |   +-- AccountError   402: the account is blocked, inactive or out of funds
        +-- RateLimitedError   the required wait exceeds the limit of a poll; see `retry_after`
        +-- UnavailableError   timeouts, connection errors, 5xx, responses of a proxy or firewall
        +-- InvalidResponseError  a response that cannot be interpreted
        |   +-- NotFoundError  404: what was asked for does not exist
        |   +-- BadRequestError  400 or 422: the API rejects a parameter
        |   +-- TooDeepError   a required page is beyond the maximum depth of the API
        +-- DeadlineError      the poll exceeded its deadline

Errors of the HTTP library, the database and the operating system are converted to these where
they occur, with ``raise ... from exc``.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class Cause(StrEnum):
    """Why a poll failed: the values of the label ``cause``."""

    AUTH = "auth"
    ACCOUNT = "account"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INVALID_RESPONSE = "invalid_response"
    DEADLINE = "deadline"
    STATE = "state"
    INTERNAL = "internal"


class ExporterError(Exception):
    """The base class of all errors that this program raises deliberately."""

    cause: ClassVar[Cause] = Cause.INTERNAL


class ConfigError(ExporterError):
    """The configuration is invalid.

    ``mistakes`` has one line for each error: ``location: what is wrong; how to fix it``.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Store ``mistakes``, at least one, in file order."""
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class StateError(ExporterError):
    """The state database cannot be read or written."""

    cause = Cause.STATE


class QueryTimeoutError(StateError):
    """A query of the state database takes too long."""


class LeaseLostError(StateError):
    """The account is not held by this process, or not any more: nothing was written."""


class QueryError(ExporterError):
    """A parameter of a query is unknown or invalid; the message begins with its name."""


class UsageError(ExporterError):
    """The command line requests something that is not possible."""


class OutputError(ExporterError):
    """Standard output cannot be written."""


class DeliveryError(ExporterError):
    """A sink does not take events now."""

    def __init__(self, message: str, *, delivered: int = 0) -> None:
        """Keep how many of the events were ``delivered`` all the same, the first of them."""
        self.delivered = delivered
        super().__init__(message)


class PollError(ExporterError):
    """A poll of one account failed."""


class RefusedError(PollError):
    """Telnyx refuses all requests until somebody changes the key, or settles the account."""


class AuthError(RefusedError):
    """Telnyx rejects the API key (401 or 403)."""

    cause = Cause.AUTH


class AccountError(RefusedError):
    """Telnyx refuses the account: blocked, inactive, out of funds (402). The key is good."""

    cause = Cause.ACCOUNT


class RateLimitedError(PollError):
    """Telnyx requires a longer wait than a poll allows."""

    cause = Cause.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: float) -> None:
        """Store ``retry_after``: seconds during which no request may be sent."""
        self.retry_after = retry_after
        super().__init__(message)


class UnavailableError(PollError):
    """Telnyx does not respond, responds with 5xx, or a proxy or firewall responds instead."""

    cause = Cause.UNAVAILABLE


class InvalidResponseError(PollError):
    """The response of Telnyx cannot be interpreted."""

    cause = Cause.INVALID_RESPONSE


class NotFoundError(InvalidResponseError):
    """What was asked for does not exist (404).

    ``documented`` tells that the body has Telnyx's form, not just that of any web server.
    """

    documented = False


class BadRequestError(InvalidResponseError):
    """The API rejects a parameter (400 or 422)."""


class TooDeepError(InvalidResponseError):
    """A required page is beyond the maximum depth that the API allows."""


class DeadlineError(PollError):
    """The poll exceeded its deadline."""

    cause = Cause.DEADLINE
