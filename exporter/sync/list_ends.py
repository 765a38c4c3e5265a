"""The ends of a list: how it is sorted, and the page where new actions appear.

A total only says where to read first: an end has to be seen, as a page that is not full or has
nothing behind it. It must not record anything.
"""

from dataclasses import dataclass

from exporter.errors import InvalidResponseError, TooDeepError, UnavailableError
from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.sync.fetcher import EMPTY_PAGE, Fetcher
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import detect_order
from exporter.telnyx.schema import Page


@dataclass(frozen=True, slots=True)
class ListEnds:
    """The first and the last page of a list, which may be the same; ``last`` is its number."""

    order: SortOrder
    first_page: Page
    last_page: Page
    last: int

    @property
    def new_end(self) -> tuple[Page, int]:
        """Return the page where new actions appear, and its number."""
        at_last = self.order is SortOrder.OLDEST
        return (self.last_page, self.last) if at_last else (self.first_page, 1)


async def both_ends(
    fetcher: Fetcher, list_filter: ListFilter, known: SortOrder = SortOrder.NEWEST
) -> ListEnds:
    """Fetch both ends, and find out the order from them; two requests where totals are right.

    ``known`` is the order where the ends show none. The last page is only needed where new actions
    appear there: in other orders it does not matter if it cannot be read. Raises TooDeepError where
    it is needed and refused.
    """
    first = last = await fetcher.page(list_filter, 1)
    number = max(1, pages_of(first.total or 0, fetcher.page_size))
    unread: Exception | None = None
    if number > 1:
        try:
            last = await fetcher.page(list_filter, number)
        except (InvalidResponseError, UnavailableError) as exc:
            last, unread = EMPTY_PAGE, exc
    order = detect_order(first.actions, last.actions, known=known)
    if order is SortOrder.OLDEST:
        if unread is not None:
            raise unread
        if not last.actions:
            last, number = await _last_within(fetcher, list_filter, (first, 1), number)
        last, number = await _last_from(fetcher, list_filter, last, number)
        # One page alone may show what the whole list does not.
        order = detect_order(first.actions, last.actions, known=known)
    return ListEnds(order, first, last, number)


async def new_end(
    fetcher: Fetcher, list_filter: ListFilter, cursor: ListCursor
) -> tuple[Page, int]:
    """Fetch the page where new actions appear; one request, or three if the list shrank.

    Raises TooDeepError where that page is refused.
    """
    if cursor.order is not SortOrder.OLDEST:
        return await fetcher.page(list_filter, 1), 1
    number = max(1, pages_of(cursor.seen_count, fetcher.page_size))
    page = await fetcher.page(list_filter, number)
    if number > 1 and fetcher.limits.page_size is None:
        # Only the first page shows how large pages are where the API does not say.
        await fetcher.page(list_filter, 1)
        number = max(1, pages_of(cursor.seen_count, fetcher.page_size))
        page = await fetcher.page(list_filter, number)
    if number > 1 and not page.actions:
        # Past the end, however the API answers that: the first page shows where the end may be.
        first = await fetcher.page(list_filter, 1)
        guess = pages_of(first.total or 0, fetcher.page_size)
        if not 1 < guess < number:
            return await _last_within(fetcher, list_filter, (first, 1), number)
        page = await fetcher.page(list_filter, guess)
        if not page.actions:
            return await _last_within(fetcher, list_filter, (first, 1), guess)
        number = guess
    return page, number


async def _last_from(
    fetcher: Fetcher, list_filter: ListFilter, page: Page, number: int
) -> tuple[Page, int]:
    """Return the last page that holds anything, and its number, at ``number`` or after it."""
    step = 1
    while fetcher.is_full(page):
        following = await fetcher.page(list_filter, number + step)
        if not following.actions:
            return await _last_within(fetcher, list_filter, (page, number), number + step)
        if following.actions[0].id == page.actions[0].id:
            # It gives its last page again, whichever is asked for after that.
            raise too_deep(number + step)
        page, number, step = following, number + step, step * 2
    return page, number


async def _last_within(
    fetcher: Fetcher, list_filter: ListFilter, found: tuple[Page, int], empty: int
) -> tuple[Page, int]:
    """Return the last page that holds anything, from the one ``found`` to before ``empty``."""
    page, number = found
    while empty - number > 1 and fetcher.is_full(page):
        middle = (number + empty) // 2
        between = await fetcher.page(list_filter, middle)
        if between.actions:
            page, number = between, middle
        else:
            empty = middle
    check_end(fetcher, list_filter, page, number)
    return page, number


def check_end(fetcher: Fetcher, list_filter: ListFilter, page: Page, number: int) -> None:
    """Raise TooDeepError if there is more behind a page that cannot be read.

    A page that is not full is the end. One that is full is not where the API refuses the next, or
    shows nothing there though its total says that there is more.
    """
    more = fetcher.has_more(page, number)
    if fetcher.is_full(page) and (more or fetcher.refuses(list_filter, number + 1)):
        raise too_deep(number + 1)


def too_deep(number: int) -> TooDeepError:
    """Return the error for page ``number``, where new actions appear and which is refused."""
    return TooDeepError(
        f"the list of actions is sorted oldest first, and the API rejects page {number}, where new "
        "actions appear; set action_types or statuses of the account to shorten the lists"
    )
