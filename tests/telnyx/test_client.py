"""What a client sends, what it answers with, and what it tells its observer."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.errors import InvalidResponseError, NotFoundError, UnavailableError
from exporter.telnyx.query import Query
from exporter.version import __version__

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

ONE = b'{"data":{"id":"a"}}'


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        pytest.param(Query(), "page%5Bnumber%5D=1&page%5Bsize%5D=250", id="page"),
        pytest.param(
            Query(
                page=3,
                size=20,
                status="in-progress",
                action_type="set_public_ip",
                sim_card_id="47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9",
                bulk_id="6a09cdc3-8948-47f0-aa62-74ac943d6c58",
            ),
            "page%5Bnumber%5D=3&page%5Bsize%5D=20&filter%5Bstatus%5D=in-progress"
            "&filter%5Baction_type%5D=set_public_ip"
            "&filter%5Bsim_card_id%5D=47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9"
            "&filter%5Bbulk_sim_card_action_id%5D=6a09cdc3-8948-47f0-aa62-74ac943d6c58",
            id="every-filter",
        ),
        pytest.param(
            Query(action_type="a&b=c d#é"),
            "page%5Bnumber%5D=1&page%5Bsize%5D=250&filter%5Baction_type%5D=a%26b%3Dc+d%23%C3%A9",
            id="a-value-cannot-become-a-parameter",
        ),
    ],
)
async def test_parameters_on_the_wire(desk: Desk, answer: Answer, query: Query, sent: str) -> None:
    """Every parameter arrives under its name, brackets and all else percent-encoded."""
    at = desk([answer()])
    await at.client.list(query)
    assert at.requests[0].url.raw_path == b"/v2/sim_card_actions?" + sent.encode()


@pytest.mark.parametrize("base_url", ["https://a.test/v2", "https://a.test/v2/"])
async def test_a_slash_at_the_end_of_the_base_url_does_not_matter(
    desk: Desk, answer: Answer, base_url: str
) -> None:
    """Both spellings lead to the same addresses."""
    at = desk([answer(), answer(200, ONE)], base_url=base_url)
    await at.client.list(Query())
    await at.client.get("a")
    assert [request.url.path for request in at.requests] == [
        "/v2/sim_card_actions",
        "/v2/sim_card_actions/a",
    ]
    assert at.requests[1].url.raw_path == b"/v2/sim_card_actions/a"


async def test_headers(desk: Desk, answer: Answer) -> None:
    """Each request carries the key, says who asks, and asks for packed JSON."""
    at = desk([answer()], key="KEY-1")
    await at.client.list(Query())
    headers = at.requests[0].headers
    assert at.requests[0].method == "GET"
    assert headers["authorization"] == "Bearer KEY-1"
    assert headers["user-agent"] == f"telnyx-sim-exporter/{__version__}"
    assert headers["accept"] == "application/json"
    assert "gzip" in headers["accept-encoding"]


@pytest.mark.parametrize(
    ("action_id", "segment"),
    [
        ("6a09cdc3-8948-47f0-aa62-74ac943d6c58", "6a09cdc3-8948-47f0-aa62-74ac943d6c58"),
        ("a/b", "a%2Fb"),
        ("../sim_cards", "%2E%2E%2Fsim_cards"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("é \n\x00", "%C3%A9%20%0A%00"),
        ("//evil.test/", "%2F%2Fevil%2Etest%2F"),
        ("@evil.test", "%40evil%2Etest"),
        ("x\ud83d", "x%3F"),
    ],
)
async def test_an_id_is_one_segment_of_the_path(
    desk: Desk, answer: Answer, action_id: str, segment: str
) -> None:
    """Identifiers are foreign text: none of them leads to another address."""
    at = desk([answer(200, ONE)])
    await at.client.get(action_id)
    assert at.requests[0].url.raw_path == b"/v2/sim_card_actions/" + segment.encode()
    assert at.requests[0].url.host == "api.telnyx.test"


@pytest.mark.parametrize(
    "location",
    ["https://evil.test/v2/sim_card_actions", "/v3/sim_card_actions", "http://[", "", None],
    ids=["other-host", "same-host", "nonsense", "empty", "none"],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    desk: Desk, answer: Answer, status: int, location: str | None
) -> None:
    """Wherever a redirect points to, nothing goes there, least of all the key."""
    headers = {} if location is None else {"location": location}
    at = desk(lambda _: answer(status, b"", **headers))
    with pytest.raises(UnavailableError if location else InvalidResponseError):
        await at.client.list(Query())
    assert {request.url.host for request in at.requests} == {"api.telnyx.test"}
    assert len(at.requests) == 1


async def test_answers_become_values(desk: Desk, answer: Answer) -> None:
    """A listing is a page, a single answer an action."""
    at = desk([answer(200, b'{"data":[{"id":"x"}],"meta":{"total_results":9}}'), answer(200, ONE)])
    page = await at.client.list(Query())
    assert ([action.id for action in page.actions], page.total) == (["x"], 9)
    assert (await at.client.get("a")).id == "a"


async def test_the_observer_is_told_of_each_answer_once(desk: Desk, answer: Answer) -> None:
    """Endpoint, status and seconds of each answer, whatever it is; its limit; bad items."""

    def play(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/gone"):
            return answer(404, b"")
        limit = {"x_ratelimit_limit": "100", "x_ratelimit_remaining": "99"}
        return answer(200, b'{"data":[{"id":"a"},{},{"id":5}]}', **limit)

    at = desk(play)
    await at.client.list(Query())
    with pytest.raises(NotFoundError, match="HTTP 404"):
        await at.client.get("gone")
    assert at.notes.done == [("list", "200", 0.0), ("get", "404", 0.0)]
    assert at.notes.limits == [(100.0, 99.0), (None, None)]
    assert at.notes.malformed == [2]
    assert at.notes.retries == []


async def test_a_good_page_has_no_bad_items_to_tell_of(desk: Desk, answer: Answer) -> None:
    """The observer hears of malformed items only where there are some."""
    at = desk([answer(200, b'{"data":[{"id":"a"}]}')])
    await at.client.list(Query())
    assert at.notes.malformed == []


@pytest.mark.parametrize(
    "base_url",
    ["https://xn--a.com", "http://[::1].:1/v2", "https://h/" + "a" * 70_000],
)
async def test_an_address_that_the_library_refuses_is_one_line(
    desk: Callable[..., Any], base_url: str
) -> None:
    """It is an outage that names the setting, and nothing is sent."""
    at = desk([], base_url=base_url)
    with pytest.raises(UnavailableError, match=r"^cannot connect to base_url; check its host"):
        await at.client.list(Query())
    assert (at.requests, at.clock.waits) == ([], [])
