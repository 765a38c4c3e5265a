"""A database that an earlier version wrote, as `sqlite3 FILE .dump` shows it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from exporter.ledger.records import SumKey, SumName
from exporter.ledger.store.sqlite import SqliteStore

VERSION_2 = Path(__file__).with_name("version_2.sql")
"""Three failures and interruptions of each of two accounts; of the first one, two were logged."""


def test_version_2_is_brought_up(open_store: Callable[..., SqliteStore], state_file: Path) -> None:
    """What was not logged is delivered to the log, what was is not, and nothing counts anew."""
    with closing(sqlite3.connect(state_file)) as database:
        database.executescript(VERSION_2.read_text(encoding="utf-8"))
    store = open_store()
    waiting = {"main": ["main-2"], "second": [], "new": []}
    for name, expected in waiting.items():
        state = store.load(name)
        store.attach_sinks(state.account_id, ["log", "other"])
        events = store.undelivered(state.account_id, "log", 100)
        assert [event.action_id for _, event in events] == expected
        assert store.undelivered(state.account_id, "other", 100) == ()
        failures = [] if name == "new" else [f"{name}-{number}" for number in (2, 1, 0)]
        assert [event.action_id for event in state.failures] == failures
        assert state.total(SumName.CREATED, "enable") == (4 if failures else 0)
        assert state.sums.get(SumKey(SumName.FAILED, "enable", "sim_blocked"), 0) == (
            2 if failures else 0
        )
        assert [*state.open] == ([f"{name}-3"] if failures else [])
    store.close()
    (event,) = store.undelivered(1, "log", 100)
    store.delivered(1, "log", event[0])
    assert store.undelivered(1, "log", 100) == ()
