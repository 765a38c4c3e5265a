"""Decoding of what the API sends: the documented form, and everything else."""

import json
from typing import Any

import pytest

from exporter.domain import Action
from exporter.errors import InvalidResponseError
from exporter.telnyx.schema import MAX_ID_LENGTH, Page, decode_action, decode_page

DOCUMENTED = {
    "id": "6a09cdc3-8948-47f0-aa62-74ac943d6c58",
    "record_type": "sim_card_action",
    "sim_card_id": "47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9",
    "action_type": "enable",
    "status": {"value": "failed", "reason": "The data limit was exceeded."},
    "settings": None,
    "created_at": "2018-02-02T22:25:27.521Z",
    "updated_at": "2018-02-02T22:26:27.521Z",
}
READ = Action(
    id="6a09cdc3-8948-47f0-aa62-74ac943d6c58",
    sim_card_id="47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9",
    action_type="enable",
    status="failed",
    reason="The data limit was exceeded.",
    created_at=1517610327.521,
    updated_at=1517610387.521,
)
ODD = {"id": "odd", "created_at": 5}
"""An item that sends the whole page the slow way."""


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


def _page(*items: object, **meta: object) -> Page:
    return decode_page(_body({"data": items, "meta": meta}))


def _one(**fields: object) -> Action:
    """Decode one action in both ways, alone and on a page, which must agree."""
    item = {"id": "a", **fields}
    alone = decode_action(_body({"data": item}))
    assert _page(item).actions == (alone,)
    assert _page(item, ODD).actions[0] == alone
    return alone


def test_the_documented_action_is_read() -> None:
    """Every documented field becomes a value, times are seconds since the epoch."""
    assert decode_action(_body({"data": DOCUMENTED})) == READ


def test_an_action_that_never_changed_has_one_time() -> None:
    """Not two equal ones: of those in progress, which are kept in memory, nearly all are such."""
    (action,) = _page({**DOCUMENTED, "updated_at": DOCUMENTED["created_at"]}).actions
    assert action.updated_at is action.created_at


def test_the_documented_page_is_read() -> None:
    """A page is its actions in their order, how many there are in all, and its size."""
    other = {**DOCUMENTED, "id": "b"}
    page = _page(DOCUMENTED, other, total_pages=3, total_results=60, page_number=1, page_size=20)
    assert page == Page((READ, decode_action(_body({"data": other}))), 60, 20, 0)


def test_an_empty_page_is_a_page() -> None:
    """Past the last page there is nothing, which is no mistake."""
    assert decode_page(b'{"data":[]}') == Page((), None, None, 0)


def test_fields_that_are_not_known_do_not_matter() -> None:
    """A newer API may send more than we know, anywhere."""
    item = {**DOCUMENTED, "colour": {"r": 1}, "status": {**DOCUMENTED["status"], "code": 7}}  # type: ignore[dict-item] # a dict of mixed values
    body = _body({"data": [item], "meta": {"cursor": "x"}, "links": []})
    assert decode_page(body) == Page((READ,), None, None, 0)


def test_an_action_may_have_nothing_but_an_id() -> None:
    """The API promises no field: what is missing or null is empty, not an error."""
    empty = Action("a", "", "", "", None, None, None)
    assert _one() == empty
    nulls = dict.fromkeys(DOCUMENTED, None)
    assert _one(**{**nulls, "id": "a"}) == empty


@pytest.mark.parametrize(
    ("status", "value", "reason"),
    [
        pytest.param({"value": "completed", "reason": None}, "completed", None, id="null-reason"),
        pytest.param({"value": "completed"}, "completed", None, id="no-reason"),
        pytest.param({"reason": "why"}, "", "why", id="no-value"),
        pytest.param({"value": None, "reason": "why"}, "", "why", id="null-value"),
        pytest.param({}, "", None, id="empty-object"),
        pytest.param("failed", "failed", None, id="bare-text"),
        pytest.param("", "", None, id="empty-text"),
        pytest.param(5, "", None, id="number"),
        pytest.param(["failed"], "", None, id="list"),
        pytest.param({"value": "In_Progress "}, "in-progress", None, id="other-spelling"),
        pytest.param("IN-PROGRESS", "in-progress", None, id="bare-other-spelling"),
        pytest.param({"value": "paused"}, "paused", None, id="unknown"),
        pytest.param({"value": 5, "reason": 70000}, "", "70000", id="numbers"),
        pytest.param({"value": "failed", "reason": ["a", 1]}, "failed", '["a", 1]', id="reasons"),
        pytest.param({"value": "failed", "reason": ""}, "failed", "", id="empty-reason"),
        pytest.param({"value": "failed", "reason": "x\ud83d"}, "failed", "x\ufffd", id="half"),
    ],
)
def test_status_in_every_form(status: object, value: str, reason: str | None) -> None:
    """The status is read from an object or a text; what cannot be read is empty."""
    action = _one(status=status)
    assert (action.status, action.reason) == (value, reason)


@pytest.mark.parametrize("beside", [DOCUMENTED, ODD], ids=["fast", "slow"])
@pytest.mark.parametrize("field", ["sim_card_id", "action_type", "status", "reason"])
@pytest.mark.parametrize(
    "bad", ["\0", chr(0xD800), chr(0xDFFF)], ids=["NUL", "high half", "low half"]
)
def test_what_no_store_can_hold_is_replaced(field: str, bad: str, beside: dict[str, Any]) -> None:
    """Each such character is replaced by one, in every text, whatever else is on the page."""
    texts = {"sim_card_id": "s", "action_type": "t", "status": "v", "reason": "r"}
    texts[field] = f"one{bad}two{bad}"
    status = {"value": texts.pop("status"), "reason": texts.pop("reason")}
    item = {**DOCUMENTED, **texts, "status": status}
    action = _page(item, beside).actions[0]
    assert getattr(action, field) == "one\ufffdtwo\ufffd"
    assert action == decode_action(_body({"data": item}))


