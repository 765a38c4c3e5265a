"""How the exporter itself fares: polls, requests, retries, rate limits, of this process' life.

Tallies what others report and hands out an immutable copy. It must not know metrics, pages
or logs, decide anything, or hold what has to survive a restart (that is the ledger's).
Not locked: it is written and read on the event loop's thread only.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.errors import Cause
from exporter.ledger.records import Histogram
from exporter.sync.progress import Progress

POLL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of poll_duration_seconds; +Inf is implied."""

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of api_request_duration_seconds; +Inf is implied."""

ENDPOINTS = (
    *("list", "get", "sim_card", "sim_cards"),
    *("bulk_actions", "bulk_action", "bulk_members"),
)
"""The values of the label ``endpoint``: actions, one action, one SIM card, SIM cards, bulk actions,
one bulk action, actions of a bulk action."""

RETRY_CAUSES = ("rate_limited", "unavailable")
"""The causes of retries that are exported from the start, at 0."""

SWEEP_CAUSES = ("drift",)
"""The causes of sweeps that are exported from the start, at 0."""


class HandshakeCause(StrEnum):
    """Why a TLS handshake with a client of the exporter failed."""

    PLAIN_HTTP = "plain_http"
    NOT_TLS = "not_tls"
    PROTOCOL_VERSION = "protocol_version"
    NO_COMMON_CIPHER = "no_common_cipher"
    """No cipher suite, or no curve, that both sides have."""
    NO_CLIENT_CERTIFICATE = "no_client_certificate"
    CLIENT_CERTIFICATE_INVALID = "client_certificate_invalid"
    """Of another authority, expired, or not for clients."""
    CLIENT_NAME_NOT_ALLOWED = "client_name_not_allowed"
    CLIENT_ALERT = "client_alert"
    """The client gave up, as it does if it does not trust the certificate of the exporter."""
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """How the polls of one account went since this process started.

    ``up`` is None for an account that this process does not poll, or did not since it took it over;
    then ``last_cause`` is, too. ``requests`` is keyed by (endpoint, code), ``retries`` and
    ``sweeps`` by cause. Times are seconds since the epoch, 0 for never; ``last_error`` is a
    sentence without secrets. ``unseen`` is how many actions the totals count that were not read
    yet, ``progress`` that of a poll that reads many; None while none does.
    """

    name: str
    up: bool | None
    polls: int
    poll_failures: Mapping[Cause, int]
    poll_duration: Histogram
    last_poll: float
    last_success: float
    last_cause: Cause | None
    last_error: str | None
    requests: Mapping[tuple[str, str], int]
    request_duration: Mapping[str, Histogram]
    retries: Mapping[str, int]
    rate_limit: float | None
    rate_limit_remaining: float | None
    sweeps: Mapping[str, int]
    malformed: int
    unseen: int = 0
    progress: Progress | None = None


@dataclass(slots=True)
class _HistogramBuilder:
    """A histogram that is being filled."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def frozen(self) -> Histogram:
        return Histogram(tuple(self.counts), self.sum)


class SelfMetrics:
    """The running tallies of one account; it is the observer of the account's API client."""

    def __init__(self, name: str) -> None:
        """Start at zero for the account ``name``."""
        self._name = name
        self._up: bool | None = False
        self._polls = 0
        self._failures: Counter[Cause] = Counter()
        self._poll_duration = _HistogramBuilder(POLL_BUCKETS)
        self._last_poll = 0.0
        self._last_success = 0.0
        self._last: tuple[Cause, str] | None = None
        self._requests: Counter[tuple[str, str]] = Counter()
        self._request_duration = {
            endpoint: _HistogramBuilder(REQUEST_BUCKETS) for endpoint in ENDPOINTS
        }
        self._retries: Counter[str] = Counter()
        self._limit: float | None = None
        self._remaining: float | None = None
        self._sweeps: Counter[str] = Counter()
        self._malformed = 0
        self._unseen = 0
        self._progress: Progress | None = None
        self._copy: AccountHealth | None = None

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:
        """Note one request that was answered with the HTTP status ``code``, or ``error``."""
        self._copy = None
        self._requests[endpoint, code] += 1
        self._request_duration[endpoint].observe(seconds)

    def retrying(self, cause: str) -> None:
        """Note that a request is sent again because of ``cause``."""
        self._copy = None
        self._retries[cause] += 1

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Note what the API last said of its rate limit; None leaves what was said before."""
        self._copy = None
        self._limit = self._limit if limit is None else limit
        self._remaining = self._remaining if remaining is None else remaining

    def malformed_seen(self, count: int) -> None:
        """Note ``count`` items of a page that could not be read."""
        self._copy = None
        self._malformed += count

    def sweep_started(self, cause: str) -> None:
        """Note a sweep, by its cause."""
        self._copy = None
        self._sweeps[cause] += 1

    def progressed(self, progress: Progress) -> None:
        """Note how far a poll is."""
        self._copy = None
        self._unseen = progress.unseen
        self._progress = None if progress.stage is None else progress

    def poll_succeeded(self, at: float, seconds: float) -> None:
        """Note a poll that ended well at ``at``, after ``seconds``."""
        self._poll_ended(at, seconds)
        self._up, self._last_success, self._last = True, at, None

    def poll_failed(self, at: float, seconds: float, cause: Cause, error: str) -> None:
        """Note a poll that failed at ``at``, after ``seconds``, because of ``cause``."""
        self._poll_ended(at, seconds)
        self._up, self._last = False, (cause, error)
        self._failures[cause] += 1

    def unheld(self) -> None:
        """Note that the account is not polled here, or that this process has just taken it over."""
        self._copy = None
        self._up, self._last = None, None
        self._unseen, self._progress = 0, None

    def _poll_ended(self, at: float, seconds: float) -> None:
        self._copy = None
        self._polls += 1
        self._last_poll = at
        self._progress = None
        self._poll_duration.observe(seconds)

    def health(self) -> AccountHealth:
        """Copy the tallies as they are now; the same copy until something else is noted."""
        if self._copy is None:
            self._copy = self._copied()
        return self._copy

    def _copied(self) -> AccountHealth:
        cause, error = self._last if self._last is not None else (None, None)
        return AccountHealth(
            name=self._name,
            up=self._up,
            polls=self._polls,
            poll_failures={each: self._failures[each] for each in Cause},
            poll_duration=self._poll_duration.frozen(),
            last_poll=self._last_poll,
            last_success=self._last_success,
            last_cause=cause,
            last_error=error,
            requests=dict(self._requests),
            request_duration={
                name: tally.frozen() for name, tally in self._request_duration.items()
            },
            retries=dict(self._retries),
            rate_limit=self._limit,
            rate_limit_remaining=self._remaining,
            sweeps=dict(self._sweeps),
            malformed=self._malformed,
            unseen=self._unseen,
            progress=self._progress,
        )
