"""The work file of one account's history: what was read, by action ID, and how far. SQLite.

It bounds memory: whatever grows with the history is in the file, aggregated and sorted there. It
must not ask Telnyx, nor decide what is read or shown. A file that is lost costs requests only, so
it need not survive a power failure.
"""

import hmac
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exporter.domain import Action
from exporter.errors import StateError
from exporter.ledger.records import SortOrder

FORMAT = 2
"""Raised with each change of the tables: a file of another format is read anew."""

CHUNK = 5_000
"""Actions that are held in memory at a time."""

_CACHE_KIBIBYTES = 16_384

_HASH_ROUNDS = 100_000

_OWNER_ONLY = 0o600

ChangeKey = tuple[str, tuple[str, ...], int, int]
"""What changes and when: metric, values of its labels, slot, and bucket of a histogram or 0."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE lists (action_type TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE reasons (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE actions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sim_card_id TEXT NOT NULL,
    action_type TEXT NOT NULL, status TEXT NOT NULL, reason_id INTEGER,
    created_at REAL, updated_at REAL
);
CREATE TABLE changes (
    metric TEXT NOT NULL, labels TEXT NOT NULL, slot INTEGER NOT NULL, bucket INTEGER NOT NULL,
    amount INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (metric, labels, slot, bucket)
) WITHOUT ROWID;
"""

_ADD_ACTION = """
INSERT INTO actions (id, sim_card_id, action_type, status, reason_id, created_at, updated_at)
VALUES (?, ?, ?, ?, (SELECT id FROM reasons WHERE text = ?), ?, ?)
ON CONFLICT (id) DO UPDATE SET
    sim_card_id = excluded.sim_card_id, action_type = excluded.action_type,
    status = excluded.status, reason_id = excluded.reason_id,
    created_at = excluded.created_at, updated_at = excluded.updated_at
"""

_ADD_CHANGE = """
INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, seconds = seconds + excluded.seconds
"""


@dataclass(frozen=True, slots=True)
class HistorySource:
    """What a work file holds: the account, where it is, and how much of it.

    ``owner`` tells accounts of the same name apart, as `owner_of` returns it.
    """

    account: str
    base_url: str
    action_types: tuple[str, ...]
    since: float | None
    started_at: float
    owner: str

    def is_owned(self, key: str, managed_account_id: str | None) -> bool:
        """Tell whether it was read with this API key, of this managed account."""
        salt, _, _ = self.owner.partition("$")
        return hmac.compare_digest(self.owner, owner_of(key, managed_account_id, salt))

    def serves(self, wanted: "HistorySource") -> bool:
        """Tell whether what was, or is being, read holds all that is wanted."""
        same = (self.account, self.base_url, self.action_types) == (
            wanted.account,
            wanted.base_url,
            wanted.action_types,
        )
        enough = self.since is None or (wanted.since is not None and wanted.since >= self.since)
        return same and enough


def owner_of(key: str, managed_account_id: str | None, salt: str) -> str:
    """Return what stands for an API key and a managed account, without revealing the key."""
    secret = f"{key}\0{managed_account_id or ''}".encode()
    return f"{salt}${pbkdf2_hmac('sha256', secret, salt.encode(), _HASH_ROUNDS).hex()}"


@dataclass(frozen=True, slots=True)
class ListState:
    """How far a list was read.

    ``goal`` is how many actions it held at first, ``total`` how many at last; None where the API
    does not say. ``left`` is how many of them are still to be read at its old end; None where pages
    are counted instead, of which ``next_page`` is the next one, each of ``page_size``.
    ``malformed`` of a pass could not be decoded. ``shortfall`` is how many could not be found once
    it is ``done``.
    """

    order: SortOrder
    goal: int | None
    total: int | None
    left: int | None
    next_page: int
    page_size: int
    passes: int = 1
    malformed: int = 0
    shortfall: int = 0
    done: bool = False


