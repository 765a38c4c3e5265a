"""Give every store that there is to the tests of the contract."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from exporter.ledger.store.protocol import LedgerStore
from tests.ledger.store.contract import STORES, StatePlace


@pytest.fixture(scope="module", params=list(STORES))
def new_place(
    request: pytest.FixtureRequest,
) -> Callable[[], AbstractContextManager[StatePlace]]:
    """Give the way to begin an empty state, for tests that need many."""
    return STORES[request.param]


@pytest.fixture
def place(new_place: Callable[[], AbstractContextManager[StatePlace]]) -> Iterator[StatePlace]:
    """Give the place of an empty state."""
    with new_place() as made:
        yield made


@pytest.fixture
def store(place: StatePlace) -> LedgerStore:
    """Open a store on an empty state."""
    return place.reopen()
