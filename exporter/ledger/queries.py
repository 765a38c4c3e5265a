"""What is asked of a ledger, and what is answered: filters, positions, rows. Pure.

Times are seconds since the epoch. It must not know a database, nor how anything is shown.
"""

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from exporter.config.durations import parse_duration
from exporter.domain import (
    CONCERNS,
    KNOWN_ACTION_TYPES,
    Problem,
    ProblemStatus,
    SimCard,
    Status,
    concern_of,
    is_uuid,
)
from exporter.errors import QueryError
from exporter.ledger.problems import ProblemStep
from exporter.ledger.rules import FAILURE_STATUSES
from exporter.ledger.snapshot import SnapshotOptions

_RowT = TypeVar("_RowT")
Position = TypeVar("Position")

DAY = 86_400.0
"""Seconds for which failures are counted by reason."""

MOST_ROWS = 10_000
"""The most rows of one answer; further ones follow by its position."""

REASON_CHARACTERS = 10_000
"""The most that is told of a reason, which is foreign text of any length."""

_MOST_DIGITS = 18
"""Digits of a limit that has no other bound: more rows than that are in no ledger."""

PROBLEM_FILTERS = (
    "account",
    "concern",
    "status",
    "reason_class",
    "sim_card_id",
    "iccid",
    "sim_card_group",
    "tag",
)
FAILURE_FILTERS = (
    "account",
    "action_type",
    "status",
    "reason_class",
    "reason",
    "sim_card_id",
)
ACTION_FILTERS = (
    "account",
    "status",
    "action_type",
    "sim_card_id",
    "iccid",
    "bulk_id",
    "reason_class",
)
TIME_FILTERS = ("since", "until", "ended_since", "ended_until")
"""Filters of actions by the time of their creation and of their end: from, and before."""

SORT_ORDERS = ("opened_at", "-opened_at")
"""The orders of problems: the oldest first, or the newest."""

ACTION_ORDERS = ("-created_at", "created_at", "-ended_at", "ended_at")
"""The orders of actions, ``-`` for the latest first. What is open has the earliest end."""

NOT_ENDED = -1e12
"""The end of an open action in the orders by end: before that of any other."""

_IDS = ("sim_card_id", "bulk_id")
"""Filters by an ID."""

MOST_COUNTED = 10_000
"""The most actions that are counted for an answer."""


@dataclass(frozen=True, slots=True)
class AccountScope:
    """What of an account is shown: as in its snapshot, what its filters leave."""

    name: str
    options: SnapshotOptions

    @property
    def concerns(self) -> tuple[str, ...] | None:
        """The concerns whose problems are tracked; None for all."""
        types = self.options.action_types
        if not types and self.options.watches(""):
            return None
        found = dict.fromkeys(concern_of(each) for each in types)
        return tuple(each for each in found if self.options.watches(each))

    @property
    def unwatched(self) -> tuple[str, ...]:
        """The concerns of its action types whose problems are not tracked."""
        types = self.options.action_types or KNOWN_ACTION_TYPES
        found = dict.fromkeys(concern_of(each) for each in types)
        return tuple(each for each in found if not self.options.watches(each))


@dataclass(frozen=True, slots=True)
class LedgerView:
    """Which accounts are shown, and how reasons are classified: ``classify`` gives the class."""

    accounts: tuple[AccountScope, ...]
    classify: Callable[[str | None], str]
    reason_classes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(each.name for each in self.accounts)

    def only(self, account: str | None) -> tuple[AccountScope, ...]:
        """Return the accounts that a filter leaves; None for all."""
        return tuple(each for each in self.accounts if account in {None, each.name})


