"""Decoding of whatever JSON may come, made up by the thousand."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import InvalidResponseError
from exporter.telnyx.schema import decode_action, decode_errors, decode_page

ODD = {"id": "odd", "created_at": 5}
"""An item that sends the whole page the slow way."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
STATUSES = JSON | st.fixed_dictionaries({}, optional={"value": JSON, "reason": JSON})
ITEMS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(min_size=1, max_size=8) | JSON,
        "sim_card_id": JSON,
        "action_type": JSON,
        "status": STATUSES,
        "settings": JSON,
        "created_at": JSON | st.datetimes().map(str),
        "updated_at": JSON,
    },
)
METAS = JSON | st.fixed_dictionaries({}, optional={"total_results": JSON, "page_size": JSON})
PAGES = JSON | st.fixed_dictionaries(
    {}, optional={"data": st.lists(ITEMS, max_size=4) | JSON, "meta": METAS}
)
PROBLEMS = st.dictionaries(st.sampled_from(["code", "title", "detail", "source"]), JSON)
ERRORS = JSON | st.fixed_dictionaries({"errors": st.lists(JSON | PROBLEMS, max_size=3)})


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


@settings(deadline=None)
@given(PAGES)
def test_no_page_raises_anything_else(value: object) -> None:
    """Any JSON is a page or our own error; each item is read or counted; all text is clean."""
    try:
        page = decode_page(_body(value))
    except InvalidResponseError:
        return
    assert isinstance(value, dict)
    assert len(page.actions) + page.malformed == len(value["data"])
    for action in page.actions:
        texts = (action.id, action.sim_card_id, action.action_type, action.status)
        for text in (*texts, action.reason or ""):
            assert text.encode().decode() == text
            assert "\0" not in text
        assert isinstance(action.created_at, float | None)


@settings(deadline=None)
@given(st.lists(ITEMS, max_size=3))
def test_an_item_is_read_the_same_whatever_stands_beside_it(items: list[Any]) -> None:
    """An odd item sends its page the slow way, on which the others read just the same."""
    alone = [decode_page(_body({"data": [item]})).actions for item in items]
    assert decode_page(_body({"data": [*items, ODD]})).actions[:-1] == tuple(
        action for each in alone for action in each
    )


@settings(deadline=None)
@given(JSON | st.fixed_dictionaries({"data": ITEMS}))
def test_no_action_raises_anything_else(value: object) -> None:
    """Any JSON is an action or our own error."""
    try:
        assert decode_action(_body(value)).id
    except InvalidResponseError:
        return


@settings(deadline=None)
@given(ERRORS)
def test_no_error_body_raises(value: object) -> None:
    """Any JSON may stand where an error is described, and every line of it can be printed."""
    for problem in decode_errors(_body(value)):
        assert str(problem).encode().decode() == str(problem)
