"""Reads one list of actions in its order while it shifts, so that nothing that stays is left out.

New actions move what follows them back; those that leave a list by status move it forward, over a
page that was read. What is left is therefore counted from the end, as in the reading of a history.
It must not know what is done with the actions.
"""

from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from exporter.domain import Action
from exporter.history.reading import MOST_PASSES, MOST_STALLS
from exporter.ledger.records import ListFilter
from exporter.sync.fetcher import Fetcher
from exporter.telnyx.schema import Page


@dataclass(slots=True)
class PassPosition:
    """Where a pass through a list is: ``number`` is the page to read next.

    ``left`` is how many actions at the end are still to be read, None where pages are counted
    instead, because no total says where they are. ``ahead`` has the actions of a page that was read
    too early, and how many were left behind it. ``deepest`` is the last page that was read,
    ``lowest`` the lowest total.
    """

    number: int = 1
    deepest: int = 0
    left: int | None = None
    ahead: tuple[AbstractSet[str], int] = frozenset(), 0
    lowest: int | None = None
    counted: bool = True

    def take(self, page: Page, size: int, *, last: bool) -> bool:
        """Go on after the page ``number``; returns whether it was the end of the list."""
        number, total = self.number, page.total
        before = (number - 1) * size
        self.deepest = max(self.deepest, number)
        if total is None or 0 < page.length > total - before:
            self.counted = False  # there is no total, or it is too small
        if total is None or not self.counted:
            self.number = number + 1
            return last
        self.lowest = total if self.lowest is None else min(total, self.lowest)
        top, bottom = total - before, max(0, total - before - size)
        ids = {each.id for each in page.actions}
        if self.left is not None and top < self.left and before:
            self.ahead = ids, bottom  # what lies between moved to a page that was read before
            last = False
        else:
            self.left = bottom if self.left is None else min(self.left, bottom)
            if not ids.isdisjoint(self.ahead[0]):
                self.left = min(self.left, self.ahead[1])
        self.number = max(1, min((total - self.left) // size, self.deepest) + 1)
        return last


class LiveList:
    """One list. Once it was read, ``incomplete`` says what could not be; empty if nothing."""

    def __init__(self, fetcher: Fetcher, list_filter: ListFilter) -> None:
        """Read nothing yet."""
        self._fetcher = fetcher
        self._filter = list_filter
        self._seen: set[str] = set()
        self.incomplete = ""

    async def pages(self) -> AsyncGenerator[tuple[Sequence[Action], int, int | None], None]:
        """Yield the new actions of each page, how many were read, and of how many.

        It is read once more where fewer were found than there are, or where it may have become
        shorter unnoticed. Raises PollError.
        """
        for number in range(1, MOST_PASSES + 1):
            known = len(self._seen)
            place, here = PassPosition(), set[str]()
            malformed = stalls = 0
            over = False
            while not over and stalls < MOST_STALLS:
                at, first_time = place.number, place.number > place.deepest
                page = await self._fetcher.page(self._filter, at)
                last = not page.length or self._fetcher.is_last(page, at)
                over = place.take(page, self._fetcher.page_size, last=last)
                ids = {each.id for each in page.actions}
                if first_time:
                    malformed += page.malformed
                    # Some servers give their last page again for each number after it.
                    stalls = stalls + 1 if ids <= here else 0
                new = [each for each in page.actions if each.id not in self._seen]
                here |= ids
                self._seen |= ids
                yield new, len(self._seen), page.total
            agrees = number > 1 and len(self._seen) == known
            self.incomplete = self._missing(place, malformed, over=over, agrees=agrees)
            if not self.incomplete or agrees or not over:
                return

    def _missing(self, place: PassPosition, malformed: int, *, over: bool, agrees: bool) -> str:
        if place.lowest is not None:
            missing = place.lowest - len(self._seen) - malformed
            return f"{missing:,} actions that Telnyx counts could not be read" * (missing > 0)
        if not over:
            return (
                f"what follows page {place.deepest - MOST_STALLS}, if anything, could not be read"
            )
        if self._filter.status is not None and place.deepest > 1 and not agrees:
            return "the list changes while it is read, so actions may be missing"
        return ""
