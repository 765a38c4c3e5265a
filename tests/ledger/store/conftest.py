"""Give every store that there is to the tests of the contract."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from exporter.ledger.queries import AccountScope, LedgerView
from exporter.ledger.reasons import Reasons
from exporter.ledger.store.protocol import LedgerStore
from tests.ledger.store.contract import (
    STORES,
    StatePlace,
    memory_place,
    postgresql_place,
    sqlite_place,
)
from tests.support.postgresql import Cluster, new_pooler

POOLED = pytest.param("pgbouncer", marks=pytest.mark.program("postgres", "pgbouncer"))
"""PostgreSQL again, behind PgBouncer."""

Begin = Callable[[], AbstractContextManager[StatePlace]]


@pytest.fixture(scope="session")
def pooler(cluster: Cluster) -> Iterator[int]:
    """Run a pooler before the server; gives its port."""
    with new_pooler(cluster) as pooler:
        yield pooler.port


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[str]:
    """Create a database for a module; gives its name."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


def beginning(request: pytest.FixtureRequest) -> Begin:
    """Return the way to begin an empty state in the store that a fixture is for."""
    if request.param in {"memory", "sqlite"}:
        return memory_place if request.param == "memory" else sqlite_place
    parts = [request.getfixturevalue(name) for name in ("cluster", "database")]
    parts += [request.getfixturevalue("pooler")] if request.param == "pgbouncer" else []
    return partial(postgresql_place, *parts)


@pytest.fixture(scope="module", params=STORES)
def new_place(request: pytest.FixtureRequest) -> Begin:
    """Give the way to begin an empty state, for tests that need many."""
    return beginning(request)


@pytest.fixture(params=(*STORES, POOLED))
def place(request: pytest.FixtureRequest) -> Iterator[StatePlace]:
    """Give the place of an empty state."""
    with beginning(request)() as made:
        yield made


@pytest.fixture
def store(place: StatePlace) -> LedgerStore:
    """Open a store on an empty state."""
    return place.reopen()


@pytest.fixture
def view(make_options: Callable[..., Any]) -> Callable[..., LedgerView]:
    """Give a maker of views, of accounts that are shown as the options say."""

    def make(*names: str, **options: Any) -> LedgerView:
        reasons = Reasons.with_configured(())
        scopes = (AccountScope(name, make_options(**options)) for name in names or ("main",))
        return LedgerView(tuple(scopes), reasons.classify, reasons.classes)

    return make
