import pytest

from exporter.simulator.rate_limiter import RateLimiter
from exporter.simulator.settings import SimulatorSettings


def test_without_a_limit_everything_comes_in_and_nothing_is_said() -> None:
    """No limit: no request is refused and no header sent."""
    limiter = RateLimiter(SimulatorSettings())
    assert all(limiter.admit(0.0) for _ in range(1000))
    assert limiter.headers(0.0, refused=False) == {}


def test_so_many_a_window_come_in() -> None:
    """One request too many is refused, and the next window starts afresh."""
    limiter = RateLimiter(SimulatorSettings(rate_limit=2, rate_window=10.0))
    assert [limiter.admit(at) for at in (100.0, 103.0, 109.9, 110.0)] == [True, True, False, True]


@pytest.mark.parametrize(
    ("style", "reset"), [pytest.param("seconds", "7"), pytest.param("epoch", "110")]
)
def test_the_headers_say_what_is_left(style: str, reset: str) -> None:
    """Limit, remaining and reset are there on any answer, reset in the configured style."""
    limiter = RateLimiter(SimulatorSettings(rate_limit=5, rate_window=10.0, rate_reset=style))
    limiter.admit(103.5)
    assert limiter.headers(103.5, refused=False) == {
        "x-ratelimit-limit": "5",
        "x-ratelimit-remaining": "4",
        "x-ratelimit-reset": reset,
    }


def test_retry_after_comes_with_a_refusal_only() -> None:
    """If asked for, 429 says how many seconds to wait."""
    limiter = RateLimiter(SimulatorSettings(rate_limit=5, rate_window=10.0, retry_after=True))
    assert "retry-after" not in limiter.headers(103.5, refused=False)
    refused = limiter.headers(103.5, refused=True)
    assert (refused["retry-after"], refused["x-ratelimit-remaining"]) == ("7", "0")