class Spool:
    """A work file that is open, and locked against others; a context manager that closes it."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StateError, with a remedy."""
        self.path = path
        try:
            path.touch(mode=_OWNER_ONLY)
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        except (OSError, sqlite3.Error) as exc:
            raise self._error(exc) from exc
        try:
            ours = self._take()
        except (OSError, sqlite3.Error) as exc:
            self._database.close()
            raise self._error(exc) from exc
        if not ours:
            self._database.close()
            raise StateError(f"{path} is not a work file of this command; choose another folder")

    def _take(self) -> bool:
        """Lock the file, and make it fit for use; False if it is something else."""
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=OFF",
            f"cache_size=-{_CACHE_KIBIBYTES}",
        ):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("BEGIN EXCLUSIVE")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self._database.execute("COMMIT")
        if tables and not 0 < version <= FORMAT:
            return False
        for each in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            each.chmod(_OWNER_ONLY)  # others may have been given access, or a copy made
        if not tables or version != FORMAT:
            self.clear()
        return True

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; errors of the database become StateError."""
        with suppress(sqlite3.Error):
            self._database.close()
        if isinstance(error, sqlite3.Error):
            raise self._error(error) from error

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction():
            tables = self._database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
            for (name,) in tables:
                self._database.execute(f'DROP TABLE "{name}"')
            for statement in _TABLES.split(";"):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA user_version = {FORMAT}")
        self._database.execute("VACUUM")

    @property
    def source(self) -> HistorySource | None:
        """What it holds; None if nothing was begun."""
        values = self._meta("source")
        if values is None:
            return None
        return HistorySource(**values | {"action_types": tuple(values["action_types"])})

    def begin(self, source: HistorySource) -> None:
        """Forget everything, and begin to hold ``source``."""
        self.clear()
        values = {name: getattr(source, name) for name in HistorySource.__slots__}
        with self._transaction():
            self._set_meta("source", values)

    @property
    def finished_at(self) -> float | None:
        """When the last page was read, on our clock; None before."""
        found: float | None = self._meta("finished_at")
        return found

    @property
    def clock_offset(self) -> float:
        """By how many seconds the API's clock is ahead of ours."""
        return float(self._meta("clock_offset") or 0.0)

    def finish(self, at: float, clock_offset: float) -> None:
        """Note that all was read."""
        with self._transaction():
            self._set_meta("finished_at", at)
            self._set_meta("clock_offset", clock_offset)

    def list_state(self, action_type: str | None) -> ListState | None:
        """Return how far a list was read; None before its first page."""
        row = self._database.execute(
            "SELECT state FROM lists WHERE action_type = ?", (action_type or "",)
        ).fetchone()
        if row is None:
            return None
        values = json.loads(row[0])
        return ListState(**values | {"order": SortOrder(values["order"])})

    def add(self, actions: Iterable[Action], action_type: str | None, state: ListState) -> None:
        """Keep actions, the later over the earlier of the same ID, and how far the list was read.

        In one transaction.
        """
        kept = list(actions)
        values = {name: getattr(state, name) for name in ListState.__slots__}
        with self._transaction():
            reasons = {(each.reason,) for each in kept if each.reason is not None}
            self._database.executemany("INSERT OR IGNORE INTO reasons (text) VALUES (?)", reasons)
            self._database.executemany(
                _ADD_ACTION,
                (
                    (
                        each.id,
                        each.sim_card_id,
                        each.action_type,
                        each.status,
                        each.reason,
                        each.created_at,
                        each.updated_at,
                    )
                    for each in kept
                ),
            )
            self._database.execute(
                "INSERT OR REPLACE INTO lists VALUES (?, ?)",
                (action_type or "", json.dumps(values)),
            )

    def count(self, action_type: str | None = None) -> int:
        """Return how many actions there are (of one type)."""
        where, values = (
            ("", ()) if action_type is None else ("WHERE action_type = ?", (action_type,))
        )
        query = f"SELECT count(*) FROM actions {where}"  # noqa: S608 # no foreign text
        (found,) = self._database.execute(query, values).fetchone()
        return int(found)

    def chunks(self) -> Iterator[list[Action]]:
        """Yield all actions, in the order in which they were first read, CHUNK at a time."""
        last = 0
        while rows := self._database.execute(
            "SELECT number, actions.id, sim_card_id, action_type, status, text, created_at,"
            " updated_at FROM actions LEFT JOIN reasons ON reasons.id = reason_id"
            " WHERE number > ? ORDER BY number LIMIT ?",
            (last, CHUNK),
        ).fetchall():
            last = rows[-1][0]
            yield [Action(*row[1:]) for row in rows]

    def select(self, query: str, values: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query over the tables ``actions`` and ``reasons``."""
        yield from self._database.execute(query, values)

    def forget_changes(self) -> None:
        """Forget all changes."""
        with self._transaction():
            self._database.execute("DELETE FROM changes")

    def add_changes(self, changes: Mapping[ChangeKey, tuple[int, float]]) -> None:
        """Add amounts and seconds to what stands under the same key."""
        with self._transaction():
            self._database.executemany(
                _ADD_CHANGE,
                (
                    (metric, json.dumps(labels), slot, bucket, *values)
                    for (metric, labels, slot, bucket), values in changes.items()
                ),
            )

    def series(self, metric: str) -> Sequence[tuple[str, ...]]:
        """Return the labels of the series of a metric that changes, sorted."""
        found = self._database.execute(
            "SELECT DISTINCT labels FROM changes WHERE metric = ?", (metric,)
        )
        return sorted(tuple(json.loads(labels)) for (labels,) in found)

    def changes(
        self, metric: str, labels: tuple[str, ...]
    ) -> Iterator[tuple[int, int, int, float]]:
        """Yield the changes of a series as (slot, bucket, amount, seconds), ascending."""
        yield from self._database.execute(
            "SELECT slot, bucket, amount, seconds FROM changes"
            " WHERE metric = ? AND labels = ? ORDER BY slot, bucket",
            (metric, json.dumps(labels)),
        )

    def _meta(self, name: str) -> Any:
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def _set_meta(self, name: str, value: object) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value))
        )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database)

    def _error(self, exc: Exception) -> StateError:
        text = exc.strerror if isinstance(exc, OSError) else str(exc)
        if "locked" in str(exc):
            text = "another run of this command uses it; wait until that has ended"
        elif isinstance(exc, sqlite3.Error):
            text = f"{text}; delete it, or choose another folder with --work-dir"
        else:
            text = f"{text}; choose another folder with --work-dir"
        return StateError(f"work file {self.path}: {text}")


class _Transaction:
    """A transaction of the database, undone where an error ends it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._database.execute("COMMIT")
        elif self._database.in_transaction:  # a full disk ends it
            self._database.execute("ROLLBACK")
