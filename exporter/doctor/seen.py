"""What was asked of one account and what came back. Values only; it must not judge them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.domain import Action, Status
from exporter.errors import PollError
from exporter.telnyx.client import Received
from exporter.telnyx.reach import AddressReached
from exporter.telnyx.schema import Page

LIST, LIST_SMALL, LIST_END = "list", "list_small", "list_end"
"""The first page of the actions, again in a smaller size if that is refused, and the last page."""

TOTAL_BETWEEN, TOTAL_AFTER = "total_between", "total_after"
"""How many actions there are, after those by status and after those by type."""

ACTION, SIM_CARD_LIST, SIM_CARD = "action", "sim_card_list", "sim_card"
BULK_LIST, BULK = "bulk_list", "bulk"


NO_LIST, INTERRUPTED = "the list of actions was not read", "interrupted"
"""Why nothing further is asked."""

SMALL_PAGE = 20
"""Actions on a page where a few are enough: the default of the API."""

FILTERED = (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED)
"""The statuses that the API can filter on, in the order in which an action passes through them."""


def status_question(status: str) -> str:
    """Return the question for the actions of a status."""
    return f"status {status}"


def type_question(action_type: str) -> str:
    """Return the question for the actions of a type."""
    return f"type {action_type}"


@dataclass(frozen=True, slots=True)
class Reach:
    """The host that is connected to, of the API or of a proxy, and its addresses.

    ``proxy`` is the variable that names the proxy, empty without one. ``error`` says why the name
    was not resolved, empty if it was.
    """

    host: str
    proxy: str = ""
    addresses: tuple[AddressReached, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question.

    ``received`` is the last response to it, None if there was none. Without an ``error``,
    ``document`` is its JSON, and ``page`` the same as a page of actions if it is one.
    """

    received: Received | None = None
    error: PollError | None = None
    document: Any = None
    page: Page | None = None

    @property
    def status(self) -> int | None:
        """Return the HTTP status; None without a response."""
        return None if self.received is None else self.received.answer.status


@dataclass(slots=True)
class Seen:
    """All of an account, as far as it was asked; ``stopped`` says why it was not asked further.

    ``page_size`` is how many actions on a page the polls ask for, and so does LIST; ``requests`` is
    how many were sent in all.
    """

    page_size: int
    reach: Reach | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    requests: int = 0
    stopped: str = ""

    @property
    def small_page(self) -> int:
        """Return the actions on a page where a few are enough, or where a whole one is refused."""
        return min(SMALL_PAGE, self.page_size)

    @property
    def first(self) -> Answer | None:
        """Return the answer with the first page; None if it was not asked for."""
        small = self.answers.get(LIST_SMALL)
        return self.answers.get(LIST) if small is None else small

    @property
    def first_page(self) -> Page | None:
        """Return the first page; None if it could not be read."""
        return None if self.first is None else self.first.page

    def page(self, question: str) -> Page | None:
        """Return the page that answers a question; None if there is none."""
        answer = self.answers.get(question)
        return None if answer is None else answer.page

    def total(self, question: str) -> int | None:
        """Return the total in the answer to a question."""
        page = self.page(question)
        return None if page is None else page.total

    def actions(self) -> Mapping[str, Action]:
        """Return every action that was seen, by ID, as it was seen last."""
        pages = (answer.page for answer in self.answers.values())
        return {each.id: each for page in pages if page is not None for each in page.actions}

    def items(self) -> Iterator[Mapping[str, Any]]:
        """Yield the actions as they were sent, each as often as it was."""
        for answer in self.answers.values():
            if answer.page is not None:
                yield from (each for each in answer.document["data"] if isinstance(each, dict))
