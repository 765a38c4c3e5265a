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


async def both_ends(reader: Reader, scope: Scope) -> Ends:
    """Ask for both ends, and find out the order from them; two requests where totals are right.

    The far end is only needed where new actions appear there: elsewhere one that cannot be read
    is done without. Raises TooDeepError where it is needed and refused.
    """
    first = last = await reader.fetch(scope, 1)
    number = max(1, pages_of(first.total or 0, reader.size))
    unread: Exception | None = None
    if number > 1:
        try:
            last = await reader.fetch(scope, number)
        except (InvalidResponseError, UnavailableError) as exc:
            last, unread = NOTHING, exc
    order = learn(first.actions, last.actions)
    if order is Order.OLDEST:
        if unread is not None:
            raise unread
        if not last.actions:
            last, number = await _last_within(reader, scope, (first, 1), number)
        last, number = await _last_from(reader, scope, last, number)
        # One page alone may show what the whole list does not.
        order = learn(first.actions, last.actions)
    return Ends(order, first, last, number)


async def new_end(reader: Reader, scope: Scope, listing: Listing) -> tuple[Page, int]:
    """Ask for the page where new actions appear; one request, or three if the listing shrank.

    Raises TooDeepError where that page is refused.
    """
    number = 1
    if listing.order is Order.OLDEST:
        number = max(1, pages_of(listing.accounted, reader.size))
    page = await reader.fetch(scope, number)
    if number > 1 and not page.actions:
        require(reader, number)
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
        require(reader, number + step)
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
        require(reader, middle)
        if between.actions:
            page, number = between, middle
        else:
            empty = middle
    return page, number


def require(reader: Reader, number: int) -> None:
    """Raise TooDeepError if a page is refused for its depth."""
    if reader.reach is not None and reader.refuses(number):
        raise too_deep(reader.reach + 1)


def too_deep(number: int) -> TooDeepError:
    """Return the error of a page where new actions appear, that cannot be read."""
    return TooDeepError(
        f"the list of actions is sorted oldest first, and the API refuses its page {number}, where "
        "new ones appear: set action_types or statuses of the account, so that each list is shorter"
    )
