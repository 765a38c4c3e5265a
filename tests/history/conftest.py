"""A reader of a simulated account's history, and what it found."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.history.reading import Reader
from exporter.history.spool import HistorySource, Spool
from exporter.simulator.simulator import Simulator
from exporter.sync.fetcher import Fetcher, ServerLimits
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.support.simulation import AdvancingClock, InProcessTransport, ManualClock
from tests.sync.conftest import Nobody, new_store, open_account

__all__ = ["new_store", "open_account"]


class Quiet:
    """Is told how a reading goes; keeps what it was told last."""

    last: tuple[int, int | None] = (0, None)
    waited = 0.0

    def progress(self, read: int, total: int | None) -> None:
        """Keep it."""
        self.last = read, total

    def waiting(self, seconds: float) -> None:
        """Add it up."""
        self.waited += seconds


@dataclass
class History:
    """The history of one simulated account, and the work file that it is read into."""

    simulator: Simulator
    clock: ManualClock
    spool: Spool
    watcher: Quiet = field(default_factory=Quiet)

    async def read(
        self,
        *,
        since: float | None = None,
        page_size: int = 20,
        concurrency: int = 3,
        action_types: tuple[str, ...] = (),
    ) -> int:
        """Read it, or what is left of it; returns how many actions could not be found."""
        source = self.spool.source
        if source is None:
            source = HistorySource(
                "test", "http://telnyx.test/v2", action_types, since, self.clock(), ""
            )
            self.spool.begin(source)
        clock = AdvancingClock(self.clock)
        transport = InProcessTransport(self.simulator)
        async with open_http(timeout=10, concurrency=4, transport=transport) as http:
            client = Client(
                base_url="http://telnyx.test/v2",
                key=lambda: self.simulator.key,
                http=http,
                limits=ClientLimits(timeout=10, rate=1e6, concurrency=concurrency),
                observer=Nobody(),
                clock=clock,
            )
            reader = Reader(
                fetcher=Fetcher(client, page_size=page_size, limits=ServerLimits()),
                spool=self.spool,
                clock=clock,
                concurrency=concurrency,
                watcher=self.watcher,
            )
            return await reader.read(source)

    @property
    def found(self) -> Counter[tuple[str, str]]:
        """How many actions were read, by type and status."""
        return Counter(
            (each.action_type, each.status) for chunk in self.spool.chunks() for each in chunk
        )

    @property
    def listed(self) -> Counter[tuple[str, str]]:
        """How many actions the account lists, by type and status."""
        current = self.simulator.world.record().current
        return +Counter({(name, status.value): n for (name, status), n in current.items()})


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    """Open the history of a simulator, in the work file of a number."""
    with ExitStack() as opened:
        number = 0

        def history(simulator: Simulator, clock: ManualClock, **more: Any) -> History:
            nonlocal number
            number += 1
            spool = opened.enter_context(Spool(tmp_path / f"history-{number}.db"))
            return History(simulator, clock, spool, **more)

        yield history
