import json
from typing import Any

import pytest

from exporter.errors import (
    AuthError,
    BadRequestError,
    Cause,
    ExporterError,
    InvalidResponseError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.limits import RateLimit
from exporter.telnyx.verdict import LONGEST_TEXT, Again, describe, refusal

KEY = "KEY0123-secret"


def _limit(reset: float | None = None, retry_after: float | None = None) -> RateLimit:
    return RateLimit(limit=None, remaining=None, reset=reset, retry_after=retry_after)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, InvalidResponseError),
        (204, InvalidResponseError),
        (301, InvalidResponseError),
        (302, InvalidResponseError),
        (304, InvalidResponseError),
        (400, BadRequestError),
        (401, AuthError),
        (402, InvalidResponseError),
        (403, AuthError),
        (404, NotFoundError),
        (405, InvalidResponseError),
        (409, InvalidResponseError),
        (422, BadRequestError),
    ],
)
def test_an_answer_that_would_not_change_is_an_error_at_once(
    status: int, kind: type[ExporterError]
) -> None:
    """These statuses are final: asking once more would bring the same."""
    verdict = refusal(status, "words", _limit())
    assert type(verdict) is kind
    assert str(verdict) == "words"


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 520, 599])
def test_an_outage_is_asked_once_more(status: int) -> None:
    """Outages pass: they are errors only when asking again does not help."""
    verdict = refusal(status, "words", _limit())
    assert isinstance(verdict, Again)
    assert type(verdict.error) is UnavailableError
    assert (verdict.cause, verdict.wait) == (Cause.UNAVAILABLE, None)


@pytest.mark.parametrize(
    ("limit", "wait"),
    [
        pytest.param(_limit(retry_after=7.0), 7.0, id="as-told"),
        pytest.param(_limit(retry_after=300.0), 30.0, id="no-longer-than-the-cap"),
        pytest.param(_limit(reset=7.0), None, id="the-limit-has-nothing-to-do-with-it"),
    ],
)
def test_the_wait_of_an_outage(limit: RateLimit, wait: float | None) -> None:
    """An outage may say when to come back; the reset of the rate limit does not say it."""
    verdict = refusal(503, "words", limit)
    assert isinstance(verdict, Again)
    assert verdict.wait == wait


@pytest.mark.parametrize(
    ("limit", "wait"),
    [
        pytest.param(_limit(), None, id="nothing-said"),
        pytest.param(_limit(reset=7.0), 7.0, id="reset"),
        pytest.param(_limit(reset=60.0, retry_after=7.0), 7.0, id="retry-after-first"),
        pytest.param(_limit(reset=30.0), 30.0, id="the-cap-itself"),
    ],
)
def test_a_rate_limit_is_waited_for(limit: RateLimit, wait: float | None) -> None:
    """Within the cap, the request waits as long as it was told to."""
    verdict = refusal(429, "words", limit)
    assert isinstance(verdict, Again)
    assert type(verdict.error) is RateLimitedError
    assert verdict.error.retry_after == (wait or 0.0)
    assert (verdict.cause, verdict.wait) == (Cause.RATE_LIMITED, wait)


@pytest.mark.parametrize(("told", "pause"), [(30.5, 30.5), (120.0, 120.0), (1e9, 3600.0)])
def test_a_long_rate_limit_ends_the_poll(told: float, pause: float) -> None:
    """Past the cap nothing is sent again, and the error says how long to stay away."""
    verdict = refusal(429, "words", _limit(retry_after=told))
    assert isinstance(verdict, RateLimitedError)
    assert verdict.retry_after == pause


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param(b"", "HTTP 422", id="empty"),
        pytest.param(b"<html>no</html>", "HTTP 422", id="html"),
        pytest.param(b'{"error": "no"}', "HTTP 422", id="an-older-form"),
        pytest.param(b'{"errors": []}', "HTTP 422", id="no-entries"),
        pytest.param(b'{"errors": [{}]}', "HTTP 422", id="an-empty-entry"),
        pytest.param(
            json.dumps(
                {
                    "errors": [
                        {
                            "code": "10015",
                            "title": "Bad value",
                            "detail": "must be a UUID",
                            "source": {"parameter": "filter[sim_card_id]"},
                        },
                        {"code": "10031"},
                    ]
                }
            ).encode(),
            "HTTP 422: 10015 Bad value: must be a UUID (filter[sim_card_id])",
            id="the-first-entry",
        ),
        pytest.param(
            b'{"errors": [{"title": "two\\nlines\\u2028and\\ttabs"}]}',
            "HTTP 422: two lines and tabs",
            id="one-line",
        ),
    ],
)
def test_a_refusal_is_described_in_one_line(body: bytes, line: str) -> None:
    """The status always, and what the first problem says where there is one."""
    assert describe(422, body, KEY) == line


def _error(**fields: Any) -> bytes:
    return json.dumps({"errors": [fields]}).encode()


def test_a_description_has_bounds() -> None:
    """A server's essay is cut."""
    assert len(describe(500, _error(detail="x" * 5000), KEY)) == LONGEST_TEXT


@pytest.mark.parametrize("before", [0, LONGEST_TEXT - len(KEY), LONGEST_TEXT - 5])
def test_a_key_that_is_sent_back_is_struck_out(before: int) -> None:
    """Not even a part of the key that the server repeats is left, wherever the text is cut."""
    line = describe(401, _error(detail="x" * before + f" no such key: {KEY}"), KEY)
    assert KEY[:4] not in line
