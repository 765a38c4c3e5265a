from collections.abc import Callable
from typing import Any

import pytest

from exporter.ledger.sanitize import sanitized

Maker = Callable[..., Any]


@pytest.mark.parametrize(
    "reason",
    [None, "", "No funds", "zwei\nZeilen\tund é", "\U0001f4a5 boom", "\u202eright to left"],
)
def test_what_can_be_kept_is_kept_as_it_is(make_action: Maker, reason: str | None) -> None:
    """Any text of Unicode stays the same."""
    action = make_action(reason=reason)
    assert sanitized(action) == action


@pytest.mark.parametrize("field", ["id", "sim_card_id", "action_type", "status", "reason"])
@pytest.mark.parametrize(
    "bad", ["\0", chr(0xD800), chr(0xDFFF)], ids=["NUL", "high half", "low half"]
)
def test_what_no_store_can_hold_is_replaced(make_action: Maker, field: str, bad: str) -> None:
    """Each such character is replaced by one, in every text, and the others stay."""
    texts = {"action_id": "a", "status": "failed"}
    texts[{"id": "action_id"}.get(field, field)] = f"one{bad}two{bad}"
    kept = sanitized(make_action(**texts))
    assert getattr(kept, field) == "one\ufffdtwo\ufffd"
