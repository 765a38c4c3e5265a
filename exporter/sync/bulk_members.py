"""Reads which actions are the members of a bulk action, a page at a time, and compares them.

What it costs is bounded by the caller. It must not decide how far a bulk action is, see `bulk`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec

from exporter.clock import Clock
from exporter.domain import BulkAction, BulkCounts
from exporter.errors import PollError, RateLimitedError
from exporter.sync.bulk_plan import PAGE_SIZE, Patience
from exporter.sync.context import PollContext
from exporter.sync.request_plan import pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.query import Query

MAX_COMPARED = 50_000
"""Members that an audit compares at most: looking each up takes a second or so in all."""

MOST_REREADS = 3
"""How often the members of a bulk action are read again where some are missing."""


@dataclass(slots=True)
class MembersReading:
    """What one poll has read: the ids of a page of members, and which page comes next; 0: none.

    ``failed`` are the bulk actions of which no page could be read.
    """

    pages: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class BulkMembers:
    """Reads the members of the bulk actions of one account, poll after poll."""

    def __init__(self, client: Client, clock: Clock) -> None:
        """Keep the parts."""
        self._client = client
        self._clock = clock
        self._patience = Patience()
        self._begun_again: dict[str, int] = {}

    async def read(
        self,
        bulks: Iterable[BulkAction],
        counts: Mapping[str, BulkCounts],
        most: int,
        reading: MembersReading,
    ) -> None:
        """Read ``most`` pages with the ids of members, those of which the fewest were read first.

        ``counts`` are those that this poll has read. Of a bulk action that ended meanwhile they are
        read last, and of one that had ended when it was seen first never. Raises RateLimitedError;
        what came before is in ``reading`` all the same.
        """
        now = self._clock.monotonic()
        unread = [
            each
            for each in bulks
            if each.members_page
            and each.ended_at != each.seen_at
            and not self._patience.waits(each.id, now)
        ]
        unread.sort(key=lambda each: (not each.in_progress, each.members_page, each.id))
        for bulk in unread[:most]:
            query = Query(bulk.members_page, PAGE_SIZE, bulk_id=bulk.id)
            reading.failed.add(bulk.id)
            try:
                page = await self._client.bulk_members(query)
            except RateLimitedError:
                raise
            except PollError:
                continue
            if page.total is not None and page.total > counts.get(bulk.id, bulk.counts).total:
                continue  # of other bulk actions, too: the filter is ignored, or this one grows
            size = min(PAGE_SIZE, page.page_size or PAGE_SIZE)
            more = page.length >= size and (
                page.total is None or bulk.members_page < pages_of(page.total, size)
            )
            ids = tuple(each.id for each in page.actions)
            reading.failed.discard(bulk.id)
            reading.pages[bulk.id] = ids, bulk.members_page + 1 if more else 0

    def record(self, poll: PollContext, reading: MembersReading) -> list[str]:
        """Take what was read into the unit of work; returns those whose last page it was."""
        unit, now = poll.recorder.unit, self._clock.monotonic()
        for bulk_id, (ids, next_page) in reading.pages.items():
            bulk = unit.bulks.get(bulk_id) or poll.ledger.state.bulks[bulk_id]
            unit.bulks[bulk_id] = msgspec.structs.replace(bulk, members_page=next_page)
            unit.bulk_members[bulk_id] = ids
            self._patience.succeeded(bulk_id)
        for bulk_id in reading.failed:
            self._patience.failed(bulk_id, now)
        return [each for each, (_, next_page) in reading.pages.items() if not next_page]

    async def begin_again(self, poll: PollContext, bulk_ids: Iterable[str]) -> bool:
        """Begin again where members are missing after the last page; tells whether any are.

        A list by last change moves while it is read: those that end are on pages read already.
        """
        bulks = poll.ledger.state.bulks
        self._patience.keep(bulks.keys())
        self._begun_again = {each: n for each, n in self._begun_again.items() if each in bulks}
        again = False
        for bulk_id in bulk_ids:
            bulk, times = bulks.get(bulk_id), self._begun_again.get(bulk_id, 0)
            if bulk is None or times >= MOST_REREADS:
                continue
            if (await poll.ledger.count_members(bulk_id)).known < bulk.counts.total:
                self._begun_again[bulk_id] = times + 1
                poll.recorder.unit.bulks[bulk_id] = msgspec.structs.replace(bulk, members_page=1)
                again = True
        return again


async def compare_interrupted(poll: PollContext, bulk_ids: Iterable[str]) -> None:
    """Compare how many members of bulk actions that ended were interrupted with the ledger."""
    unit = poll.recorder.unit
    for bulk_id in bulk_ids:
        bulk = unit.bulks.get(bulk_id) or poll.ledger.state.bulks[bulk_id]
        found = await poll.ledger.count_members(bulk_id)
        # What is history, or was forgotten, is remembered by no status: no sum to compare with.
        exact = found.known == found.remembered == bulk.counts.total
        drift = bulk.counts.interrupted - found.interrupted if exact else 0
        if drift != bulk.drift:
            unit.bulks[bulk_id] = msgspec.structs.replace(bulk, drift=drift)


def comparable(bulks: Collection[BulkAction], counts: Mapping[str, BulkCounts]) -> list[str]:
    """Return the bulk actions whose interrupted members can be compared with the ledger.

    Those that had ended when they were read before, with the same ``counts``: then nothing of them
    changed meanwhile. The newest come first, up to MAX_COMPARED members.
    """
    quiet = [
        bulk
        for bulk in bulks
        if not (bulk.in_progress or bulk.members_page) and bulk.counts == counts.get(bulk.id)
    ]
    quiet.sort(key=lambda each: each.started_at, reverse=True)
    members = accumulate(each.counts.total for each in quiet)
    return [each.id for each, n in zip(quiet, members, strict=True) if n <= MAX_COMPARED]
