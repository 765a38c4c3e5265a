"""Foreign text made into text that every store, log and page can hold. Pure."""

import re

from msgspec.structs import replace

from exporter.domain import Action

REPLACEMENT = "\ufffd"
"""The character that stands for what cannot be kept."""

_UNKEPT = re.compile("[\0\ud800-\udfff]")
"""NUL ends a text in many programs, and half a surrogate pair is no character of UTF-8."""


def sanitized(action: Action) -> Action:
    """Return an action whose texts can be stored and shown, itself where they can."""
    texts = f"{action.id}{action.sim_card_id}{action.action_type}{action.status}{action.reason}"
    if texts.isprintable():  # the usual case, and the cheap check
        return action
    return replace(
        action,
        id=_kept(action.id),
        sim_card_id=_kept(action.sim_card_id),
        action_type=_kept(action.action_type),
        status=_kept(action.status),
        reason=None if action.reason is None else _kept(action.reason),
    )


def _kept(text: str) -> str:
    return _UNKEPT.sub(REPLACEMENT, text)