def test_a_text_that_only_spells_an_escape_is_kept() -> None:
    """A backslash before u0000 that is itself escaped is no NUL."""
    assert _one(status={"value": "failed", "reason": "C:\\u0000"}).reason == "C:\\u0000"


def test_action_types_are_an_open_set() -> None:
    """A type that nobody has heard of is taken as it is."""
    assert _one(action_type="teleport").action_type == "teleport"


def test_a_sim_card_may_be_a_number() -> None:
    """The id of the SIM card is only shown, so a number will do."""
    assert _one(sim_card_id=12).sim_card_id == "12"


@pytest.mark.parametrize("value", ["soon", 1517610327, "", {}, True, "2018-02-30T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_none(value: object) -> None:
    """An action without a usable time is still an action."""
    assert _one(created_at=value).created_at is None


def test_a_time_without_a_zone_is_utc() -> None:
    """All documented times are UTC."""
    assert _one(created_at="2018-02-02T22:25:27").created_at == 1517610327.0


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({}, id="no-id"),
        pytest.param({"id": None}, id="null"),
        pytest.param({"id": ""}, id="empty"),
        pytest.param({"id": 12}, id="number"),
        pytest.param({"id": ["a"]}, id="list"),
        pytest.param({"id": "x" * (MAX_ID_LENGTH + 1)}, id="too-long"),
        pytest.param({"id": "x\ud83d"}, id="damaged"),
        pytest.param({"id": "x\0"}, id="nul"),
        pytest.param(None, id="null-item"),
        pytest.param("a", id="text-item"),
        pytest.param([], id="list-item"),
        pytest.param(5, id="number-item"),
    ],
)
def test_one_bad_item_is_skipped_and_counted(item: object) -> None:
    """An item without a usable id is left out, the rest of its page is kept with its totals."""
    page = _page({"id": "a"}, item, DOCUMENTED, total_results=3, page_size=250)
    assert [action.id for action in page.actions] == ["a", READ.id]
    assert page.actions[1] == READ
    assert (page.malformed, page.total, page.page_size) == (1, 3, 250)
    if isinstance(item, dict):
        with pytest.raises(InvalidResponseError, match="no valid id"):
            decode_action(_body({"data": item}))


@pytest.mark.parametrize(
    ("field", "odd"),
    [
        pytest.param("settings", b"NaN", id="nan"),
        pytest.param("settings", b"9" * 5000, id="endless-number"),
        pytest.param("sim_card_id", b'"caf\xe9"', id="not-utf-8"),
        pytest.param("sim_card_id", b"9" * 400, id="long-number"),
        pytest.param("sim_card_id", b"[" * 900 + b"]" * 900, id="deep"),
        pytest.param("settings", b'"\\udc00"', id="half-a-pair"),
    ],
)
def test_one_odd_value_does_not_hide_a_page(field: str, odd: bytes) -> None:
    """A value that no JSON may hold costs that field alone."""
    first = b'{"id":"a","%s":%s}' % (field.encode(), odd)
    page = decode_page(b'{"data":[%s,%s]}' % (first, _body(DOCUMENTED)))
    assert [action.id for action in page.actions] == ["a", READ.id]
    assert page.actions[1] == READ
    assert page.malformed == 0


@pytest.mark.parametrize("meta", [None, [], "x", 5, {}, {"total_results": None}])
def test_a_page_without_totals_is_a_page(meta: object) -> None:
    """What the API does not say is None."""
    page = decode_page(_body({"data": [DOCUMENTED], "meta": meta}))
    assert page == Page((READ,), None, None, 0)


@pytest.mark.parametrize("item", [DOCUMENTED, ODD], ids=["fast", "slow"])
@pytest.mark.parametrize("value", [-1, 10**30, True, "7", 7.5])
def test_a_total_that_is_no_count_was_not_said(value: object, item: dict[str, Any]) -> None:
    """Negative and endless totals would mislead whoever reckons with them."""
    page = _page(item, total_results=value, page_size=value)
    assert (page.total, page.page_size, len(page.actions)) == (None, None, 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \r\n", id="blank"),
        pytest.param(b"null", id="null"),
        pytest.param(b"42", id="number"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-data"),
        pytest.param(b'{"data":null}', id="null-data"),
        pytest.param(b'{"data":{}}', id="object-for-list"),
        pytest.param(b'{"data":"x"}', id="text-for-list"),
        pytest.param(b'{"data":[{"id":"a"}', id="cut-short"),
        pytest.param(b"<html></html>", id="html"),
        pytest.param(b'{"data":' + b"[" * 100_000, id="nested-too-deep"),
    ],
)
def test_a_body_that_is_no_listing_is_an_error(body: bytes) -> None:
    """Nothing is made up where there is no list of actions."""
    with pytest.raises(InvalidResponseError, match=r"not JSON|is not a list of actions"):
        decode_page(body)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"data":[]}', b'{"data":null}'])
def test_a_body_that_is_no_action_is_an_error(body: bytes) -> None:
    """Nothing is made up where there is no action."""
    with pytest.raises(InvalidResponseError, match=r"not JSON|is not an action"):
        decode_action(body)