@dataclass(frozen=True, slots=True)
class ProblemQuery:
    """Filters of problems (None: any), their order, and the part that is wanted.

    ``after`` is the position of the row before the first one, ``limit`` None for all rows.
    """

    account: str | None = None
    concern: str | None = None
    status: str | None = None
    reason_class: str | None = None
    sim_card_id: str | None = None
    iccid: str | None = None
    sim_card_group: str | None = None
    tag: str | None = None
    sort: str = SORT_ORDERS[0]
    after: tuple[float, str, str, str] | None = None
    limit: int | None = None

    @property
    def of_cards(self) -> bool:
        """Tell whether a filter asks what is known of the SIM card."""
        return any(each is not None for each in (self.iccid, self.sim_card_group, self.tag))

    def going_on(self, position: str) -> "ProblemQuery":
        """Return the query for what follows an encoded position; raises QueryError."""
        return replace(self, after=decode_position(position, tuple[float, str, str, str]))

    def takes_card(self, card: SimCard | None) -> bool:
        """Tell whether a SIM card passes the filters that ask for it."""
        if not self.of_cards:
            return True
        return (
            card is not None
            and self.iccid in {None, card.iccid}
            and self.sim_card_group in {None, card.group, card.group_id}
            and (self.tag is None or self.tag in card.tags)
        )

    def takes(self, account: str, problem: Problem, card: SimCard | None) -> bool:
        """Tell whether a problem passes all filters."""
        return (
            self.account in {None, account}
            and self.concern in {None, problem.concern}
            and self.status in {None, problem.status.value}
            and self.reason_class in {None, problem.reason_class}
            and self.sim_card_id in {None, problem.sim_card_id}
            and self.takes_card(card)
        )


@dataclass(frozen=True, slots=True)
class FailureQuery:
    """Filters of failed and interrupted actions (None: any), newest end first; and the part."""

    account: str | None = None
    action_type: str | None = None
    status: str | None = None
    reason_class: str | None = None
    reason: str | None = None
    sim_card_id: str | None = None
    after: tuple[float, str, str] | None = None
    limit: int | None = None

    def going_on(self, position: str) -> "FailureQuery":
        """Return the query for what follows an encoded position; raises QueryError."""
        return replace(self, after=decode_position(position, tuple[float, str, str]))


@dataclass(frozen=True, slots=True)
class ActionQuery:
    """Filters of actions (None: any), their order, and the part that is wanted.

    ``since`` and ``until`` are the earliest time of creation and the one before which it has to be,
    ``ended_since`` and ``ended_until`` those of the end, which only ended actions have.
    ``after`` is the position of the row before the first one, ``skip`` how many more rows are left
    out, ``limit`` None for all rows. ``counted``: the answer has the total of what follows
    ``after``, up to `MOST_COUNTED`.
    """

    account: str | None = None
    status: str | None = None
    action_id: str | None = None
    action_type: str | None = None
    sim_card_id: str | None = None
    iccid: str | None = None
    bulk_id: str | None = None
    reason_class: str | None = None
    since: float | None = None
    until: float | None = None
    ended_since: float | None = None
    ended_until: float | None = None
    sort: str = ACTION_ORDERS[0]
    after: "ActionPosition | None" = None
    skip: int = 0
    limit: int | None = None
    counted: bool = False

    @property
    def newest_first(self) -> bool:
        """Tell whether the latest comes first."""
        return self.sort.startswith("-")

    @property
    def by_end(self) -> bool:
        """Tell whether the order is that of the ends."""
        return self.sort.endswith("ended_at")

    def going_on(self, position: str) -> "ActionQuery":
        """Return the query for what follows an encoded position; raises QueryError."""
        return replace(self, after=_action_position(position, self.sort), skip=0, counted=False)

    def takes(self, row: "AccountAction") -> bool:
        """Tell whether an action passes all filters."""
        ended = row.ended_at
        return (
            self.account in {None, row.account}
            and self.status in {None, row.status}
            and self.action_id in {None, row.action_id}
            and self.action_type in {None, row.action_type}
            and self.sim_card_id in {None, row.sim_card_id}
            and (self.iccid is None or self.iccid == (row.sim_card and row.sim_card.iccid))
            and self.reason_class in {None, row.reason_class}
            and _within(row.started_at, self.since, self.until)
            and (
                (self.ended_since is None and self.ended_until is None)
                or (ended is not None and _within(ended, self.ended_since, self.ended_until))
            )
        )

    def position(self, row: "AccountAction") -> "ActionPosition":
        """Return the position of an action, which is one in this order only."""
        at = row.started_at
        if self.by_end:
            at = NOT_ENDED if row.ended_at is None else row.ended_at
        return self.sort, at, row.action_id, row.account


