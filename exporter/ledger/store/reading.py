"""The queries of a `LedgerReader`, in SQL that both SQLite and PostgreSQL support.

Within a transaction of the caller's. It must not write, nor know how a database is opened.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    case,
    desc,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
)

from exporter.domain import (
    CONCERNS,
    OTHER,
    Problem,
    ProblemStatus,
    SimCard,
    Status,
    concern_of,
)
from exporter.ledger.problems import ProblemRules, ProblemStep
from exporter.ledger.queries import (
    MOST_COUNTED,
    REASON_CHARACTERS,
    SORT_ORDERS,
    AccountAction,
    AccountProblem,
    AccountScope,
    ActionPosition,
    ActionQuery,
    FailureQuery,
    LedgerView,
    ProblemQuery,
    ReasonCount,
    Rows,
    SimCardHistory,
    part,
    reason_counts,
)
from exporter.ledger.reasons import NO_REASON
from exporter.ledger.records import TrackedAction
from exporter.ledger.store.action_search import FEW, MOST_REASONS, ActionSearch, reasons_of
from exporter.ledger.store.conditions import BoundValues, shown_problems
from exporter.ledger.store.failure_search import failure_keys, failures, shown_failures
from exporter.ledger.store.schema import (
    accounts,
    actions,
    bulk_actions,
    bulk_members,
    list_cursors,
    problems,
    sim_cards,
)
from exporter.ledger.store.writes import ACTION_COLUMNS, COUNT_COLUMNS, PROBLEM_COLUMNS

Condition = ColumnElement[bool]

_STARTED = func.coalesce(actions.c.created_at, actions.c.seen_at)
_CONCERN = case({**CONCERNS, "": OTHER}, value=actions.c.action_type, else_=actions.c.action_type)
_RETRYING = exists(
    select(actions.c.id).where(
        actions.c.account_id == problems.c.account_id,
        actions.c.sim_card_id == problems.c.sim_card_id,
        actions.c.status == Status.IN_PROGRESS.value,
        problems.c.concern == _CONCERN,
        or_(
            and_(
                actions.c.id == problems.c.action_id,
                problems.c.status != ProblemStatus.STUCK.value,
            ),
            and_(actions.c.id != problems.c.action_id, problems.c.started_at <= _STARTED),
        ),
    )
)


def _told(reason: ColumnElement[str | None]) -> ColumnElement[str]:
    """Return as much of a reason as is told, and one more, which says that there is more."""
    return func.substr(func.coalesce(reason, ""), 1, REASON_CHARACTERS + 1)


_PROBLEM_REASON = _told(problems.c.reason)
_PROBLEM = [
    _PROBLEM_REASON.label(name) if name == "reason" else problems.c[name]
    for name in PROBLEM_COLUMNS
]
_CLASSIFIED = problems.c.reason_class != ""
"""The condition of a problem that has a class: a stuck one has none."""
_REASON = _told(actions.c.reason)
_ACTION_COLUMNS = (
    "account_id",
    "id",
    "sim_card_id",
    "action_type",
    "status",
    "reason",
    "created_at",
    "updated_at",
    "seen_at",
    "ended_at",
    "stuck",
)
_ACTION = [_REASON.label(name) if name == "reason" else actions.c[name] for name in _ACTION_COLUMNS]
_ROWS = f"""
SELECT {", ".join(str(actions.c[each]) for each in _ACTION_COLUMNS if each != "reason")},
    substr(coalesce(actions.reason, ''), 1, {REASON_CHARACTERS + 1}) AS reason, sim_cards.body
FROM ({{keys}}) AS page CROSS JOIN actions LEFT JOIN sim_cards
    ON sim_cards.account_id = actions.account_id AND sim_cards.id = actions.sim_card_id
