"""What goes wrong between the simulated account and its client: failing requests, wrong totals.

It only decides; the app carries a fault out. What is drawn follows from the seed and the
number of the request or response, so a run can be repeated.
"""

from collections import deque
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from exporter.errors import UsageError
from exporter.simulator.live_actions import CHANGE_RETENTION_SECONDS
from exporter.simulator.options import check, fraction, option
from exporter.simulator.random_source import RandomSource

MAX_PAGE_SIZE = 250
"""The largest page size that the API documents."""

_MAX_ITEMS = 10**12  # as many as an account can have
_HALF = 0.5


class Fault(StrEnum):
    """One way in which one request goes wrong; the value is the name of its option."""

    SERVER_ERROR = "server_error"
    RESET = "reset"
    TRUNCATED = "truncated"
    HTML = "html"
    SLOW = "slow"
    SILENCE = "silence"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    BLOCKED = "blocked"
    UNPAID = "unpaid"


class DeepPageResponse(StrEnum):
    """The response to a request for a page beyond the page depth."""

    UNPROCESSABLE = "unprocessable"
    BAD_REQUEST = "bad_request"
    EMPTY = "empty"
    REPEAT = "repeat"


class BulkSummary(StrEnum):
    """Where bulk actions have the summary of their members."""

    LIST = "list"
    OBJECT = "object"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """The fault options; those named by ``Fault`` exclude each other, so they sum to at most 1.

    Totals are those in the meta of every list. With several options for wrong totals, a total
    first lags, is then reduced, then jumps, and is capped last.
    """

    server_error: float = fraction("requests answered with 500, 502 or 503")
    reset: float = fraction("connections closed in the middle of the response")
    truncated: float = fraction("responses with truncated JSON")
    html: float = fraction("responses with status 200 and an HTML page")
    slow: float = fraction("responses delayed by slow_seconds")
    silence: float = fraction("requests that are never answered")
    unauthorized: float = fraction("requests answered with 401, as for a revoked key")
    forbidden: float = fraction("requests answered with 403")
    throttled: float = fraction("requests answered with 429, independently of the rate limit")
    blocked: float = fraction("requests answered with 403 and an HTML page, as by a firewall")
    unpaid: float = fraction("requests answered with 402, as for an account without funds")
    sim_cards_forbidden: float = fraction("requests for SIM cards and groups answered with 403")
    sim_cards_error: float = fraction("requests for SIM cards and groups answered with a 5xx")
    slow_seconds: float = option(5.0, "delay of slow responses in seconds", low=0)
    empty_unauthorized: bool = option(default=False, help_text="send 401 without a body")
    odd_status: float = fraction("actions listed with a string as status, or without a reason")
    unknown_status: float = fraction("actions listed with a status that is not documented")
    odd_times: float = fraction("actions listed without a time, or with one in another format")
    malformed: float = fraction("actions listed without an id")
    filters_ignored: float = fraction("requests for actions whose filters are ignored")
    totals_lag: float = option(
        0.0,
        "seconds by which totals lag behind the list",
        low=0,
        high=CHANGE_RETENTION_SECONDS,
    )
    totals_short: int = option(0, "items by which totals are too small", low=0, high=_MAX_ITEMS)
    totals_short_for: float = option(
        0.0,
        "duration of totals_short in seconds, from the first list request after it is set; "
        "0 for no limit",
        low=0,
    )
    totals_cap: int = option(0, "highest total reported; 0 for no cap", low=0, high=_MAX_ITEMS)
    totals_jump: float = fraction("responses whose total is off by 1 to totals_jump_by, up or down")
    totals_jump_by: int = option(
        100, "maximum difference of totals_jump, in items", low=1, high=_MAX_ITEMS
    )
    totals_zero: float = fraction("responses with a total of 0")
    totals_missing: float = fraction("responses without totals in meta")
    meta_missing: float = fraction("responses without meta")
    page_size_cap: int = option(
        0, "highest page size served; 0 for the documented one", low=0, high=MAX_PAGE_SIZE
    )
    page_depth: int = option(
        0,
        "maximum page number times page size, in items; 0 for no limit",
        low=0,
        high=_MAX_ITEMS,
    )
    deep_page: str = option(
        "unprocessable",
        "response beyond page_depth: status 422, status 400, no items, or the last page within it",
        choices=tuple(DeepPageResponse),
    )
    bulk_summary: str = option(
        "list",
        "where bulk actions have the summary of their members: in list and object, in the object, "
        "or nowhere",
        choices=tuple(BulkSummary),
    )

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        total = sum(self.fraction_of(fault) for fault in Fault)
        if total > 1 + 1e-9:
            names = ", ".join(fault for fault in Fault if self.fraction_of(fault))
            raise UsageError(f"{names}: the fractions sum to {total:g}; the sum must be at most 1")

    def fraction_of(self, fault: Fault) -> float:
        """Return the fraction of requests that meet this ``fault``."""
        return float(getattr(self, fault.value))

    def changed(self, /, **values: Any) -> "FaultSettings":
        """Return these settings with some options changed.

        Raises UsageError for an unknown option, by its name, and for a value out of bounds.
        """
        unknown = sorted(set(values) - {each.name for each in fields(self)})
        if unknown:
            raise UsageError(f"{unknown[0]}: unknown fault option")
        return replace(self, **values)


