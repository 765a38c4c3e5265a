import json
from typing import Any

import pytest

from exporter.errors import (
    AccountError,
    AuthError,
    BadRequestError,
    Cause,
    ExporterError,
    InvalidResponseError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.interception import HttpAnswer
from exporter.telnyx.rate_limit_headers import RateLimitStatus
from exporter.telnyx.responses import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    RetryableError,
    describe,
    error_for,
    interception_error,
    is_transient,
)

KEY = "KEY0123-secret"


def _limit(reset: float | None = None, retry_after: float | None = None) -> RateLimitStatus:
    return RateLimitStatus(limit=None, remaining=None, reset=reset, retry_after=retry_after)


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
        (402, AccountError),
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
    verdict = error_for(status, "words", _limit())
    assert type(verdict) is kind
    assert str(verdict) == "words"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 429, 500, 503])
@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        *((code, AccountError) for code in ("20012", "20013", "20014", "20015", "20016", "20017")),
        ("20100", AccountError),
        *((code, AuthError) for code in ("20003", "20006", "20008")),
        ("10009 20013", AccountError),
        ("20003 20013", AccountError),
    ],
)
def test_a_code_tells_the_account_from_the_key(
    status: int, codes: str, kind: type[ExporterError]
) -> None:
    """Wherever the code comes: the status alone does not tell which of them is refused."""
    assert type(error_for(status, "words", _limit(), codes.split())) is kind


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 520, 599])
def test_an_outage_is_asked_once_more(status: int) -> None:
    """Outages pass: they are errors only when asking again does not help."""
    verdict = error_for(status, "words", _limit())
    assert isinstance(verdict, RetryableError)
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
def test_the_wait_of_an_outage(limit: RateLimitStatus, wait: float | None) -> None:
    """An outage may say when to come back; the reset of the rate limit does not say it."""
    verdict = error_for(503, "words", limit)
    assert isinstance(verdict, RetryableError)
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
def test_a_rate_limit_is_waited_for(limit: RateLimitStatus, wait: float | None) -> None:
    """Within the cap, the request waits as long as it was told to."""
    verdict = error_for(429, "words", limit)
    assert isinstance(verdict, RetryableError)
    assert type(verdict.error) is RateLimitedError
    assert verdict.error.retry_after == (wait or 0.0)
    assert (verdict.cause, verdict.wait) == (Cause.RATE_LIMITED, wait)


@pytest.mark.parametrize(("told", "pause"), [(30.5, 30.5), (120.0, 120.0), (1e9, 3600.0)])
def test_a_long_rate_limit_ends_the_poll(told: float, pause: float) -> None:
    """Past the cap nothing is sent again, and the error says how long to stay away."""
    verdict = error_for(429, "words", _limit(retry_after=told))
    assert isinstance(verdict, RateLimitedError)
    assert verdict.retry_after == pause


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param(b"", "HTTP 422", id="empty"),
        pytest.param(b"<html>no</html>", "HTTP 422: no", id="html"),
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
    """The status always, and the first error in the body if there is one."""
    assert describe(HttpAnswer(422, body), KEY) == line


def _error(**fields: Any) -> bytes:
    return json.dumps({"errors": [fields]}).encode()


def test_a_description_has_bounds() -> None:
    """A server's essay is cut."""
    assert len(describe(HttpAnswer(500, _error(detail="x" * 5000)), KEY)) == LONGEST_TEXT


@pytest.mark.parametrize(
    "before",
    [0, LONGEST_TITLE - 21, LONGEST_TEXT - len(KEY), LONGEST_TEXT - 5],
)
def test_a_key_that_is_sent_back_is_struck_out(before: int) -> None:
    """Not even a part of the key that the server repeats is left, wherever the text is cut."""
    line = describe(HttpAnswer(401, _error(detail="x" * before + f" no such key: {KEY}")), KEY)
    assert KEY[:4] not in line
    page = f"<title>{'x' * before} no such key: {KEY}</title>".encode()
    error = interception_error(HttpAnswer(403, page, "text/html"), KEY)
    assert KEY[:4] not in str(error)


PAGE = b"<html><head><title>Access Denied</title></head><body>Ask IT.</body></html>"
IN_BETWEEN = "not from Telnyx but from a firewall, proxy or captive portal"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 403, 404, 405, 407, 422, 451, 511])
def test_a_page_is_an_outage_whatever_its_status(status: int) -> None:
    """Something in between answers for Telnyx: the key is not to blame, and its title says who."""
    error = interception_error(HttpAnswer(status, PAGE, "text/html"), KEY)
    assert type(error) is UnavailableError
    assert str(error) == f"HTTP {status}, {IN_BETWEEN}: Access Denied"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_page_that_passes_is_told_by_its_title(status: int) -> None:
    """A gateway's page with such a status is asked again as before, and its title is told."""
    assert is_transient(status)
    assert interception_error(HttpAnswer(status, PAGE), KEY) is None
    assert describe(HttpAnswer(status, PAGE), KEY) == f"HTTP {status}: Access Denied"


def test_the_title_of_a_page_is_bounded() -> None:
    """A title is foreign text, of any length."""
    page = b"<title>" + b"x" * 9999 + b"</title>"
    assert str(interception_error(HttpAnswer(403, page), KEY)).endswith(": " + "x" * LONGEST_TITLE)