ActionPosition = tuple[str, float, str, str]
"""The order, the time by which it sorts, the id of the action, and the account."""


@dataclass(frozen=True, slots=True)
class AccountProblem:
    """A problem of an account; ``sim_card`` is None where nothing is known of it."""

    account: str
    problem: Problem
    sim_card: SimCard | None

    @property
    def position(self) -> tuple[float, str, str, str]:
        """Where it is in the list of all problems."""
        problem = self.problem
        return problem.opened_at, self.account, problem.sim_card_id, problem.concern


@dataclass(frozen=True, slots=True)
class AccountAction:
    """An action of an account as it is remembered; ``reason`` is foreign text.

    ``started_at`` is when it was created, or first seen where the API does not say; ``seen_end`` is
    when it was seen to have ended, None while it is open.
    """

    account: str
    action_id: str
    sim_card_id: str
    action_type: str
    status: str
    reason: str
    reason_class: str
    created_at: float | None
    updated_at: float | None
    started_at: float
    seen_end: float | None
    stuck: bool
    sim_card: SimCard | None = None

    @property
    def ended_at(self) -> float | None:
        """When it ended: as the API says, or when that was seen; None while it is open."""
        if self.seen_end is None or self.updated_at is None:
            return self.seen_end
        return self.updated_at


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many actions failed or were interrupted for a reason, and when the latest one ended.

    ``accounts`` is how many of them in each account that has any.
    """

    reason_class: str
    reason: str
    latest: float
    accounts: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many in all accounts."""
        return sum(self.accounts.values())


def reason_counts(
    failures: Iterable[tuple[str, str, int, float]], classify: Callable[[str | None], str]
) -> tuple[ReasonCount, ...]:
    """Return the reasons of failures, the most frequent first.

    Of each reason and account there is the number of failures and the time of the latest.
    """
    found: dict[str, dict[str, int]] = {}
    classes: dict[str, str] = {}
    latest: dict[str, float] = {}
    for reason, account, count, ended_at in failures:
        if reason not in classes:
            # While they are read, as only reading is limited in time: that is what takes long.
            classes[reason] = classify(reason)
        found.setdefault(reason, {})[account] = count
        latest[reason] = max(ended_at, latest.get(reason, ended_at))
    counts = (
        ReasonCount(classes[reason], reason, latest[reason], of_accounts)
        for reason, of_accounts in found.items()
    )
    return tuple(sorted(counts, key=lambda each: (-each.count, each.reason_class, each.reason)))


@dataclass(frozen=True, slots=True)
class Rows(Generic[_RowT]):
    """A part of a list; ``next`` is the position to go on after, None at its end.

    ``total`` is how many rows the list has; None if they were not counted, or are too many.
    """

    rows: tuple[_RowT, ...]
    next: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class SimCardHistory:
    """What is known of one SIM card in each account that has it: its actions newest first.

    ``steps`` are what actions meant for its problems, by the account and the id of the action.
    """

    cards: Mapping[str, SimCard]
    problems: tuple[AccountProblem, ...]
    actions: Rows[AccountAction]
    steps: Mapping[tuple[str, str], ProblemStep]

    @property
    def known(self) -> bool:
        """Tell whether anything is known of it."""
        return bool(self.cards or self.problems or self.actions.rows)


def lower_id(word: str) -> str:
    """Return a UUID in lower case, as Telnyx writes them; anything else as it is."""
    return word.lower() if is_uuid(word) else word


