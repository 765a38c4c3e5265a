"""What an observation of a bulk action means: what is known after it, and whether it ended.

Pure: no clock, no I/O. It must not count the members itself, or know how the counts were found.
"""

from collections.abc import Iterable

import msgspec

from exporter.domain import BULK_MEMBER_TYPES, OTHER, BulkAction, BulkCounts, ListedBulk

YOUNG = 3600.0
"""Seconds for which a bulk action without any member counts as one that has not begun."""

KEPT = 250
"""The newest bulk actions are kept however long ago they ended: a page of the list shows them."""

MIN_ENDED = 20
"""Members of a bulk action that must have ended before the share that ended badly counts."""

MAX_BULK_TYPES = 20
"""How many types of bulk actions have a label value of their own; further ones are `other`."""

MAX_TYPE_LENGTH = 100
"""Characters of a type that has a label value of its own: the text is foreign."""


def observe_bulk(
    known: BulkAction | None, seen: ListedBulk, counts: BulkCounts, *, now: float, api_now: float
) -> BulkAction:
    """Return what is known of a bulk action once it was seen with these counts of its members."""
    if known is None:
        known = BulkAction(seen.id, seen.action_type, seen.created_at, now, now, now, None, counts)
    elif counts.ended != known.counts.ended:
        known = msgspec.structs.replace(known, changed_at=now)
    begins = counts.total == 0 and api_now - known.started_at < YOUNG
    ends = known.ended_at is None and counts.left == 0 and not begins
    ended_at = now if ends else known.ended_at
    return msgspec.structs.replace(
        known,
        read_at=now if ended_at is None or counts.left else known.read_at,
        action_type=seen.action_type or known.action_type,
        counts=counts,
        ended_at=ended_at,
    )


def is_news(known: BulkAction | None, now_known: BulkAction, since: float | None) -> bool:
    """Tell whether a bulk action has ended since it was looked at last; once for each.

    One that is new is history if it was created before ``since``: when the list was read first on
    the API's clock, or the newest that was forgotten since was created; None: it was never read
    before. One that has no time may be one that was forgotten, so it is history too.
    """
    if now_known.ended_at is None or (known is not None and known.ended_at is not None):
        return False
    if known is not None:
        return True
    created_at = now_known.created_at
    return since is not None and created_at is not None and created_at > since


def failure_ratio(bulk: BulkAction) -> float:
    """Return the share of the members that ended that ended badly; 0 as long as few have ended."""
    counts = bulk.counts
    bad = counts.failed + counts.interrupted
    return bad / counts.ended if counts.ended >= MIN_ENDED else 0.0


def bulk_label(action_type: str, types: Iterable[str]) -> str:
    """Return the label value for a type, of which there are ``types``."""
    return action_type if action_type in types else OTHER


def bulk_types(bulks: Iterable[BulkAction]) -> tuple[str, ...]:
    """Return the types that have a label value of their own.

    The documented ones, then those that were seen first, so that a new one takes no place.
    """
    found = sorted((each.seen_at, each.action_type) for each in bulks)
    named = (each for _, each in found if 0 < len(each) <= MAX_TYPE_LENGTH and each != OTHER)
    return tuple(dict.fromkeys((*BULK_MEMBER_TYPES, *named)))[:MAX_BULK_TYPES]


def forgettable(bulks: Iterable[BulkAction], before: float) -> tuple[str, ...]:
    """Return the ids of those that ended ``before`` and are not among the newest."""
    ordered = sorted(bulks, key=lambda each: (each.started_at, each.id), reverse=True)
    return tuple(
        each.id
        for each in ordered[KEPT:]
        if each.ended_at is not None and each.ended_at < before and not each.in_progress
    )


def since_after(since: float | None, forgotten: Iterable[BulkAction]) -> float | None:
    """Return ``since`` of `is_news` once some were forgotten: a page may show them again.

    A time that the API gives, and that is after the end, must not make history of what comes.
    """
    times = (min(each.created_at or 0.0, each.ended_at or 0.0) for each in forgotten)
    return None if since is None else max((since, *times))


class Pace(msgspec.Struct, frozen=True):
    """How fast a bulk action goes on average; None where nothing has ended yet."""

    ended_a_minute: float | None
    seconds_left: float | None


def pace_of(bulk: BulkAction, now: float) -> Pace:
    """Return how many members ended a minute since it was created, and how long the rest takes."""
    seconds = now - bulk.started_at
    if bulk.counts.ended == 0 or seconds <= 0:
        return Pace(None, None)
    per_second = bulk.counts.ended / seconds
    return Pace(per_second * 60, bulk.counts.left / per_second)
