"""Lists actions by any filters, in the SQL that both SQLite and PostgreSQL support.

Neither database may be trusted to find the fast way among millions of rows: SQLite has no
statistics, and those of PostgreSQL do not know that an action ends shortly after its creation. So
the way is decided here. Few candidates (an id, a SIM card, a small account) are all looked at.
Otherwise the list is merged from sorted parts, one for each status and type, which are read from an
index that has all that is compared. It must not write, nor know how a database is opened.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, text

from exporter.domain import ENDED_STATUSES
from exporter.ledger.queries import (
    MOST_COUNTED,
    NOT_ENDED,
    AccountScope,
    ActionPosition,
    ActionQuery,
    LedgerView,
)
from exporter.ledger.reasons import NO_REASON
from exporter.ledger.records import GONE
from exporter.ledger.store.conditions import BoundValues, any_of, numbers, shown_actions
from exporter.ledger.store.schema import ODD, SKEW

MOST_REASONS = 500
"""Reasons that are classified one by one to find those of a class."""

FEW = 20_000
"""Actions that can all be looked at."""

_SORTABLE = 5
"""Of what an index has all of, so many times as many can be sorted."""

_MOST_PARTS = 400
"""Statuses and types that a list is merged from: SQLite merges 500 at most."""

_MOST_NAMED = 50_000
"""Accounts that all parts of a list name together: SQLite takes a million characters."""

_ENDED = ", ".join(f"'{each}'" for each in (*ENDED_STATUSES, GONE))
_OPEN_END = f"CAST({NOT_ENDED:.0f} AS DOUBLE PRECISION)"
_STARTED_AT = "COALESCE(created_at, seen_at)"
_ENDED_AT = f"CASE WHEN ended_at IS NULL THEN {_OPEN_END} ELSE COALESCE(updated_at, ended_at) END"

_PARTS = """
WITH RECURSIVE statuses(status) AS (
    SELECT min(status) FROM actions
    UNION ALL
    SELECT (SELECT min(status) FROM actions WHERE status > statuses.status) FROM statuses
    WHERE statuses.status IS NOT NULL
), parts(status, action_type) AS (
    SELECT status, (SELECT min(action_type) FROM actions WHERE actions.status = statuses.status)
    FROM statuses WHERE status IS NOT NULL
    UNION ALL
    SELECT status, (
        SELECT min(action_type) FROM actions
        WHERE actions.status = parts.status AND actions.action_type > parts.action_type
    ) FROM parts WHERE action_type IS NOT NULL
)
SELECT status, action_type FROM parts WHERE action_type IS NOT NULL
"""
"""A leap from each status and type to the next one, however many rows each has."""

_REASONS = """
WITH RECURSIVE hashes(hash) AS (
    SELECT min(reason_hash) FROM actions WHERE reason_hash IS NOT NULL
    UNION ALL
    SELECT (SELECT min(reason_hash) FROM actions WHERE reason_hash > hashes.hash) FROM hashes
    WHERE hashes.hash IS NOT NULL
)
SELECT hash, (
    SELECT substr(reason, 1, :characters) FROM actions WHERE reason_hash = hashes.hash LIMIT 1
) AS reason
FROM hashes WHERE hash IS NOT NULL LIMIT :most
"""

_MEMBERS = """(
    SELECT action_id, account_id AS member_account FROM bulk_members WHERE {bulk}
) AS members CROSS JOIN LATERAL (
    SELECT * FROM actions WHERE id = action_id AND account_id = member_account OFFSET 0
) AS actions"""
"""The members of a bulk action: for the OFFSET, PostgreSQL looks each up, and does not read all."""


class ReasonHashes(NamedTuple):
    """The hashes of the reasons of a class; ``none`` says that it is the class of no reason."""

    hashes: tuple[int, ...]
    none: bool

    def condition(self, column: str = "COALESCE(reason_hash, 0)") -> str:
        """Return the condition of the actions of the class; by default, no index is used for it."""
        one_of = f"{column} IN ({numbers(self.hashes)})" if self.hashes else "1 = 0"
        return f"(reason_hash IS NULL OR {one_of})" if self.none else one_of


def reasons_of(
    connection: Connection,
    view: LedgerView,
    reason_class: str,
    characters: int,
    most: int = MOST_REASONS,
) -> ReasonHashes | None:
    """Return the reasons of a class; None if there are more than ``most`` reasons in all.

    ``characters`` is how much of a reason is read.
    """
    found = connection.execute(text(_REASONS), {"characters": characters, "most": most + 1}).all()
    if len(found) > most:
        return None
    hashes = (each.hash for each in found if view.classify(each.reason) == reason_class)
    return ReasonHashes(tuple(hashes), reason_class == NO_REASON)


@dataclass
class ActionSearch:
    """The way to list the actions that pass a query, but for the class of their reasons.

    ``scopes`` are the accounts that are shown, by their number in the ledger. ``reasons`` are those
    of the class, if they are known; ``with_reason`` leaves only actions that have one. Up to
    ``few`` candidates are all looked at.
    """

    connection: Connection
    scopes: Mapping[int, AccountScope]
    query: ActionQuery
    reasons: ReasonHashes | None = None
    with_reason: bool = False
    few: int = FEW
    _values: BoundValues = field(default_factory=BoundValues)

    def __post_init__(self) -> None:
        """Decide the way."""
        self._by_end = self.query.by_end
        self._after = self._after_values(self.query.after)
        known = {id_ for (id_,) in self.connection.execute(text("SELECT id FROM accounts"))}
        self._all = known <= self.scopes.keys()
        self._limited = any(
            scope.options.statuses or scope.options.action_types for scope in self.scopes.values()
        )
        self._postgresql = self.connection.dialect.name == "postgresql"
        self._alone = True
        self._lists: tuple[str, ...] = ()
        self._counted: tuple[str, ...] = ()
        if self.scopes:
            self._decide()

    def page(self, limit: int | None, skip: int) -> tuple[str, dict[str, object]]:
        """Return the statement of the keys of a page, in their order, and its values."""
        down = "DESC" if self.query.newest_first else "ASC"
        order = f"ORDER BY k {down}, id {down}, account_id {down}"
        lists: Iterable[str] = self._lists
        if limit is not None and len(self._lists) > 1 and self._postgresql:
            # It would sort all of them at once, rather than merge them.
            lists = [f"({each} {order} LIMIT {skip + limit})" for each in lists]
        merged = " UNION ALL ".join(lists) or _list("created_at", ("1 = 0",))
        end = "" if limit is None else f"LIMIT {limit} OFFSET {skip}"
        return f"{merged} {order} {end}", self._values

    def count(self) -> int | None:
        """Return how many actions there are; None if they are more than are counted."""
        found = self._count(self._counted, MOST_COUNTED)
        return found if found <= MOST_COUNTED else None

    def _count(self, lists: Sequence[str], most: int) -> int:
        """Return how many rows lists have together, or one more than ``most``."""
        if not lists:
            return 0
        rows = f"SELECT 1 FROM ({' UNION ALL '.join(lists)}) AS listed LIMIT {most + 1}"  # noqa: S608
        statement = text(f"SELECT count(*) FROM ({rows}) AS counted")  # noqa: S608 # values are bound
        count: int = self.connection.execute(statement, self._values).scalar_one()
        return count

    def _decide(self) -> None:
        candidates = self._few()
        if candidates is not None:
            self._lists = self._counted = (self._plain(*candidates),)
            return
        parts = tuple(self._parts())
        times = "created_at", "updated_at"
        sorting, other = reversed(times) if self._by_end else times
        # An action ends soon after its creation: to walk along one time to a short range of the
        # other may take long, to sort what is in that does not.
        ranged = self._range(other)
        sortable = _SORTABLE * self.few
        short = ranged and self._count(self._ranges(parts, other), sortable) <= sortable
        # PostgreSQL compares the other time within the index, unless it is kept from using it. It
        # then sees that the order is worth more than a long range; of a short one it may not.
        self._alone = short or not self._postgresql
        odd = self._plain(ODD)
        self._lists = (odd, *(self._part(each, other if short else sorting) for each in parts))
        # To count needs no order; of two ranges, that of the other time may be the longer one.
        by_other = short or (ranged and not self._range(sorting))
        counted = (self._part(each, other if by_other else sorting) for each in parts)
        self._counted = (odd, *counted)

    def _few(self) -> tuple[str, str] | None:
        """Return a condition by which few candidates are found, and in what; None if none does."""
        query = self.query
        if query.action_id is not None:
            return f"id = {self._values.bind(query.action_id)}", "actions"
        accounts = f"account_id IN ({numbers(self.scopes)})"
        if query.bulk_id is not None:
            bulk = f"{accounts} AND bulk_id = {self._values.bind(query.bulk_id)}"
            of_cards = self._of_cards("sim_card_id || ''")
            if self._postgresql:
                return of_cards or "1 = 1", _MEMBERS.format(bulk=bulk)
            members = f"SELECT action_id, account_id FROM bulk_members WHERE {bulk}"  # noqa: S608
            found = f"(id, account_id) IN ({members})"
            return " AND ".join(filter(None, (found, of_cards))), "actions"
        if query.iccid is not None or query.sim_card_id is not None:
            return f"({accounts} AND {self._of_cards('sim_card_id')})", "actions"
        if not self._all:
            lists = (f"SELECT id FROM actions WHERE {accounts}",)  # noqa: S608 # numbers
            if self._count(lists, self.few) <= self.few:
                return accounts, "actions"
        return None

    def _of_cards(self, column: str) -> str | None:
        """Return the condition of the SIM cards that are asked for; None if any will do."""
        query = self.query
        if query.iccid is None:
            card = query.sim_card_id
            return None if card is None else f"{column} = {self._values.bind(card)}"
        cards = self.connection.execute(
            text("SELECT account_id, id FROM sim_cards WHERE iccid = :iccid"),
            {"iccid": query.iccid},
        ).all()
        found: dict[str, list[int]] = {}
        for account_id, card in cards:
            if account_id in self.scopes and query.sim_card_id in {None, card}:
                found.setdefault(card, []).append(account_id)
        each = (
            f"(account_id IN ({numbers(ids)}) AND {column} = {self._values.bind(card)})"
            for card, ids in found.items()
        )
        return any_of([*each])

    def _plain(self, candidates: str, source: str = "actions") -> str:
        """Return the list of the candidates that pass; only they are found by an index."""
        key = _ENDED_AT if self._by_end else _STARTED_AT
        conditions = [
            candidates,
            *self._status_and_type("status || ''", "action_type || ''"),
            *self._compared(_STARTED_AT, self.query.since, self.query.until),
            *self._compared(_ENDED_AT, self.query.ended_since, self.query.ended_until),
            *self._visible(),
            *self._reason(),
            *self._following(key),
        ]
        if self._range("updated_at"):
            conditions.append("ended_at + 0 IS NOT NULL")
        return _list(key, conditions, source)

    def _parts(self) -> Iterator["_Part"]:
        """Yield what the list is made of: a status and a type each, or what has a reason."""
        if self.with_reason or (self.reasons is not None and not self.reasons.none):
            yield from self._two_parts(("reason_hash IS NOT NULL",))
            return
        found = self.connection.execute(text(_PARTS)).all()
        named = 0 if self._all and not self._limited else len(self.scopes)
        if len(found) > _MOST_PARTS or len(found) * named > _MOST_NAMED:
            yield from self._two_parts(())
            return
        ended = {*ENDED_STATUSES, GONE}
        for status, action_type in found:
            accounts = [
                id_
                for id_, scope in self.scopes.items()
                if scope.options.shows_action(status, action_type)
            ]
            if (
                self.query.status in {None, status}
                and self.query.action_type in {None, action_type}
                and accounts
            ):
                indexed = (
                    f"status = {self._values.bind(status)}",
                    f"action_type = {self._values.bind(action_type)}",
                )
                whole = self._all and len(accounts) == len(self.scopes)
                others = () if whole else (f"account_id IN ({numbers(accounts)})",)
                yield _Part(indexed, others, ended=status in ended)

    def _two_parts(self, indexed: tuple[str, ...]) -> Iterator["_Part"]:
        """Yield what has ended, and what is open."""
        others = (*self._status_and_type("status || ''", "action_type || ''"), *self._visible())
        yield _Part(indexed, (*others, f"status || '' IN ({_ENDED})"), ended=True)
        yield _Part(indexed, (*others, f"status || '' NOT IN ({_ENDED})"), ended=False)

    def _ranges(self, parts: Iterable["_Part"], column: str) -> Sequence[str]:
        """Return lists of all that is in the range of a column, whether it passes or not."""
        query = self.query
        bounds = query.since, query.until
        if column == "updated_at":
            bounds = query.ended_since, query.ended_until
        return [_list("1", (*part.indexed, *self._compared(column, *bounds))) for part in parts]

    def _part(self, part: "_Part", driving: str) -> str:
        """Return the list of a part, found by its range of the column ``driving`` if of any."""
        query = self.query
        names = {
            each: f"({each} + 0)" if self._alone and each != driving else each
            for each in ("created_at", "updated_at")
        }
        created, updated = names["created_at"], names["updated_at"]
        # What has its times in order: so the range of each is one of the other, too.
        skew = SKEW + 1  # for what is lost in rounding
        untils = (*_shifted(query.until, 0), *_shifted(query.ended_until, skew))
        sinces = (*_shifted(query.ended_since, 0), *_shifted(query.since, -skew))
        key = created if not self._by_end else updated if part.ended else _OPEN_END
        conditions = [
            *part.indexed,
            *part.others,
            f"{driving} IS NOT NULL",  # a range, by which SQLite takes to the index
            f"{updated} >= {created} - {SKEW}",
            *self._compared(created, query.since, min(untils, default=None)),
            *self._compared(updated, max(sinces, default=None), query.ended_until),
            *self._reason(),
            *self._following(key),
        ]
        if self._range("updated_at") and not part.ended:
            conditions.append("1 = 0")
        return _list(key, conditions)

    def _range(self, column: str) -> bool:
        """Tell whether a range of creation, or of the end, is asked for."""
        query = self.query
        times = {
            "created_at": (query.since, query.until),
            "updated_at": (query.ended_since, query.ended_until),
        }
        return any(each is not None for each in times[column])

    def _status_and_type(self, status: str, action_type: str) -> Iterator[str]:
        if self.query.status is not None:
            yield f"{status} = {self._values.bind(self.query.status)}"
        if self.query.action_type is not None:
            yield f"{action_type} = {self._values.bind(self.query.action_type)}"

    def _compared(self, key: str, since: float | None, until: float | None) -> Iterator[str]:
        if since is not None:
            yield f"{key} >= {self._values.bind(since)}"
        if until is not None:
            yield f"{key} < {self._values.bind(until)}"

    def _visible(self) -> Iterator[str]:
        """Yield the condition of the accounts, and of what of each is shown."""
        if self._all and not self._limited:
            return
        yield shown_actions(self.scopes, self._values, indexed=False)

    def _reason(self) -> Iterator[str]:
        if self.reasons is not None:
            yield self.reasons.condition()
        elif self.with_reason:
            yield "reason_hash IS NOT NULL"

    def _following(self, key: str) -> Iterator[str]:
        if self._after is not None:
            sign = "<" if self.query.newest_first else ">"
            values = ", ".join(self._values.bind(each) for each in self._after)
            yield f"({key}, id, account_id) {sign} ({values})"

    def _after_values(self, after: ActionPosition | None) -> tuple[object, ...] | None:
        if after is None:
            return None
        _, at, action_id, account = after
        ids = {scope.name: id_ for id_, scope in self.scopes.items()}
        return at, action_id, ids.get(account, 0)


class _Part(NamedTuple):
    """A part of a list: what is ``indexed`` is one range of an index, the ``others`` are compared.

    ``ended`` says whether it is of ended actions or of open ones.
    """

    indexed: tuple[str, ...]
    others: tuple[str, ...]
    ended: bool


def _shifted(at: float | None, seconds: float) -> tuple[float, ...]:
    return () if at is None else (at + seconds,)


def _list(key: str, conditions: Iterable[str], source: str = "actions") -> str:
    return f"SELECT id, account_id, {key} AS k FROM {source} WHERE {' AND '.join(conditions)}"  # noqa: S608 # values are bound
