"""Admits so many requests per window of time, and reports it in headers as Telnyx does."""

import math

from exporter.simulator.settings import ResetStyle, SimulatorSettings


class RateLimiter:
    """The rate limit of one key, by fixed windows; without a limit every request is admitted."""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Take limit, window and the style of the headers from ``settings``."""
        self._limit = settings.rate_limit
        self._window = settings.rate_window
        self._reset_style = ResetStyle(settings.rate_reset)
        self._retry_after = settings.retry_after
        self._current = -1
        self._used = 0

    def admit(self, now: float) -> bool:
        """Count one request at ``now`` (seconds); False if it exceeds the limit."""
        if not self._limit:
            return True
        if (window := int(now // self._window)) != self._current:
            self._current, self._used = window, 0
        self._used += 1
        return self._used <= self._limit

    def headers(self, now: float, *, refused: bool) -> dict[str, str]:
        """Return the headers of a response at ``now``; ``refused``: it is a 429."""
        end = (now // self._window + 1) * self._window
        wait = str(max(1, math.ceil(end - now)))
        headers = {}
        if self._limit:
            remaining = 0 if refused else max(0, self._limit - self._used)
            epoch = self._reset_style is ResetStyle.EPOCH
            headers = {
                "x-ratelimit-limit": str(self._limit),
                "x-ratelimit-remaining": str(remaining),
                "x-ratelimit-reset": str(math.ceil(end)) if epoch else wait,
            }
        if refused and self._retry_after:
            headers["retry-after"] = wait
        return headers