class FaultInjector:
    """Draws the faults of one account; ``settings`` may be replaced at any time."""

    def __init__(self, settings: FaultSettings, seed: int) -> None:
        """Draw by ``settings``, reproducibly by ``seed``."""
        self.settings = settings
        self._fault_random = RandomSource(seed, "faults")
        self._faults_drawn = 0
        self._sim_card_random = RandomSource(seed, "sim card faults")
        self._sim_card_requests = 0
        self._scripted: deque[Fault | None] = deque()
        self._filter_random = RandomSource(seed, "filters")
        self._filters_drawn = 0
        self._total_random = RandomSource(seed, "totals")
        self._totals_drawn = 0
        self._short_settings: FaultSettings | None = None
        self._short_since = 0.0

    def script(self, *faults: Fault | None) -> None:
        """Give the next requests these ``faults``, one each (None: none), whatever the settings."""
        self._scripted.extend(faults)

    def next_fault(self) -> Fault | None:
        """Return the fault that the next request meets, if any."""
        self._faults_drawn += 1
        if self._scripted:
            return self._scripted.popleft()
        left = self._fault_random.uniform(self._faults_drawn)
        for fault in Fault:
            left -= self.settings.fraction_of(fault)
            if left < 0:
                return fault
        return None

    def next_sim_card_fault(self) -> Fault | None:
        """Return the fault that only requests for SIM cards meet, if any."""
        self._sim_card_requests += 1
        forbidden, error, *_ = self._sim_card_random.uniforms(self._sim_card_requests)
        if forbidden < self.settings.sim_cards_forbidden:
            return Fault.FORBIDDEN
        return Fault.SERVER_ERROR if error < self.settings.sim_cards_error else None

    def next_filter_ignored(self) -> bool:
        """Return whether the next request for actions is answered as if it had no filter."""
        self._filters_drawn += 1
        return self._filter_random.uniform(self._filters_drawn) < self.settings.filters_ignored

    def list_meta(self, total: int, number: int, size: int, now: float) -> dict[str, int] | None:
        """Return the meta of page ``number``, of ``size``, of a list; None for no meta.

        Its totals may be wrong on purpose. ``now`` is in seconds since the epoch.
        """
        settings = self.settings
        if settings is not self._short_settings:
            self._short_settings, self._short_since = settings, now
        self._totals_drawn += 1
        no_meta, missing, zero, jump, side, width, *_ = self._total_random.uniforms(
            self._totals_drawn
        )
        if no_meta < settings.meta_missing:
            return None
        page = {"page_number": number, "page_size": size}
        if missing < settings.totals_missing:
            return page
        if not settings.totals_short_for or now < self._short_since + settings.totals_short_for:
            total = max(0, total - settings.totals_short)
        if jump < settings.totals_jump:
            total = _jumped(total, settings.totals_jump_by, side, width)
        if settings.totals_cap:
            total = min(total, settings.totals_cap)
        if zero < settings.totals_zero:
            total = 0
        return {"total_pages": -(-total // size), "total_results": total, **page}


def _jumped(total: int, most: int, side: float, width: float) -> int:
    """Return a total that is wrong by 1 to ``most``, never below 0; two uniform values decide."""
    below = min(most, total)
    if below and side < _HALF:
        return total - 1 - int(width * below)
    return total + 1 + int(width * most)
