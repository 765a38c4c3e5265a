"""Lists of actions by any filter on a large ledger: how long, what it delays, what it costs.

The rows are filled in; what asks and commits is the exporter's own.
"""

import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import combinations, count, islice
from operator import itemgetter
from pathlib import Path
from random import Random
from statistics import median, quantiles
from threading import Event, Thread

import msgspec
import psycopg
from msgspec.structs import astuple, replace

from benchmarks.figures import Figure, Report
from exporter.cli.interpreter import SWITCH_SECONDS
from exporter.domain import ENDED_STATUSES, SimCard, Status
from exporter.errors import QueryTimeoutError
from exporter.ledger.queries import ACTION_ORDERS, AccountScope, ActionQuery, LedgerView
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import TrackedAction
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.postgresql import prepare
from exporter.ledger.store.postgresql_connections import Connections
from exporter.ledger.store.postgresql_reader import PostgresqlReader
from exporter.ledger.store.protocol import LedgerReader
from exporter.ledger.store.schema import reason_hash
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.sqlite_reader import SqliteReader
from exporter.ledger.store.writes import ACTION_COLUMNS
from exporter.ledger.unit_of_work import UnitOfWork
from exporter.web.detail_routes import QUERIES
from tests.support.postgresql import new_cluster

ROWS = 2_000_000
CARDS = 200_000
END = 1_785_585_600.0
DAY = 86_400.0
SPAN = 180 * DAY
ACCOUNTS = ("alpha", "beta", "gamma", "delta")
BULKS = {"large": 10_000, "small": 50}
"""Bulk actions of the first account, and how many members each has."""

CHANGES = 250
"""Actions of a commit."""

COMMITS = 300
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, not a place for secrets
"""Where a file is in memory; without it, both files are on the disk."""

PAUSE = 0.1
"""Seconds between two commits: without any, a log of SQLite's that is read is never begun anew."""

PAGE = 250
REASONS = Reasons.with_configured(())
SEARCHES = (
    *("actions_created", "actions_updated", "actions_odd", "actions_by_reason"),
    *("actions_reasons_created", "actions_reasons_updated"),
)
"""The indexes that only lists of actions need."""

COLUMNS = ("id", "account_id", *ACTION_COLUMNS[1:], "reason_hash")
TYPES = {
    "enable": 50,
    "disable": 30,
    "set_standby": 10,
    "enable_standby_sim_card": 5,
    "set_public_ip": 4,
    "remove_public_ip": 0.9,
    "enable_voice": 0.0001,
}
REASON_TEXTS = {
    "SIM card is blocked by the operator.": 30.0,
    "The network did not answer in time.": 30.0,
    "Insufficient funds.": 20.0,
    "The SIM card has no group.": 10.0,
    **{f"Carrier rejected the request, reference {n}.": 1.0 for n in range(100)},
}

Row = tuple[object, ...]

MEANING = (
    f"A ledger of {ROWS:,} actions of four accounts, of 60, 35 and 5 % and a hundred actions, over "
    "180 days: 6 % failed for a hundred reasons, one of which occurs once; types from half of all "
    f"to a few. Asked for are pages of {PAGE} with their total, by each filter and each pair of "
    "filters, with frequent and rare values, bulk actions of 10,000, 50 and no members, and ranges "
    "with and without matches; the time is that of the query, without HTTP. PostgreSQL has the "
    "rows in the order of their creation, as an exporter writes them. The delay is the 99th "
    "percentile of a commit of 250 new actions, of the same mixture, while one query follows the "
    "other without a pause, as many at a time as the exporter runs, less the same percentile while "
    "nobody asks; it is measured with SQLite, where they share a process, on a disk, and with the "
    "file in memory, without a disk's own pauses. "
    "The cost is what the file and a commit are with the indexes for these lists, over without "
    "them."
)


