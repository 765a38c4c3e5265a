"""What goes wrong between the simulated account and its client, by knob and by script.

Decides only; carrying a fault out is the application's. The draws follow from the seed and
the number of the request, so a run can be repeated.
"""

from collections import deque
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from exporter.errors import UsageError
from exporter.simulator.book import KEPT_SECONDS
from exporter.simulator.chance import Chance
from exporter.simulator.knobs import check, knob, share

_MOST = 10**12  # items, as many as an account has at most


class Fault(StrEnum):
    """One way in which one request goes wrong; the value is the name of its knob."""

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


class DeepPage(StrEnum):
    """What a page is answered with that goes beyond the depth of pages."""

    UNPROCESSABLE = "unprocessable"
    BAD_REQUEST = "bad_request"
    EMPTY = "empty"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Faults:
    """The knobs of faults; those that are a ``Fault`` share one draw, so their sum is at most 1.

    Totals are those in the meta of every list. Several kinds of wrong ones at once are told
    as of a total that lags, is then short, then jumps, and stops at the cap at last.
    """

    server_error: float = share("requests answered with 500, 502 or 503")
    reset: float = share("connections broken in the middle of the answer")
    truncated: float = share("answers whose JSON ends half way")
    html: float = share("answers that are 200 with an HTML page")
    slow: float = share("answers that come after slow_seconds")
    silence: float = share("requests that are never answered")
    unauthorized: float = share("requests answered with 401, as after the key was revoked")
    forbidden: float = share("requests answered with 403")
    throttled: float = share("requests answered with 429, whatever the rate limit")
    blocked: float = share("requests answered with 403 and a page, as a firewall does")
    slow_seconds: float = knob(5.0, "how long a slow answer takes, in seconds", low=0)
    empty_unauthorized: bool = knob(default=False, meaning="give 401 without a body")
    odd_status: float = share("actions listed with a bare string as status, or without reason")
    malformed: float = share("actions listed without an id")
    totals_lag: float = knob(
        0.0, "seconds by which totals lag behind what is listed", low=0, high=KEPT_SECONDS
    )
    totals_short: int = knob(0, "items by which totals are too small", low=0, high=_MOST)
    totals_short_for: float = knob(
        0.0,
        "seconds of totals_short, from the first list read after faults are set; 0 for no end",
        low=0,
    )
    totals_cap: int = knob(0, "highest total that is told; 0 for no cap", low=0, high=_MOST)
    totals_jump: float = share("answers whose total is wrong by 1 to totals_jump_by, either way")
    totals_jump_by: int = knob(100, "items by which a total jumps at most", low=1, high=_MOST)
    totals_zero: float = share("answers that tell a total of 0")
    totals_missing: float = share("answers whose meta tells no totals")
    meta_missing: float = share("answers without meta")
    page_depth: int = knob(
        0,
        "items, page number times size, beyond which no page is read; 0 for any depth",
        low=0,
        high=_MOST,
    )
    deep_page: str = knob(
        "unprocessable",
        "what a page beyond page_depth gets: 422, 400, nothing, or the last page before it",
        choices=tuple(DeepPage),
    )

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        total = sum(self.share_of(fault) for fault in Fault)
        if total > 1 + 1e-9:
            names = ", ".join(fault for fault in Fault if self.share_of(fault))
            raise UsageError(f"{names}: the shares add up to {total:g}; give at most 1 together")

    def share_of(self, fault: Fault) -> float:
        """Return the share of requests that meet this ``fault``."""
        return float(getattr(self, fault.value))

    def changed(self, /, **values: Any) -> "Faults":
        """Return these faults with some knobs changed.

        Raises UsageError for an unknown knob, by its name, and for a value out of bounds.
        """
        unknown = sorted(set(values) - {each.name for each in fields(self)})
        if unknown:
            raise UsageError(f"{unknown[0]}: there is no such fault knob")
        return replace(self, **values)


class FaultSource:
    """Draws the fault of each request; ``knobs`` may be replaced at any time."""

    def __init__(self, knobs: Faults, seed: int) -> None:
        """Draw by ``knobs``, repeatably by ``seed``."""
        self.knobs = knobs
        self._chance = Chance(seed, "faults")
        self._drawn = 0
        self._script: deque[Fault | None] = deque()

    def script(self, *faults: Fault | None) -> None:
        """Give the next requests these ``faults``, one each (None: none), whatever the knobs."""
        self._script.extend(faults)

    def draw(self) -> Fault | None:
        """Return the fault that the next request meets, if any."""
        self._drawn += 1
        if self._script:
            return self._script.popleft()
        left = self._chance.roll(self._drawn)
        for fault in Fault:
            left -= self.knobs.share_of(fault)
            if left < 0:
                return fault
        return None
