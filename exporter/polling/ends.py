"""Reading the ends of a listing: how it is sorted, and the page where new actions appear.

A total only says where to look first: an end is one that was seen to be one, as a page that is
not full, or with nothing behind it. It must not take anything in.
"""

from dataclasses import dataclass

from exporter.errors import InvalidResponseError, TooDeepError, UnavailableError
from exporter.ledger.model import Listing, Order, Scope
from exporter.polling.order import learn
from exporter.polling.plan import pages_of
from exporter.polling.reader import NOTHING, Reader
from exporter.telnyx.wire import Page


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a listing, one and the same page where it has no other; ``last`` by number."""

    order: Order
    first_page: Page
    last_page: Page
    last: int

    @property
    def new_end(self) -> tuple[Page, int]:
        """Return the page where new actions appear, and its number."""
        at_last = self.order is Order.OLDEST
        return (self.last_page, self.last) if at_last else (self.first_page, 1)


async def both_ends(reader: Reader, scope: Scope, known: Order = Order.NEWEST) -> Ends:
    """Ask for both ends, and find out the order from them; two requests where totals are right.

    ``known`` is the order where the ends show none. The far end is only needed where new actions
    appear there: elsewhere one that cannot be read is done without. Raises TooDeepError where it
    is needed and refused.
    """
    first = last = await reader.fetch(scope, 1)
    number = max(1, pages_of(first.total or 0, reader.size))
    unread: Exception | None = None
    if number > 1:
        try:
            last = await reader.fetch(scope, number)
        except (InvalidResponseError, UnavailableError) as exc:
            last, unread = NOTHING, exc
    order = learn(first.actions, last.actions, known=known)
    if order is Order.OLDEST:
        if unread is not None:
            raise unread
        if not last.actions:
            last, number = await _last_within(reader, scope, (first, 1), number)
        last, number = await _last_from(reader, scope, last, number)
        # One page alone may show what the whole list does not.
        order = learn(first.actions, last.actions, known=known)
    return Ends(order, first, last, number)


async def new_end(reader: Reader, scope: Scope, listing: Listing) -> tuple[Page, int]:
    """Ask for the page where new actions appear; one request, or three if the listing shrank.

    Raises TooDeepError where that page is refused.
    """
    if listing.order is not Order.OLDEST:
        return await reader.fetch(scope, 1), 1
    number = max(1, pages_of(listing.accounted, reader.size))
    page = await reader.fetch(scope, number)
    if number > 1 and not reader.sized:
        # Only the first page shows how large pages are where the API does not say.
        await reader.fetch(scope, 1)
        number = max(1, pages_of(listing.accounted, reader.size))
        page = await reader.fetch(scope, number)
    if number > 1 and not page.actions:
        # Past the end, whatever that is answered with: the first page tells where that may be.
        first = await reader.fetch(scope, 1)
        guess = pages_of(first.total or 0, reader.size)
        if not 1 < guess < number:
            return await _last_within(reader, scope, (first, 1), number)
        page = await reader.fetch(scope, guess)
        if not page.actions:
            return await _last_within(reader, scope, (first, 1), guess)
        number = guess
    return page, number


async def _last_from(reader: Reader, scope: Scope, page: Page, number: int) -> tuple[Page, int]:
    """Return the last page that holds anything, and its number, at ``number`` or after it."""
    step = 1
    while reader.is_full(page):
        following = await reader.fetch(scope, number + step)
        if not following.actions:
            return await _last_within(reader, scope, (page, number), number + step)
        if following.actions[0].id == page.actions[0].id:
            # It gives its last page again, whichever is asked for after that.
            raise too_deep(number + step)
        page, number, step = following, number + step, step * 2
    return page, number


async def _last_within(
    reader: Reader, scope: Scope, found: tuple[Page, int], empty: int
) -> tuple[Page, int]:
    """Return the last page that holds anything, from the one ``found`` to before ``empty``."""
    page, number = found
    while empty - number > 1 and reader.is_full(page):
        middle = (number + empty) // 2
        between = await reader.fetch(scope, middle)
        if between.actions:
            page, number = between, middle
        else:
            empty = middle
    check_end(reader, scope, page, number)
    return page, number


def check_end(reader: Reader, scope: Scope, page: Page, number: int) -> None:
    """Raise TooDeepError if nothing stands behind a page but what may not be read.

    A page that is not full is the end. One that is full is none where the API refuses the next, or
    shows nothing there though its total promises more.
    """
    promised = page.total is not None and number < pages_of(page.total, reader.size)
    if reader.is_full(page) and (promised or reader.refuses(scope, number + 1)):
        raise too_deep(number + 1)


def too_deep(number: int) -> TooDeepError:
    """Return the error of a page where new actions appear, that cannot be read."""
    return TooDeepError(
        f"the list of actions is sorted oldest first, and the API refuses its page {number}, where "
        "new ones appear: set action_types or statuses of the account, so that each list is shorter"
    )
