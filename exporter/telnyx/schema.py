"""Decodes the responses of Telnyx: actions, bulk actions, SIM cards, pages of them, error bodies.

Decoding is lenient: the API guarantees no field, so an item that cannot be decoded is skipped and
counted, and the rest of its page is kept. All text is sanitized (see `text`). Of a SIM card only
the fields of `SimCard` are read: what is personal never leaves this module. It must not do I/O, or
interpret a status. Source: Telnyx' OpenAPI document, `SIMCardAction`, `SimpleSIMCard`,
`BulkSIMCardActionDetailed`, `PaginationMeta`, `Errors`.
"""

from collections import Counter
from datetime import datetime
from typing import Annotated

import msgspec

from exporter.domain import Action, BulkCounts, ListedBulk, SimCard, Status
from exporter.errors import InvalidResponseError
from exporter.telnyx.lenient_json import (
    UNREADABLE,
    any_text,
    count,
    decode_anything,
    mapping,
    text,
    time,
)

_USUAL = frozenset(Status)
"""Statuses that need no normalization, which are nearly all."""

_ESCAPED_NUL = b"\\u0000"
"""The only way to write a NUL in JSON."""

MAX_ID_LENGTH = 200
"""Longer values are not identifiers, which are UUIDs of 36 characters."""


MAX_TAGS = 20
"""Further tags of a SIM card are dropped."""

_MAX_TEXT_LENGTH = 100
"""Longer ICCIDs, names of groups, tags, statuses and types of bulk actions are cut."""


class Page(msgspec.Struct, frozen=True):
    """One page of a list; ``total`` and ``page_size`` are None if the API did not send them."""

    actions: tuple[Action, ...]
    total: int | None
    page_size: int | None
    malformed: int

    @property
    def length(self) -> int:
        """Return how many actions are on it, including those that cannot be decoded."""
        return len(self.actions) + self.malformed


class SimCardPage(msgspec.Struct, frozen=True):
    """One page of SIM cards; ``total`` and ``page_size`` are None if the API did not send them."""

    cards: tuple[SimCard, ...]
    total: int | None
    page_size: int | None
    malformed: int = 0

    @property
    def length(self) -> int:
        """Return how many SIM cards are on it, including those that cannot be decoded."""
        return len(self.cards) + self.malformed


class BulkPage(msgspec.Struct, frozen=True):
    """One page of bulk actions; ``total`` and ``page_size`` are None if the API sent none."""

    bulks: tuple[ListedBulk, ...]
    total: int | None
    page_size: int | None
    malformed: int = 0

    @property
    def length(self) -> int:
        """Return how many bulk actions are on it, including those that cannot be decoded."""
        return len(self.bulks) + self.malformed


class ApiError(msgspec.Struct, frozen=True):
    """One entry of an error body, every field as text, empty if it was not sent."""

    code: str
    title: str
    detail: str
    pointer: str
    parameter: str

    def __str__(self) -> str:
        """Return a readable line."""
        place = self.parameter or self.pointer
        text = ": ".join(part for part in (self.title, self.detail) if part)
        return " ".join(part for part in (self.code, text, f"({place})" if place else "") if part)


_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _StatusObject(msgspec.Struct, gc=False):
    value: str | None = None
    reason: str | None = None


class _Item(msgspec.Struct, gc=False):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
    sim_card_id: str | None = None
    action_type: str | None = None
    status: _StatusObject | str | None = None
    created_at: _Instant | None = None
    updated_at: _Instant | None = None


class _Meta(msgspec.Struct):
    total_results: int | None = None
    page_size: int | None = None


class _PageBody(msgspec.Struct):
    data: list[_Item]
    meta: _Meta | None = None


_PAGE = msgspec.json.Decoder(_PageBody)