WHERE actions.id = page.id AND actions.account_id = page.account_id
ORDER BY page.k {{down}}, page.id {{down}}, page.account_id {{down}}
"""  # noqa: S608 # ours
"""SQLite looks up what is on the right of CROSS JOIN for each row on its left."""
_AT_ONCE = 5_000
"""Actions that are classified at once where there are too many reasons."""
_TRACKED = [null() if name == "reason" else actions.c[name] for name in ACTION_COLUMNS]
"""An action without its reason, which may be long and opens no problem."""
_COUNTS = f"""
SELECT substr(COALESCE(reason, ''), 1, {REASON_CHARACTERS + 1}), account_id, count(*), max(ended_at)
FROM {{failures}} WHERE {{conditions}} GROUP BY 1, 2
"""  # noqa: S608 # ours


def find_problems(
    connection: Connection, view: LedgerView, query: ProblemQuery
) -> Rows[AccountProblem]:
    """Return the problems that pass the filters."""
    return _problems(connection, view, _ids(connection, view.only(query.account)), query)


def find_failures(
    connection: Connection, view: LedgerView, query: FailureQuery
) -> Rows[AccountAction]:
    """Return the failed and interrupted actions that pass the filters, latest first."""
    scopes = _ids(connection, view.only(query.account))
    reasons, classified = None, query
    if query.reason_class is not None:
        reasons = reasons_of(connection, view, query.reason_class, REASON_CHARACTERS + 1)
        if reasons is None:
            classified = replace(query, limit=None)
    values = BoundValues()
    keys = failure_keys(connection, scopes, classified, reasons, values)
    statement = text(_ROWS.format(keys=keys, down="DESC"))
    found = (
        row
        for row in _actions(connection, statement, scopes, view, values)
        if query.reason_class in {None, row.reason_class}
    )
    rows = list(found if query.limit is None else islice(found, query.limit + 1))
    return part(rows, query.limit, lambda row: (row.seen_end, row.action_id, row.account))


def find_actions(
    connection: Connection,
    view: LedgerView,
    query: ActionQuery,
    *,
    few: int = FEW,
    most_reasons: int = MOST_REASONS,
) -> Rows[AccountAction]:
    """Return the actions that pass the filters.

    Up to ``few`` candidates are all looked at, up to ``most_reasons`` reasons classified at once.
    """
    scopes = _ids(connection, view.only(query.account))
    reasons = None
    if query.reason_class is not None:
        reasons = reasons_of(
            connection, view, query.reason_class, REASON_CHARACTERS + 1, most_reasons
        )
        if reasons is None:
            return _find_by_class(connection, view, scopes, query)
    search = ActionSearch(connection, scopes, query, reasons, few=few)
    limit = None if query.limit is None else query.limit + 1
    rows = list(_page(connection, view, search, limit))
    total = None
    if query.counted:
        whole = query.limit is None or (len(rows) <= query.limit and (rows or not query.skip))
        total = query.skip + len(rows) if whole else search.count()
    if total is not None and total > MOST_COUNTED:
        total = None
    return replace(part(rows, query.limit, query.position), total=total)


def _find_by_class(
    connection: Connection,
    view: LedgerView,
    scopes: Mapping[int, AccountScope],
    query: ActionQuery,
) -> Rows[AccountAction]:
    """Find the actions of a class by a look at each, where there are too many reasons."""
    wanted = None if query.limit is None else query.skip + query.limit + 1
    found: list[AccountAction] = []
    at = query
    while wanted is None or len(found) < wanted:
        search = ActionSearch(connection, scopes, at, with_reason=query.reason_class != NO_REASON)
        rows = list(_page(connection, view, search, _AT_ONCE, skip=0))
        found += [row for row in rows if row.reason_class == query.reason_class]
        if len(rows) < _AT_ONCE:
            break
        at = replace(at, after=query.position(rows[-1]))
    return part(found[query.skip : wanted], query.limit, query.position)


def _page(
    connection: Connection,
    view: LedgerView,
    search: ActionSearch,
    limit: int | None,
    skip: int | None = None,
) -> Iterator[AccountAction]:
    """Yield the actions of a page with what is known of their SIM cards."""
    keys, values = search.page(limit, search.query.skip if skip is None else skip)
    down = "DESC" if search.query.newest_first else "ASC"
    statement = _ROWS.format(keys=keys, down=down)
    yield from _actions(connection, text(statement), search.scopes, view, values)


def _reasons_of(
    connection: Connection,
    statement: Select[Any],
    reason: ColumnElement[str],
    view: LedgerView,
    reason_class: str,
) -> list[str] | None:
    """Return the reasons of a class among the rows of a statement; None for too many.

    Few reasons make many rows, and to classify each of them takes longer than a query may.
    """
    distinct = statement.with_only_columns(reason, maintain_column_froms=True)
    distinct = distinct.order_by(None).distinct()
    of_class = (
        each for (each,) in connection.execute(distinct) if view.classify(each) == reason_class
    )
    found = list(islice(of_class, MOST_REASONS + 1))
    return found if len(found) <= MOST_REASONS else None


def count_reasons(
    connection: Connection, view: LedgerView, since: float
) -> tuple[ReasonCount, ...]:
    """Return how many actions ended badly since a time, by reason."""
    scopes = _ids(connection, view.accounts)
    values = BoundValues()
    # What is found late did not fail just now.
    conditions = (
        *shown_failures(scopes, values),
        f"ended_at >= {values.bind(since)}",
        f"COALESCE(updated_at, ended_at) >= {values.bind(since)}",
    )
    statement = text(
        _COUNTS.format(failures=failures(connection), conditions=" AND ".join(conditions))
    )
    counted = connection.execute(statement, values)
    return reason_counts(
        ((reason, scopes[id_].name, count, latest) for reason, id_, count, latest in counted),
        view.classify,
    )


def complete_since(
    connection: Connection, view: LedgerView, account: str | None, bulk_id: str | None
) -> float | None:
    """Return from when on everything is remembered of the accounts; None if that is never.

    Of a bulk action, only the account that has it counts; never, unless all members are known.
    """
    scopes = view.only(account)
    if bulk_id is not None:
        scopes = _knowing_all_members(connection, scopes, bulk_id)
    since = connection.execute(
        select(
            accounts.c.id,
            accounts.c.baseline_at,
            func.max(func.coalesce(list_cursors.c.baseline_time, accounts.c.baseline_at)),
            func.max(list_cursors.c.baseline_cutoff),
        )
        .outerjoin(list_cursors, list_cursors.c.account_id == accounts.c.id)
        .where(accounts.c.name.in_([scope.name for scope in scopes]))
        .group_by(accounts.c.id, accounts.c.baseline_at)
    ).all()
    if not scopes or len(since) < len(scopes) or any(each.baseline_at is None for each in since):
        return None
    # By the clock of the API, where that is known; both rise with what is forgotten.
    times: Iterator[float] = (
        max(each for each in (time or baseline_at, cutoff) if each is not None)
        for _, baseline_at, time, cutoff in since
    )
    return max(times)


def _knowing_all_members(
    connection: Connection, scopes: Sequence[AccountScope], bulk_id: str
) -> tuple[AccountScope, ...]:
    """Return the account that has a bulk action, if all of its members are known."""
    total = sum((bulk_actions.c[name] for name in COUNT_COLUMNS), start=literal(0))
    members = (
        select(func.count())
        .where(
            bulk_members.c.account_id == bulk_actions.c.account_id,
            bulk_members.c.bulk_id == bulk_actions.c.id,
        )
        .scalar_subquery()
    )
    known = (
        select(accounts.c.name)
        .join(bulk_actions, accounts.c.id == bulk_actions.c.account_id)
        .where(
            accounts.c.name.in_([scope.name for scope in scopes]),
            bulk_actions.c.id == bulk_id,
            bulk_actions.c.members_page == 0,
            members >= total,
        )
    )
    names = set(connection.scalars(known))
    return tuple(scope for scope in scopes if scope.name in names)


def find_sim_card(
    connection: Connection,
    view: LedgerView,
    sim_card_id: str,
    after: ActionPosition | None,
    limit: int | None,
) -> SimCardHistory:
    """Return what is known of one SIM card."""
    scopes = _ids(connection, view.accounts)
    bodies = connection.execute(
        select(sim_cards.c.account_id, sim_cards.c.body).where(
            sim_cards.c.account_id.in_(scopes), sim_cards.c.id == sim_card_id
        )
    )
    cards = {scopes[id_].name: _card(body) for id_, body in bodies}
    return SimCardHistory(
        cards={name: card for name, card in cards.items() if card is not None},
        problems=_problems(connection, view, scopes, ProblemQuery(sim_card_id=sim_card_id)).rows,
        actions=find_actions(
            connection, view, ActionQuery(sim_card_id=sim_card_id, after=after, limit=limit)
        ),
        steps=_steps(connection, scopes, sim_card_id),
    )


def _steps(
    connection: Connection, scopes: Mapping[int, AccountScope], sim_card_id: str
) -> dict[tuple[str, str], ProblemStep]:
    """Return what the remembered actions of a SIM card meant for its problems."""
    found: dict[tuple[int, str], list[TrackedAction]] = {}
    statement = select(actions.c.account_id, *_TRACKED).where(
        actions.c.account_id.in_(scopes), actions.c.sim_card_id == sim_card_id
    )
    for account_id, *record in connection.execute(statement):
        row = TrackedAction(*record)
        found.setdefault((account_id, concern_of(row.action_type)), []).append(row)
    rules = ProblemRules(lambda _: "", 0.0)
    return {
        (scopes[account_id].name, action_id): step
        for (account_id, concern), rows in found.items()
        if scopes[account_id].options.watches(concern)
        for action_id, step in rules.replay(rows).steps(concern).items()
    }


def _problems(
    connection: Connection,
    view: LedgerView,
    scopes: Mapping[int, AccountScope],
    query: ProblemQuery,
) -> Rows[AccountProblem]:
    # By name, not by number: so the order is that of the snapshot.
    order = problems.c.opened_at, accounts.c.name, problems.c.sim_card_id, problems.c.concern
    newest_first = query.sort != SORT_ORDERS[0]
    values = BoundValues()
    statement = (
        select(problems.c.account_id, *_PROBLEM, _RETRYING.label("retrying"), sim_cards.c.body)
        .join(accounts, accounts.c.id == problems.c.account_id)
        .outerjoin(
            sim_cards,
            and_(
                sim_cards.c.account_id == problems.c.account_id,
                sim_cards.c.id == problems.c.sim_card_id,
            ),
        )
        .where(text(shown_problems(scopes, values)).bindparams(**values))
        .order_by(*map(desc, order) if newest_first else order)
    )
    for name in ("concern", "status", "sim_card_id"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(problems.c[name] == wanted)
    if query.after is not None:
        place, after = tuple_(*order), tuple_(*query.after)
        statement = statement.where(place < after if newest_first else place > after)
    narrowed = True
    if query.reason_class is not None:
        statement = statement.where(_CLASSIFIED)
        reasons = _reasons_of(connection, statement, _PROBLEM_REASON, view, query.reason_class)
        narrowed = reasons is not None
        if reasons is not None:
            statement = statement.where(_PROBLEM_REASON.in_(reasons))
    if query.limit is not None and narrowed and not query.of_cards:
        statement = statement.limit(query.limit + 1)
    classify = lru_cache(MOST_REASONS)(view.classify)
    found = (
        row
        for row in (
            AccountProblem(scopes[each.account_id].name, _problem(each, classify), _card(each.body))
            for each in connection.execute(statement)
        )
        if query.takes(row.account, row.problem, row.sim_card)
    )
    rows = list(found if query.limit is None else islice(found, query.limit + 1))
    return part(rows, query.limit, lambda row: row.position)


def _ids(connection: Connection, scopes: Iterable[AccountScope]) -> dict[int, AccountScope]:
    """Return the scopes of the accounts that the ledger has, by their number in it."""
    by_name = {scope.name: scope for scope in scopes}
    known = connection.execute(select(accounts.c.id, accounts.c.name))
    return {each.id: by_name[each.name] for each in known if each.name in by_name}


def _actions(
    connection: Connection,
    statement: Executable,
    scopes: Mapping[int, AccountScope],
    view: LedgerView,
    values: Mapping[str, object] | None = None,
) -> Iterator[AccountAction]:
    # Few reasons make many failures, and to classify one takes longer than to read it.
    classify = lru_cache(MOST_REASONS)(view.classify)
    for each in connection.execute(statement, values):
        yield AccountAction(
            account=scopes[each.account_id].name,
            action_id=each.id,
            sim_card_id=each.sim_card_id,
            action_type=each.action_type,
            status=each.status,
            reason=each.reason,
            reason_class=classify(each.reason),
            created_at=each.created_at,
            updated_at=each.updated_at,
            started_at=each.seen_at if each.created_at is None else each.created_at,
            seen_end=each.ended_at,
            stuck=bool(each.stuck),
            sim_card=_card(getattr(each, "body", None)),
        )


def _problem(record: Any, classify: Callable[[str], str]) -> Problem:
    """Return a problem, with the class that its reason has by the rules of today."""
    fields = {name: getattr(record, name) for name in PROBLEM_COLUMNS}
    return Problem(
        **fields
        | {
            "status": ProblemStatus(record.status),
            "retrying": bool(record.retrying),
            "reason_class": record.reason_class and classify(record.reason),
        }
    )


def _card(body: str | None) -> SimCard | None:
    return None if body is None else msgspec.json.decode(body, type=SimCard)
