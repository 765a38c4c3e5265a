"""Made-up actions, and state files full of them: with ids as random as the API's own.

The rows are written by the ledger's own statements, on a connection that does not sync.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from sqlalchemy import create_engine, select

from exporter.domain import KNOWN_ACTION_TYPES, Action, Status
from exporter.ledger.reasons import Reasons
from exporter.ledger.rules import observe
from exporter.ledger.store.database import Database
from exporter.ledger.store.schema import accounts
from exporter.ledger.store.sqlite import SqliteStore, write
from exporter.ledger.store.writes import plan_unit
from exporter.ledger.unit_of_work import UnitOfWork
from exporter.simulator.reasons import choose_reason

FILLED = 20_000
"""Rows that are filled in at once."""


def fill(file: Path, name: str, *, rows: int, since: float, rate: float) -> None:
    """Make a state file with ended actions of an account, in the order in which they came.

    The first came at ``since``, and then ``rate`` of them a second.
    """
    url = f"sqlite:///{file}"
    SqliteStore(database := Database(url)).load(name)
    database.close()
    engine = create_engine(url)
    reasons = Reasons.with_configured(())
    stream = arrivals(Random(3))  # noqa: S311 - nothing to guess
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        connection.exec_driver_sql("PRAGMA cache_size=-2000000")
        mine = connection.execute(select(accounts.c.id)).scalar_one()
        for start in range(0, rows, FILLED):
            unit = UnitOfWork(name, reasons, str, since)
            for number in range(start, start + FILLED):
                now = since + number / rate
                action = ended(dated(next(stream), now), now)
                row = observe(None, action, history=False, now=now).row
                if row is not None:
                    unit.rows[row.id] = row
            unit.added.update(unit.rows)
            unit.baseline_at = since
            write(connection, plan_unit(mine, unit, {}))
        connection.commit()
    engine.dispose()


def arrivals(random: Random) -> Iterator[Action]:
    """Yield new actions, with ids that are as random as the API's."""
    while True:
        kind = random.choice(KNOWN_ACTION_TYPES)
        yield Action(_uuid(random), _uuid(random), kind, Status.IN_PROGRESS.value, None, 0.0, 0.0)


def _uuid(random: Random) -> str:
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def dated(action: Action, now: float) -> Action:
    """Return a new action as one that came now."""
    return Action(action.id, action.sim_card_id, action.action_type, action.status, None, now, now)


def ended(action: Action, now: float) -> Action:
    """End an action as its id says: one in twelve fails, and half as many are interrupted."""
    roll = int(action.id[-8:], 16) / 2**32
    status = Status.FAILED if roll < 1 / 12 else Status.COMPLETED
    status = Status.INTERRUPTED if roll > 23 / 24 else status
    reason = choose_reason(status, int(action.sim_card_id[-8:], 16) / 2**32)
    same = (action.id, action.sim_card_id, action.action_type)
    return Action(*same, status.value, reason, action.created_at, now)