def decode_page(body: bytes) -> Page:
    """Decode a page of a list; raises InvalidResponseError if the body is not a page at all."""
    # The fast path keeps text as it is, which is right except for NUL: it rejects surrogates. What
    # it takes for granted is checked page by page; where it is not so, each item is looked at.
    if _ESCAPED_NUL in body:
        return _decode_leniently(body)
    try:
        page = _PAGE.decode(body)
    except UNREADABLE:
        return _decode_leniently(body)
    if not "".join([item.id for item in page.data]).isprintable():
        return _decode_leniently(body)
    alike: dict[str, str] = {}
    actions = tuple([_action(item, alike) for item in page.data])
    meta = page.meta or _Meta()
    return Page(actions, count(meta.total_results), count(meta.page_size), malformed=0)


def decode_action(body: bytes) -> Action:
    """Decode the response for one action; raises InvalidResponseError."""
    action = _action_from_anything(mapping(decode_anything(body)).get("data"))
    if action is None:
        raise InvalidResponseError("the response is not an action: it has no valid id")
    return action


def decode_sim_card(body: bytes) -> SimCard:
    """Decode the response for one SIM card; raises InvalidResponseError.

    ``deleted`` and ``looked_up_at`` are for the caller to set.
    """
    card = _sim_card(mapping(decode_anything(body)).get("data"))
    if card is None:
        raise InvalidResponseError("the response is not a SIM card: it has no valid id")
    return card


def decode_sim_card_page(body: bytes) -> SimCardPage:
    """Decode a page of SIM cards; raises InvalidResponseError if the body is not a page at all."""
    items, total, page_size = _page(body, "SIM cards")
    cards = tuple(card for item in items if (card := _sim_card(item)) is not None)
    return SimCardPage(cards, total, page_size, len(items) - len(cards))


def decode_bulk(body: bytes) -> ListedBulk:
    """Decode the response for one bulk action; raises InvalidResponseError."""
    bulk = _bulk(mapping(decode_anything(body)).get("data"))
    if bulk is None:
        raise InvalidResponseError("the response is not a bulk action: it has no valid id")
    return bulk


def decode_bulk_page(body: bytes) -> BulkPage:
    """Decode a page of bulk actions; raises InvalidResponseError if the body is no page at all."""
    items, total, page_size = _page(body, "bulk actions")
    bulks = tuple(bulk for item in items if (bulk := _bulk(item)) is not None)
    return BulkPage(bulks, total, page_size, len(items) - len(bulks))


def decode_errors(body: bytes) -> tuple[ApiError, ...]:
    """Decode an error body; empty if it does not have the documented form."""
    try:
        errors = mapping(decode_anything(body)).get("errors")
    except InvalidResponseError:
        return ()
    return tuple(
        ApiError(
            code=text(error.get("code")),
            title=text(error.get("title")),
            detail=text(error.get("detail")),
            pointer=text(mapping(error.get("source")).get("pointer")),
            parameter=text(mapping(error.get("source")).get("parameter")),
        )
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    )


def is_documented_error(body: bytes) -> bool:
    """Tell whether an error body has the documented form: an error with a code or a title."""
    return any(error.code or error.title for error in decode_errors(body))


def _decode_leniently(body: bytes) -> Page:
    """Decode a page item by item: slower, for pages with unexpected content."""
    items, total, page_size = _page(body, "actions")
    read = (_action_from_anything(item) for item in items)
    actions = tuple(action for action in read if action is not None)
    return Page(actions, total, page_size, len(items) - len(actions))


def _page(body: bytes, what: str) -> tuple[list[object], int | None, int | None]:
    """Return the items of a page, the total and the page size; raises InvalidResponseError."""
    page = mapping(decode_anything(body))
    items = page.get("data")
    if not isinstance(items, list):
        raise InvalidResponseError(
            f"the response is not a list of {what}: `data` is missing or not a list"
        )
    meta = mapping(page.get("meta"))
    return items, count(meta.get("total_results")), count(meta.get("page_size"))


