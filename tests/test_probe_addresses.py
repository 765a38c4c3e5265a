import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from exporter.probe import connect

Unheard = Callable[[], tuple[int, tuple[str, int]]]


@pytest.fixture
def unheard() -> Iterator[Unheard]:
    """Give a maker of addresses where a connection is neither let in nor refused."""
    with ExitStack() as held:

        def make() -> tuple[int, tuple[str, int]]:
            server = held.enter_context(socket.socket())
            server.bind(("127.0.0.1", 0))
            server.listen(0)  # one may wait to be let in
            held.enter_context(socket.create_connection(server.getsockname()))
            return socket.AF_INET, server.getsockname()

        yield make


def test_dead_addresses_share_the_time(unheard: Unheard) -> None:
    """A host of many addresses that say nothing takes no longer than one."""
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        connect([unheard() for _ in range(5)], 0.5)
    assert 0.4 < time.monotonic() - begin < 1.5


def test_dead_address_does_not_hide_another(unheard: Unheard) -> None:
    """Where the first address is dead, there is time for the second, which may be refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        living = (socket.AF_INET, server.getsockname())
        with connect([unheard(), living], 1.0) as connection:
            assert connection.getpeername() == living[1]
    with pytest.raises(ConnectionRefusedError):
        connect([unheard(), living], 1.0)