def encode_position(position: Iterable[object]) -> str:
    """Return a position as an opaque word for an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(tuple(position))).decode().rstrip("=")


def decode_position(word: str, kind: type[Position]) -> Position:
    """Return the position that `encode_position` made; raises QueryError."""
    try:
        packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(packed, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise QueryError(
            "after: is not a position in this list; leave it out to begin at its start"
        ) from None


def problem_query(
    parameters: Mapping[str, str],
    view: LedgerView,
    limit: int | None = None,
    most: int | None = MOST_ROWS,
) -> ProblemQuery:
    """Return the query that parameters ask for; an empty one is no filter.

    ``limit`` is that of a query without one, ``most`` the highest that may be asked for; None for
    any. Raises QueryError, which names the parameter.
    """
    given = _given(parameters, (*PROBLEM_FILTERS, "sort", "after", "limit"))
    _one_of(given, "account", view.names)
    _one_of(given, "status", [each.value for each in ProblemStatus])
    _one_of(given, "reason_class", view.reason_classes)
    _one_of(given, "sort", SORT_ORDERS)
    if "concern" in given:
        _check_concern(given["concern"])
    filters = {name: given[name] for name in (*PROBLEM_FILTERS, "sort") if name in given}
    after = given.get("after")
    return ProblemQuery(
        **filters,
        after=None if after is None else decode_position(after, tuple[float, str, str, str]),
        limit=_limit(given, limit, most),
    )


def failure_query(
    parameters: Mapping[str, str], view: LedgerView, limit: int | None = None
) -> FailureQuery:
    """Return the query that parameters ask for, as `problem_query` does."""
    given = _given(parameters, (*FAILURE_FILTERS, "after", "limit"))
    _one_of(given, "account", view.names)
    _one_of(given, "status", [each.value for each in FAILURE_STATUSES])
    _check_action_type(given, view)
    _one_of(given, "reason_class", view.reason_classes)
    after = given.get("after")
    return FailureQuery(
        **{name: given[name] for name in FAILURE_FILTERS if name in given},
        after=None if after is None else decode_position(after, tuple[float, str, str]),
        limit=_limit(given, limit, MOST_ROWS),
    )


def action_query(
    parameters: Mapping[str, str],
    view: LedgerView,
    now: float,
    limit: int | None = None,
    most: int | None = MOST_ROWS,
) -> ActionQuery:
    """Return the query that parameters ask for, as `problem_query` does.

    Times are RFC 3339, or durations before ``now``.
    """
    given = _given(parameters, (*ACTION_FILTERS, *TIME_FILTERS, "sort", "after", "limit"))
    _one_of(given, "account", view.names)
    _check_status(given)
    _check_action_type(given, view)
    _one_of(given, "reason_class", view.reason_classes)
    _one_of(given, "sort", ACTION_ORDERS)
    sort = given.get("sort", ACTION_ORDERS[0])
    after = given.get("after")
    filters: dict[str, Any] = {name: given[name] for name in ACTION_FILTERS if name in given}
    times = {name: _time(name, given[name], now) for name in TIME_FILTERS if name in given}
    return ActionQuery(
        **filters | times,
        sort=sort,
        after=None if after is None else _action_position(after, sort),
        limit=_limit(given, limit, most),
    )


def history_query(parameters: Mapping[str, str]) -> ActionPosition | None:
    """Return the position in a SIM card's actions that parameters ask for; raises QueryError."""
    after = _given(parameters, ("after",)).get("after")
    return None if after is None else _action_position(after, ACTION_ORDERS[0])


_QueryT = TypeVar("_QueryT", ProblemQuery, FailureQuery, ActionQuery)


def read_in_parts(
    read: Callable[[_QueryT], Rows[_RowT]], query: _QueryT, size: int = MOST_ROWS
) -> Iterator[Rows[_RowT]]:
    """Read a list of any length, by queries for ``size`` rows at most; there is one at least.

    Each begins after the last row of the one before, and has a time limit of its own. ``next`` of
    the last part is that of the list.
    """
    left = query.limit
    while True:
        found = read(replace(query, limit=size if left is None else min(left, size)))
        yield found
        left = None if left is None else left - len(found.rows)
        if found.next is None or left == 0:
            return
        query = query.going_on(found.next)


def part(
    rows: list[_RowT], limit: int | None, position: Callable[[_RowT], Iterable[object]]
) -> Rows[_RowT]:
    """Return at most ``limit`` of the rows; one more of them says that the list goes on."""
    if limit is None or len(rows) <= limit:
        return Rows(tuple(rows))
    return Rows(tuple(rows[:limit]), encode_position(position(rows[limit - 1])))


