"""Actions are found by every filter in every order, as by a look at each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import SimCard, Status
from exporter.ledger.queries import (
    ACTION_ORDERS,
    AccountScope,
    ActionQuery,
    LedgerView,
    decode_position,
    read_in_parts,
)
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import TrackedAction
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.reading import find_actions
from exporter.ledger.store.sql_reader import SqlReader
from tests.ledger.conftest import an_options
from tests.ledger.store.contract import NOW, StatePlace, a_bare_unit

REASONS = Reasons.with_configured(())
ACCOUNTS = ("main", "other", "third")
STATUSES = (*Status, "(gone)", "on-hold")
OPEN = (Status.IN_PROGRESS, "on-hold")
TYPES = ("enable", "disable", "set_public_ip", "", "new_type")
SIMS = tuple(f"sim-{number}" for number in range(8))
ICCIDS = {"sim-0": "8900", "sim-1": "8901", "sim-2": "8900"}
TIMES = tuple(NOW + number for number in range(0, 60, 10))
BULKS = ("bulk-1", "bulk-2")
EXAMPLES = settings().max_examples


@dataclass(frozen=True)
class Known:
    """A ledger of some hundred actions, and what was written to it."""

    reader: SqlReader
    rows: tuple[tuple[str, TrackedAction], ...] = field(repr=False)


def a_row(random: Random, action_id: str) -> TrackedAction:
    """Return an action of few possible values, so that many are alike."""
    status = random.choice(STATUSES)
    ended = status not in OPEN
    bad = status in {Status.FAILED, Status.INTERRUPTED}
    return TrackedAction(
        id=action_id,
        sim_card_id=random.choice(SIMS),
        action_type=random.choice(TYPES),
        status=status,
        reason=random.choice(("SIM card is blocked", "no network", None)) if bad else None,
        created_at=random.choice((*TIMES, None)),
        updated_at=random.choice((*TIMES, None)),
        seen_at=random.choice(TIMES),
        ended_at=random.choice(TIMES) + 5 if ended else None,
        position=None,
        stuck=False,
    )


@pytest.fixture(scope="module")
def known(new_place: Callable[[], AbstractContextManager[StatePlace]]) -> Iterator[Known]:
    """Write a ledger of three accounts; some ids are in two of them."""
    random = Random(17)  # noqa: S311 # not for secrets
    rows = []
    with new_place() as place:
        store = place.reopen()
        for account in ACCOUNTS:
            ids = random.sample(range(120), 80)
            mine = [a_row(random, f"action-{number:03}") for number in ids]
            cards = {sim: SimCard(sim, iccid) for sim, iccid in ICCIDS.items()}
            number = store.load(account).account_id
            unit = a_bare_unit(
                rows={row.id: row for row in mine},
                sim_cards=cards,
                bulk_members={
                    bulk: tuple(row.id for row in mine if bulk_of(account, row.id) == bulk)
                    for bulk in BULKS
                },
            )
            store.commit(number, unit, {})
            rows += [(account, row) for row in mine]
        yield Known(place.make_reader(5.0), tuple(rows))


def bulk_of(account: str, action_id: str) -> str | None:
    """Return the bulk action of an action; it may have another one in another account."""
    return (*BULKS, None, None)[(len(account) + int(action_id[-3:])) % 4]


def started(row: TrackedAction) -> float:
    """Return when an action was created, or else seen."""
    return row.seen_at if row.created_at is None else row.created_at


def ended(row: TrackedAction) -> float | None:
    """Return when an action ended by its own account, or was seen to."""
    return None if row.ended_at is None else row.updated_at or row.ended_at


def shown(options: SnapshotOptions, row: TrackedAction) -> bool:
    """Tell whether the filters of the account leave an action."""
    return (not options.statuses or row.status in options.statuses) and (
        not options.action_types or row.action_type in options.action_types
    )


def passes(query: ActionQuery, account: str, row: TrackedAction) -> bool:
    """Tell whether an action passes the filters."""
    end = ended(row)
    asked = (
        (query.account, account),
        (query.status, row.status),
        (query.action_type, row.action_type),
        (query.sim_card_id, row.sim_card_id),
        (query.iccid, ICCIDS.get(row.sim_card_id)),
        (query.bulk_id, bulk_of(account, row.id)),
        (query.reason_class, REASONS.classify(row.reason)),
    )
    bounds = (
        query.since is None or started(row) >= query.since,
        query.until is None or started(row) < query.until,
        query.ended_since is None or (end is not None and end >= query.ended_since),
        query.ended_until is None or (end is not None and end < query.ended_until),
    )
    return all(bounds) and all(wanted in {None, its} for wanted, its in asked)


def expected(known: Known, view: LedgerView, query: ActionQuery) -> list[tuple[str, str]]:
    """Return the accounts and ids that an answer has to have, in their order."""
    scopes = {each.name: each.options for each in view.accounts}

    def place(one: tuple[str, TrackedAction]) -> tuple[float, str, int]:
        account, row = one
        end = ended(row)
        by_end = query.sort.endswith("ended_at")
        at = started(row) if not by_end else -1e15 if end is None else end
        return at, row.id, ACCOUNTS.index(account)

    found = [
        (account, row)
        for account, row in known.rows
        if account in scopes and shown(scopes[account], row) and passes(query, account, row)
    ]
    found.sort(key=place, reverse=query.sort.startswith("-"))
    return [(account, row.id) for account, row in found]


def some(*values: Any) -> st.SearchStrategy[Any]:
    """Return one of the values; more often none."""
    return st.none() | st.sampled_from(values)


QUERIES = st.builds(
    ActionQuery,
    account=some(*ACCOUNTS, "nobody"),
    status=some(*STATUSES),
    action_type=some(*TYPES, "unheard_of"),
    sim_card_id=some(*SIMS, "unknown"),
    iccid=some("8900", "8901", "8977"),
    bulk_id=some(*BULKS, "bulk-3"),
    reason_class=some("sim_blocked", "network", "none", "other"),
    since=some(*TIMES),
    until=some(*TIMES),
    ended_since=some(*TIMES),
    ended_until=some(*TIMES),
    sort=st.sampled_from(ACTION_ORDERS),
)
VIEWS = st.lists(
    st.builds(
        AccountScope,
        st.sampled_from((*ACCOUNTS, "not in the ledger")),
        st.builds(
            an_options,
            statuses=st.sampled_from([(), (), (Status.FAILED, Status.IN_PROGRESS)]),
            action_types=st.sampled_from([(), (), ("enable", "set_public_ip")]),
        ),
    ),
    max_size=4,
    unique_by=lambda scope: scope.name,
).map(lambda scopes: LedgerView(tuple(scopes), REASONS.classify, REASONS.classes))


@settings(max_examples=EXAMPLES, deadline=None)
@given(view=VIEWS, query=QUERIES)
def test_there_is_one_answer_whatever_the_way(
    known: Known, view: LedgerView, query: ActionQuery
) -> None:
    """As if there were too many rows to look at, and too many reasons to classify."""
    wanted = expected(known, view, query)
    for few, most_reasons in ((0, 500), (50, 0)):
        whole = replace(query, counted=True)
        with known.reader.reading() as connection:
            found = find_actions(connection, view, whole, few=few, most_reasons=most_reasons)
        assert [(row.account, row.action_id) for row in found.rows] == wanted
        assert found.total in {len(wanted), None}


@settings(max_examples=EXAMPLES, deadline=None)
@given(view=VIEWS, query=QUERIES, size=st.integers(1, 40))
def test_the_answer_is_that_of_a_look_at_each(
    known: Known, view: LedgerView, query: ActionQuery, size: int
) -> None:
    """Whole, in parts by position, in pages by number; and the total is right."""
    wanted = expected(known, view, query)

    def read(part: ActionQuery) -> list[tuple[str, str]]:
        rows = known.reader.actions(view, part).rows
        return [(row.account, row.action_id) for row in rows]

    whole = known.reader.actions(view, replace(query, counted=True))
    assert [(row.account, row.action_id) for row in whole.rows] == wanted
    assert whole.total == len(wanted)
    parts = list(read_in_parts(lambda each: known.reader.actions(view, each), query, size))
    assert [(row.account, row.action_id) for each in parts for row in each.rows] == wanted
    paged = [
        row
        for first in range(0, len(wanted) + size, size)
        for row in read(replace(query, skip=first, limit=size))
    ]
    assert paged == wanted


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(view=VIEWS, sim=st.sampled_from(SIMS), size=st.integers(1, 20))
def test_the_timeline_of_a_sim_card_has_what_its_list_has(
    known: Known, view: LedgerView, sim: str, size: int
) -> None:
    """What the filters of an account hide is on neither."""
    wanted = expected(known, view, ActionQuery(sim_card_id=sim))
    found = [known.reader.sim_card(view, sim, limit=size).actions]
    while (word := found[-1].next) is not None:
        after = decode_position(word, tuple[str, float, str, str])
        found.append(known.reader.sim_card(view, sim, after, size).actions)
    assert [(row.account, row.action_id) for each in found for row in each.rows] == wanted
