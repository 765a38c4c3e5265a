"""SIM cards: what is asked for, what is kept of the answer, and what a lookup may cost."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import SimCard
from exporter.errors import (
    AuthError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.query import Query
from exporter.telnyx.schema import (
    MAX_TAGS,
    SimCardPage,
    decode_sim_card,
    decode_sim_card_page,
)

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

CARD_ID = "6a09cdc3-8948-47f0-aa62-74ac943d6c58"
GROUP_ID = "47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9"
ONE = b'{"data":{"id":"a"}}'
PERSONAL = {
    "imsi": "081932214823362973",
    "msisdn": "+13109976224",
    "eid": "89049032007008882600033489271234",
    "current_imei": "457032284023794",
    "authorized_imeis": ["106516771852751", "457032284023795"],
    "imei": "457032284023796",
    "ipv4": "192.168.0.17",
    "ipv6": "2001:cdba:0000:0000:0000:0000:3257:9652",
    "current_device_location": {
        "latitude": "41.140233",
        "longitude": "-73.421860",
        "accuracy": 7777,
    },
    "pin_puk_codes": {"pin1": "1234", "pin2": "5678", "puk1": "12345678", "puk2": "87654321"},
    "pin": "4711",
    "puk": "47114711",
    "address": "221B Baker Street",
    "current_mcc": "999",
    "current_mnc": "888",
}
DOCUMENTED = {
    "id": CARD_ID,
    "record_type": "sim_card",
    "iccid": "89310410106543789301",
    "status": {"value": "data_limit_exceeded", "reason": "The SIM card used 2049 MB of +1310."},
    "type": "physical",
    "tags": ["personal", "customers"],
    "sim_card_group_id": GROUP_ID,
    "sim_card_group": {"id": GROUP_ID, "name": "Fleet north", "default": True},
    "actions_in_progress": True,
    **PERSONAL,
}
READ = SimCard(
    CARD_ID,
    iccid="89310410106543789301",
    group_id=GROUP_ID,
    group="Fleet north",
    tags=("personal", "customers"),
    status="data_limit_exceeded",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


def _card(**fields: object) -> SimCard:
    """Decode one SIM card, alone and on a page, which must agree."""
    item = {"id": "a", **fields}
    alone = decode_sim_card(_body({"data": item}))
    assert decode_sim_card_page(_body({"data": [item]})).cards == (alone,)
    return alone


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    return (
        [text for each in value for text in _texts(each)]
        if isinstance(value, list)
        else [str(value)]
    )


def test_the_documented_card_is_read() -> None:
    """ICCID, group, tags and status become values; when it was looked up is left open."""
    assert decode_sim_card(_body({"data": DOCUMENTED})) == READ


def test_nothing_personal_is_kept() -> None:
    """Whatever else the API sends of a SIM card, no value of it is in what is decoded."""
    kept = msgspec.json.encode(decode_sim_card(_body({"data": DOCUMENTED}))).decode()
    page = decode_sim_card_page(_body({"data": [DOCUMENTED]}))
    kept += msgspec.json.encode(page).decode() + repr(page)
    assert [text for text in _texts(PERSONAL) if text in kept] == []
    assert "+1310" not in kept


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, SimCard("a"), id="nothing"),
        pytest.param(
            dict.fromkeys(DOCUMENTED | {"id": 0}, None) | {"id": "a"}, SimCard("a"), id="nulls"
        ),
        pytest.param(
            {"tags": ["x", None, 7, "", " ", "x", ["y"], " a\nb "]},
            SimCard("a", tags=("x", "a b")),
            id="tags",
        ),
        pytest.param({"tags": "x"}, SimCard("a"), id="tags-are-text"),
        pytest.param(
            {"sim_card_group": {"id": "g"}}, SimCard("a", group_id="g"), id="unnamed-group"
        ),
        pytest.param({"sim_card_group_id": "g"}, SimCard("a", group_id="g"), id="group-id-only"),
        pytest.param(
            {"sim_card_group": {"name": "n"}}, SimCard("a", group="n"), id="group-name-only"
        ),
        pytest.param({"sim_card_group": "n", "sim_card_group_id": 7}, SimCard("a"), id="odd-group"),
        pytest.param({"status": "Enabled"}, SimCard("a", status="enabled"), id="bare-status"),
        pytest.param({"status": {"value": ["x"]}}, SimCard("a"), id="odd-status"),
        pytest.param({"iccid": " 8931 "}, SimCard("a", iccid="8931"), id="padded"),
        pytest.param(
            {"iccid": 8931041010654378930}, SimCard("a", iccid="8931041010654378930"), id="number"
        ),
        pytest.param({"iccid": 8.9e18}, SimCard("a"), id="number-that-lost-digits"),
        pytest.param({"iccid": True}, SimCard("a"), id="true"),
        pytest.param({"iccid": "8\ud83d9\0"}, SimCard("a", iccid="8\ufffd9\ufffd"), id="damaged"),
        pytest.param({"iccid": "8" * 5000}, SimCard("a", iccid="8" * 100), id="long"),
        pytest.param(
            {"tags": [f"t{n}" for n in range(500)]},
            SimCard("a", tags=tuple(f"t{n}" for n in range(MAX_TAGS))),
            id="many-tags",
        ),
    ],
)
def test_odd_fields_are_read_as_far_as_they_go(
    fields: dict[str, object], expected: SimCard
) -> None:
    """What is missing, null or of another type is empty; text is clean, on one line, and short."""
    assert _card(**fields) == expected


def test_a_number_too_long_to_be_one_is_dropped() -> None:
    """Thousands of digits are no ICCID, and no error."""
    body = b'{"data":{"id":"a","iccid":' + b"9" * 5000 + b"}}"
    assert decode_sim_card(body) == SimCard("a")


@pytest.mark.parametrize(
    "data", [None, [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "a" * 201}, {"id": "a\n"}]
)
def test_what_has_no_id_is_no_card(data: object) -> None:
    """Without a valid id there is no card: alone an error, on a page left out and counted."""
    with pytest.raises(InvalidResponseError, match="not a SIM card"):
        decode_sim_card(_body({"data": data}))
    page = decode_sim_card_page(_body({"data": [data, {"id": "b"}]}))
    assert (page.cards, page.malformed, page.length) == ((SimCard("b"),), 1, 2)


@pytest.mark.parametrize("body", [b"{}", b'{"data":{}}', b"[]", b"<html>", b""])
def test_what_is_no_page_is_an_error(body: bytes) -> None:
    """A body without a list is no page."""
    with pytest.raises(InvalidResponseError):
        decode_sim_card_page(body)


@settings(deadline=None)
@given(
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "id": st.text(min_size=1, max_size=8) | JSON,
            "iccid": JSON,
            "tags": st.lists(JSON, max_size=4) | JSON,
            "status": st.fixed_dictionaries({"value": JSON}) | JSON,
            "sim_card_group_id": JSON,
            "sim_card_group": st.fixed_dictionaries({"id": JSON, "name": JSON}) | JSON,
        },
    )
)
def test_any_json_is_a_card_or_our_own_error(value: object) -> None:
    """Nothing that the API could send raises anything else, and all text can be stored."""
    try:
        card = decode_sim_card(_body({"data": value}))
    except InvalidResponseError:
        return
    for text in (card.id, card.iccid, card.group_id, card.group, card.status, *card.tags):
        assert text.encode().decode() == text
        assert "\0" not in text


@pytest.mark.parametrize(
    ("sim_card_id", "segment"), [("a-1", "a-1"), ("../x?y#z", "%2E%2E%2Fx%3Fy%23z")]
)
async def test_a_card_is_asked_for_with_its_group(
    desk: Desk, answer: Answer, sim_card_id: str, segment: str
) -> None:
    """The group comes with it, PIN and PUK are not asked for, and an id stays one segment."""
    at = desk([answer(200, ONE)])
    assert await at.client.sim_card(sim_card_id) == SimCard("a")
    (request,) = at.requests
    assert request.url.raw_path == (
        b"/v2/sim_cards/" + segment.encode() + b"?include_sim_card_group=true"
    )
    assert request.headers["authorization"] == "Bearer KEY0123-secret"
    assert at.notes.done == [("sim_card", "200", 0.0)]


async def test_a_page_of_cards_is_asked_for_with_groups(desk: Desk, answer: Answer) -> None:
    """A page is read like one of actions, as large as the API allows."""
    body = _body({"data": [DOCUMENTED], "meta": {"total_results": 7, "page_size": 250}})
    at = desk([answer(200, body)])
    assert await at.client.sim_cards(3) == SimCardPage((READ,), 7, 250)
    (request,) = at.requests
    assert request.url.raw_path == (
        b"/v2/sim_cards?page%5Bnumber%5D=3&page%5Bsize%5D=250&include_sim_card_group=true"
    )
    assert at.notes.done == [("sim_cards", "200", 0.0)]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (401, AuthError),
        (403, AuthError),
        (404, NotFoundError),
        (422, BadRequestError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (503, UnavailableError),
        (httpx.ConnectError("refused"), UnavailableError),
        (httpx.ReadTimeout("late"), UnavailableError),
    ],
    ids=str,
)
@pytest.mark.parametrize("endpoint", ["sim_card", "sim_cards"])
async def test_a_lookup_is_one_attempt(
    desk: Desk, answer: Answer, endpoint: str, failure: int | Exception, kind: type[PollError]
) -> None:
    """Whatever goes wrong is told at once: a name is not worth holding up a poll."""
    error = b'{"errors":[{"title":"KEY0123-secret"}]}'
    at = desk([failure if isinstance(failure, Exception) else answer(failure, error)])
    with pytest.raises(kind) as caught:
        await (at.client.sim_card("a") if endpoint == "sim_card" else at.client.sim_cards())
    assert type(caught.value) is kind
    assert "KEY0123" not in str(caught.value)
    assert (at.clock.waits, at.notes.retries) == ([], [])
    assert [each[0] for each in at.notes.done] == [endpoint]


@pytest.mark.parametrize(
    ("body", "documented"),
    [
        (b'{"errors":[{"code":"10005","title":"Resource not found"}]}', True),
        (b'{"errors":[{"title":"Resource not found"}]}', True),
        (b'{"errors":[{}]}', False),
        (b'{"errors":[]}', False),
        (b"404 page not found", False),
        (b"", False),
    ],
)
async def test_a_404_tells_whether_it_has_the_form_of_telnyx(
    desk: Desk, answer: Answer, body: bytes, *, documented: bool
) -> None:
    """Any web server says 404 for a path that it does not have."""
    at = desk([answer(404, body)])
    with pytest.raises(NotFoundError) as caught:
        await at.client.sim_card("a")
    assert caught.value.documented is documented


USED_UP = {"x_ratelimit_limit": "9", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "30"}


@pytest.mark.parametrize("endpoint", ["sim_card", "sim_cards"])
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"retry_after": "3600"}), (429, USED_UP), (403, USED_UP), (200, USED_UP)],
    ids=["retry-after", "reset", "refused", "used-up"],
)
async def test_the_rate_limit_of_a_lookup_holds_for_lookups_only(
    desk: Desk, answer: Answer, endpoint: str, status: int, headers: dict[str, str]
) -> None:
    """What the API asks after a lookup stops the next lookup, and delays no other request."""
    at = desk([answer(status, b'{"data":{}}', **headers), answer(), answer(200, ONE)])

    def look_up() -> Any:
        return at.client.sim_card("a") if endpoint == "sim_card" else at.client.sim_cards()

    with pytest.raises(PollError):
        await look_up()
    with pytest.raises(RateLimitedError, match="requires a wait of"):
        await look_up()
    await at.client.list(Query())
    assert (at.times, at.clock.waits) == ([0.0, 0.0], [])


async def test_a_lookup_obeys_the_rate_limit_of_others(desk: Desk, answer: Answer) -> None:
    """What the API asks after a poll stops lookups, too."""
    at = desk([answer(200, **USED_UP), answer(200, ONE)])
    await at.client.list(Query())
    with pytest.raises(RateLimitedError):
        await at.client.sim_card("a")
    assert at.times == [0.0]


@pytest.mark.parametrize(("reset", "sent"), [("2", True), ("3", False)])
async def test_a_lookup_waits_for_the_rate_limit_only_briefly(
    desk: Desk, answer: Answer, reset: str, *, sent: bool
) -> None:
    """A limit that is used up for a moment delays a lookup; for longer, it puts it off."""
    used_up = {"x_ratelimit_limit": "9", "x_ratelimit_remaining": "0", "x_ratelimit_reset": reset}
    at = desk([answer(200, ONE, **used_up), answer(200, ONE)])
    await at.client.sim_card("a")
    if sent:
        await at.client.sim_card("a")
        assert at.times == [0.0, 2.0]
    else:
        with pytest.raises(RateLimitedError):
            await at.client.sim_card("a")
        assert (at.times, at.clock.waits) == ([0.0], [])