def measure() -> Report:
    """Measure with both databases."""
    sys.setswitchinterval(SWITCH_SECONDS)  # as the exporter does
    rows = sorted(_rows(Random(5)))  # noqa: S311 - nothing to guess
    cards = list(dict.fromkeys((row[1], row[2]) for row in rows[: CARDS // 10]))
    with tempfile.TemporaryDirectory() as folder:
        found = [*_sqlite(Path(folder) / "state.db", rows, cards), *_postgresql(rows, cards)]
    return Report("Lists of actions", MEANING, tuple(found))


def _sqlite(file: Path, rows: Sequence[Row], cards: Sequence[Row]) -> Iterator[Figure]:
    store = SqliteStore(Database(f"sqlite:///{file}"))
    numbers = [store.load(name).account_id for name in ACCOUNTS]
    store.close()
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-500000")
        made = dict(
            raw.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
                " AND tbl_name = 'actions'"
            ).fetchall()
        )
        for name in made:
            raw.execute(f"DROP INDEX {name}")
        places = ", ".join("?" * len(COLUMNS))
        raw.executemany(f"INSERT INTO actions ({', '.join(COLUMNS)}) VALUES ({places})", rows)  # noqa: S608 # ours
        raw.executemany("INSERT INTO sim_cards VALUES (?, ?, 0, ?, ?)", _named(cards))
        raw.executemany("INSERT INTO bulk_members VALUES (?, ?, ?)", _members(rows))
        for name in made.keys() - set(SEARCHES):
            raw.execute(made[name])
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    news = _actions(Random(6), count(END, SPAN / ROWS), [str(card) for _, card in cards])  # noqa: S311 - nothing to guess
    size, plain = file.stat().st_size, _commits(file, numbers[0], news)
    with closing(sqlite3.connect(file)) as raw:
        for name in SEARCHES:
            raw.execute(made[name])
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    queries = list(_queries(cards))
    yield _slowest("SQLite", SqliteReader(file), queries)
    indexed = _commits(file, numbers[0], news)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as memory:
        copy = shutil.copy(file, memory)
        yield from _delays("in memory", Path(copy), numbers[0], news, queries)
    yield from _delays("on disk", file, numbers[0], news, queries)
    yield Figure("api: state file over one without these indexes", file.stat().st_size / size, "x")
    ratio = median(indexed) / median(plain)
    yield Figure("api: commit of 250 new actions over one without", ratio, "x", steady=False)


def _delays(
    where: str,
    file: Path,
    account_id: int,
    news: Iterator[TrackedAction],
    queries: Sequence[ActionQuery],
) -> Iterator[Figure]:
    """Commit with and without queries, to a file that is ``where``."""
    alone = _commits(file, account_id, news)
    with _asking(SqliteReader(file), queries):
        busy = _commits(file, account_id, news)
    for what, seconds, most in (
        ("delay of a commit, 99th percentile", _slow(busy) - _slow(alone), 50),
        ("delay of a commit, median", median(busy) - median(alone), None),
        ("commit while nobody asks, 99th percentile", _slow(alone), None),
        ("commit while nobody asks, median", median(alone), None),
    ):
        yield Figure(f"api: file {where}, {what}", seconds * 1000, "ms", most=most, steady=False)


def _postgresql(rows: Sequence[Row], cards: Sequence[Row]) -> Iterator[Figure]:
    with new_cluster("shared_buffers=256MB", "maintenance_work_mem=256MB") as cluster:
        database = cluster.new_database()
        url = cluster.url(database)
        connections = Connections(url, cluster.password_file)
        prepare(connections)
        connections.close()
        address = f"host=127.0.0.1 port={cluster.port} user=postgres dbname={database}"
        with psycopg.connect(address) as raw:
            for number, name in enumerate(ACCOUNTS, 1):
                raw.execute("INSERT INTO accounts (id, name) VALUES (%s, %s)", (number, name))
            made = raw.execute(
                "SELECT indexname, indexdef FROM pg_indexes"
                " WHERE tablename = 'actions' AND indexname <> 'actions_pkey'"
            ).fetchall()
            for name, _ in made:
                raw.execute(f"DROP INDEX {name}".encode())
            named = [(account, card, 0, *more) for account, card, *more in _named(cards)]
            for table, columns, values in (
                ("actions", COLUMNS, sorted(rows, key=itemgetter(COLUMNS.index("created_at")))),
                ("sim_cards", ("account_id", "id", "looked_up_at", "body", "iccid"), named),
                ("bulk_members", ("account_id", "bulk_id", "action_id"), _members(rows)),
            ):
                statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                with raw.cursor().copy(statement.encode()) as copying:
                    for row in values:
                        copying.write_row(row)
            for _, definition in made:
                raw.execute(definition.encode())
            raw.commit()
            raw.autocommit = True
            raw.execute("VACUUM ANALYZE")
        with closing(PostgresqlReader(url, cluster.password_file)) as reader:
            yield _slowest("PostgreSQL", reader, list(_queries(cards)))


def _slowest(name: str, reader: LedgerReader, queries: Sequence[ActionQuery]) -> Figure:
    """Ask each query; returns the 99th percentile of the times."""
    times = []
    for query in queries:
        began = time.perf_counter()
        with suppress(QueryTimeoutError):  # two seconds are above the bound
            reader.actions(_view(), query)
        times.append(time.perf_counter() - began)
    return Figure(
        f"api: {name}, 99th percentile of {len(times)} queries",
        _slow(times) * 1000,
        "ms",
        most=200,
        steady=False,
    )


def _slow(times: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(times, n=100)[98]


@contextmanager
def _asking(reader: LedgerReader, queries: Sequence[ActionQuery]) -> Iterator[None]:
    """Ask without a pause, on as many threads as the exporter has for it."""
    stop = Event()

    def ask(step: int) -> None:
        while True:
            for query in queries[::step]:
                if stop.is_set():
                    return
                with suppress(QueryTimeoutError):
                    reader.actions(_view(), query)

    threads = [Thread(target=ask, args=(step,)) for step in (1, -1)[:QUERIES]]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in threads:
            each.join()


def _commits(file: Path, account_id: int, news: Iterator[TrackedAction]) -> list[float]:
    """Commit new actions again and again; returns the seconds of each."""
    store = SqliteStore(Database(f"sqlite:///{file}"))
    store.load(ACCOUNTS[0])
    times = []
    for _ in range(COMMITS):
        time.sleep(PAUSE)
        rows = {row.id: row for row in islice(news, CHANGES)}
        unit = UnitOfWork(ACCOUNTS[0], REASONS, str, END, rows=rows, added=set(rows))
        began = time.perf_counter()
        store.commit(account_id, unit, {})
        times.append(time.perf_counter() - began)
    store.close()
    return times


def _view() -> LedgerView:
    options = SnapshotOptions((), (), {}, 900.0, REASONS.classes)
    scopes = tuple(AccountScope(name, options) for name in ACCOUNTS)
    return LedgerView(scopes, REASONS.classify, REASONS.classes)


def _queries(cards: Sequence[Row]) -> Iterator[ActionQuery]:
    """Yield each filter with frequent and rare values, alone and with each other one."""
    middle = END - SPAN / 2
    values: Mapping[str, Sequence[object]] = {
        "status": tuple(Status),
        "action_type": ("enable", "remove_public_ip", "enable_voice", "unheard_of"),
        "account": ("alpha", "gamma", "delta"),
        "sim_card_id": (cards[0][1],),
        "iccid": (_iccid(0), "none"),
        "bulk_id": (*BULKS, "unknown"),
        "reason_class": ("insufficient_funds", "data_limit", "none", "superseded"),
        "since": (END - DAY, middle, END + DAY),
        "until": (END - SPAN + DAY, middle),
        "ended_since": (END - DAY, middle, END + DAY),
        "ended_until": (END - SPAN + DAY, middle),
    }
    filters: list[dict[str, object]] = [
        {},
        *({name: value} for name, each in values.items() for value in each),
        *(
            {one: first, other: second}
            for one, other in combinations(values, 2)
            for first in values[one]
            for second in values[other]
        ),
        {"since": middle - DAY, "until": middle},
        {"ended_since": middle - DAY, "ended_until": middle},
    ]
    make: Callable[..., ActionQuery] = ActionQuery
    for each in filters:
        for sort in ACTION_ORDERS:
            yield make(**each, sort=sort, limit=PAGE, counted=True)


def _rows(random: Random) -> Iterator[Row]:
    cards = [_uuid(random) for _ in range(CARDS)]
    times = (END - SPAN * (1 - number / ROWS) for number in range(ROWS))
    for number, made in enumerate(_actions(random, times, cards)):
        account = 1 if number % 20 < 12 else 2 if number % 20 < 19 else 3  # noqa: PLR2004 # shares
        account = 4 if number % 20_000 == 0 else account
        changes: dict[str, object] = {}
        if account == 3 and made.action_type == "enable":  # noqa: PLR2004 # so it has none of a type
            changes["action_type"] = "set_public_ip"
        if number > ROWS - 1000:
            changes |= {"status": Status.IN_PROGRESS, "reason": None, "ended_at": None}
            changes |= {"failure_at": None, "failure_status": ""}
        if number == ROWS // 3:
            changes |= {"status": Status.FAILED, "reason": "The data limit was exceeded."}
            changes |= {"failure_at": made.updated_at, "failure_status": Status.FAILED}
        row = replace(made, **changes)
        yield row.id, account, *astuple(row)[1:], reason_hash(row.reason)


def _actions(
    random: Random, times: Iterable[float], cards: Sequence[str]
) -> Iterator[TrackedAction]:
    """Yield an action created at each of the times, with what actions of a ledger have."""
    types, type_weights = list(TYPES), list(TYPES.values())
    reasons, reason_weights = list(REASON_TEXTS), list(REASON_TEXTS.values())
    for created in times:
        status = random.choices(ENDED_STATUSES, (93, 6, 1))[0]
        failed = status != Status.COMPLETED
        ended = created + random.expovariate(1 / 120)
        yield TrackedAction(
            id=_uuid(random),
            sim_card_id=random.choice(cards),
            action_type=random.choices(types, type_weights)[0],
            status=status,
            reason=random.choices(reasons, reason_weights)[0] if failed else None,
            created_at=created,
            updated_at=ended,
            seen_at=created + 20,
            ended_at=ended + 30,
            position=None,
            stuck=False,
            failure_at=ended if failed else None,
            failure_status=status if failed else "",
        )


def _named(cards: Sequence[Row]) -> Iterator[Row]:
    for number, (account, card) in enumerate(cards):
        known = SimCard(str(card), _iccid(number), "group", "Fleet", ("a", "b"))
        yield account, card, msgspec.json.encode(known).decode(), known.iccid


def _members(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the members of bulk actions; next to each other they would be read faster."""
    random = Random(7)  # noqa: S311 - nothing to guess
    ids = [row[0] for row in rows if row[1] == 1]
    for bulk_id, size in BULKS.items():
        yield from ((1, bulk_id, each) for each in random.sample(ids, size))


def _iccid(number: int) -> str:
    return f"8988{number:015}"


def _uuid(random: Random) -> str:
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