def _action(item: _Item, alike: dict[str, str]) -> Action:
    """Return an item as an action; ``alike`` has one object for each text, to save memory."""
    status = item.status
    if isinstance(status, _StatusObject):
        value, reason = status.value, status.reason
    else:
        value, reason = status, None
    action_type = item.action_type or ""
    if value not in _USUAL:
        value = _status(value or "")
    created = None if item.created_at is None else item.created_at.timestamp()
    updated = None if item.updated_at is None else item.updated_at.timestamp()
    return Action(
        item.id,
        item.sim_card_id or "",
        alike.setdefault(action_type, action_type),
        alike.setdefault(value, value),
        reason,
        created,
        # As of nearly all in progress: one object for both, of which there may be 100,000.
        created if updated == created else updated,
    )


def _action_from_anything(item: object) -> Action | None:
    """Decode one item field by field; None if it has no valid id."""
    fields = mapping(item)
    action_id = fields.get("id")
    # A number may have lost digits in decoding, so it cannot be requested by id.
    if not isinstance(action_id, str) or not is_id(action_id):
        return None
    status = fields.get("status")
    value, reason = status, None
    if isinstance(status, dict):
        value, reason = status.get("value"), status.get("reason")
    return Action(
        action_id,
        text(fields.get("sim_card_id")),
        text(fields.get("action_type")),
        _status(value if isinstance(value, str) else ""),
        any_text(reason),
        time(fields.get("created_at")),
        time(fields.get("updated_at")),
    )


def _sim_card(item: object) -> SimCard | None:
    """Decode what is kept of a SIM card; None if it has no valid id."""
    fields = mapping(item)
    sim_card_id = fields.get("id")
    if not isinstance(sim_card_id, str) or not is_id(sim_card_id):
        return None
    group = mapping(fields.get("sim_card_group"))
    tags = fields.get("tags")
    status = fields.get("status")
    named = [_short(tag) for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return SimCard(
        sim_card_id,
        iccid=_short(fields.get("iccid")),
        group_id=_id_or_nothing(fields.get("sim_card_group_id")) or _id_or_nothing(group.get("id")),
        group=_short(group.get("name")),
        tags=tuple(dict.fromkeys(filter(None, named)))[:MAX_TAGS],
        status=_short(status.get("value") if isinstance(status, dict) else status).lower(),
    )


def _bulk(item: object) -> ListedBulk | None:
    """Decode what is kept of a bulk action; None if it has no valid id."""
    fields = mapping(item)
    bulk_id = fields.get("id")
    if not isinstance(bulk_id, str) or not is_id(bulk_id):
        return None
    return ListedBulk(
        bulk_id,
        _short(fields.get("action_type")),
        time(fields.get("created_at")),
        _bulk_counts(fields.get("sim_card_actions_summary")),
    )


_COUNT_FIELDS: dict[str, str] = {each: each.replace("-", "_") for each in Status}


def _bulk_counts(summary: object) -> BulkCounts | None:
    """Decode a summary: ``[{status, count}]``, or an object of counts; None if it is neither."""
    if isinstance(summary, dict):
        summary = [{"status": status, "count": n} for status, n in summary.items()]
    if not isinstance(summary, list):
        return None
    counts: Counter[str] = Counter()
    for each in map(mapping, summary):
        status = each.get("status")
        value = status.get("value") if isinstance(status, dict) else status
        number = count(each.get("count"))
        # A status without a count, or the other way round: what is left would be a wrong sum.
        if not isinstance(value, str) or number is None:
            return None
        counts[_COUNT_FIELDS.get(_status(value), "other")] += number
    return BulkCounts(**counts)


def _short(value: object) -> str:
    """Return a name as one line of limited length; empty for what is not a name."""
    # A float has lost digits in decoding: it would be another ICCID.
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return " ".join(text(value).split())[:_MAX_TEXT_LENGTH]


def _id_or_nothing(value: object) -> str:
    return value if isinstance(value, str) and is_id(value) else ""


def is_id(value: str) -> bool:
    """Tell whether ``value`` can be the id of an object; damaged text would be another id."""
    return 0 < len(value) <= MAX_ID_LENGTH and value.isprintable()


def _status(value: str) -> str:
    return text(value).strip().lower().replace("_", "-")