def checked(
    parameters: Mapping[str, str], allowed: Mapping[str, Collection[str] | None]
) -> dict[str, str]:
    """Return the parameters that are not empty; None allows a parameter to have any value.

    Raises QueryError, which names the parameter.
    """
    given = _given(parameters, allowed)
    for name, values in allowed.items():
        if values is not None:
            _one_of(given, name, values)
    return given


def _within(at: float, since: float | None, until: float | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _action_position(word: str, sort: str) -> ActionPosition:
    position = decode_position(word, tuple[str, float, str, str])
    if position[0] != sort:
        raise QueryError(f"after: is a position in the order {position[0]}, not in {sort}")
    return position


def _time(name: str, word: str, now: float) -> float:
    """Return the time that a word says; one without a time zone is in UTC."""
    try:
        return now - parse_duration(word)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(word)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise QueryError(
            f"{name}: {word!r} is not a time; write it like 2026-08-01T12:00:00Z, or as a duration "
            "before now, like 2h or 7d"
        ) from None


def _given(parameters: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    for name in parameters:
        if name not in names:
            raise QueryError(f"{name}: unknown parameter; {_remedy(name, names)}")
    return {
        name: lower_id(value) if name in _IDS else value
        for name, value in parameters.items()
        if value
    }


def _one_of(given: Mapping[str, str], name: str, values: Collection[str]) -> None:
    if name in given and given[name] not in values:
        raise QueryError(f"{name}: unknown value {given[name]!r}; {_remedy(given[name], values)}")


def _remedy(word: str, values: Collection[str]) -> str:
    near = difflib.get_close_matches(word.casefold(), values, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(values)}"


def _check_status(given: Mapping[str, str]) -> None:
    """Refuse what surely is no status of an action: those that are not documented are listed."""
    known = [each.value for each in Status]
    if given.get("status") == ProblemStatus.STUCK:
        _one_of(given, "status", known)
    _check_open(given, "status", known)


def _check_action_type(given: Mapping[str, str], view: LedgerView) -> None:
    """Refuse what surely is no action type; one that has a known one in it may be new."""
    named = (each for scope in view.accounts for each in scope.options.action_types)
    _check_open(given, "action_type", (*KNOWN_ACTION_TYPES, *named))


def _check_open(given: Mapping[str, str], name: str, known: Collection[str]) -> None:
    """Refuse a value with odd characters, or a slip of the pen; any other may be one."""
    value = given.get(name)
    if value is None or value in known:
        return
    if not re.fullmatch(r"[\w.() -]+", value):
        raise QueryError(
            f"{name}: {value!r} has characters that no {name.replace('_', ' ')} has; use letters, "
            "digits, spaces, parentheses, '_', '-' and '.'"
        )
    near = difflib.get_close_matches(value.casefold(), known, n=1, cutoff=0.8)
    if near and f"_{near[0]}_" not in f"_{value}_":
        raise QueryError(f"{name}: unknown value {value!r}; {_remedy(value, known)}")


def _check_concern(concern: str) -> None:
    """Refuse what surely is no concern: action types that nobody knows are an open set."""
    known = tuple(dict.fromkeys(CONCERNS.values()))
    if concern in known:
        return
    if concern in CONCERNS:
        raise QueryError(
            f"concern: {concern!r} is an action type; its concern is {CONCERNS[concern]}"
        )
    near = difflib.get_close_matches(concern.casefold(), known, n=1, cutoff=0.8)
    if near or not re.fullmatch(r"[a-z][a-z0-9_]*", concern):
        raise QueryError(
            f"concern: unknown value {concern!r}; {_remedy(concern, known)}, or an action type "
            "that is none of theirs"
        )


def _limit(given: Mapping[str, str], usual: int | None, most: int | None) -> int | None:
    if "limit" not in given:
        return usual
    word = given["limit"].lstrip("0")
    limit = int(word) if re.fullmatch(rf"[0-9]{{1,{_MOST_DIGITS}}}", word) else 0
    if not limit or (most is not None and limit > most):
        if most is not None:
            raise QueryError(f"limit: must be a whole number from 1 to {most}")
        raise QueryError(f"limit: must be a whole number from 1, of at most {_MOST_DIGITS} digits")
    return limit
