"""Reading the ends of a listing: how it is sorted, and the page where new actions appear.

It must not take anything in.
"""

from dataclasses import dataclass

from exporter.ledger.model import Listing, Order, Scope
from exporter.polling.order import learn
from exporter.polling.plan import pages_of
from exporter.polling.reader import Reader
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
    """Ask for both ends, and find out the order from them; two requests at most."""
    first = last = await reader.fetch(scope, 1)
    number = max(1, pages_of(first.total or 0, reader.size))
    if number > 1:
        last = await reader.fetch(scope, number)
    return Ends(learn(first.actions, last.actions), first, last, number)


async def new_end(reader: Reader, scope: Scope, listing: Listing) -> tuple[Page, int]:
    """Ask for the page where new actions appear; one request, or three if the listing shrank."""
    number = 1
    if listing.order is Order.OLDEST:
        number = max(1, pages_of(listing.accounted, reader.size))
    page = await reader.fetch(scope, number)
    if number > 1 and not page.actions:
        # Past the end, whatever that is answered with: the first page tells where that is.
        page, number = await reader.fetch(scope, 1), 1
        if pages_of(page.total or 0, reader.size) > 1:
            number = pages_of(page.total or 0, reader.size)
            page = await reader.fetch(scope, number)
    return page, number
