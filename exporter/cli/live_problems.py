"""Finds the SIM cards that are broken as Telnyx lists their actions now, without a ledger.

Lists are read into work files that are gone afterwards, so memory does not grow with them. It must
not read or write the ledger.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.cli.history_reading import cancelled_by_signals, read_list
from exporter.config import Account, Settings
from exporter.errors import PollError
from exporter.history.problems import failure_reasons, open_problems
from exporter.history.spool import HistorySource, Spool
from exporter.history.summary import Scope
from exporter.ledger.queries import (
    DAY,
    AccountProblem,
    AccountScope,
    LedgerView,
    ProblemQuery,
    ReasonCount,
    Rows,
    part,
    reason_counts,
)
from exporter.ledger.views import unwatched_note
from exporter.network import find_network
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

_REASONS_HELD = 10_000


@dataclass(slots=True)
class LiveProblems:
    """The problems in the lists of Telnyx, of actions created ``since`` then (None: any).

    Once they are read, ``notes`` has a sentence for each account whose problems cannot all be told,
    ``incomplete`` one for each of whose list something could not be read.
    """

    settings: Settings
    view: LedgerView
    query: ProblemQuery
    since: float | None
    notes: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    _problems: list[AccountProblem] = field(default_factory=list)
    _failures: list[tuple[str, str, int, float]] = field(default_factory=list)

    def read(self) -> tuple[Rows[AccountProblem], tuple[ReasonCount, ...]]:
        """Return the problems that pass, the oldest first, and the failures of the last day.

        Raises PollError where Telnyx cannot be asked, StateError where there is no room for what
        was read. Exits on a signal.
        """
        with TemporaryDirectory(prefix="telnyx-sim-problems-") as folder:
            asyncio.run(self._read_all(Path(folder)))
        self._problems.sort(key=lambda row: row.position)
        rows = part(self._problems, self.query.limit, lambda row: row.position)
        return rows, reason_counts(self._failures, self.view.classify)

    async def _read_all(self, folder: Path) -> None:
        network = find_network(self.settings)
        scopes = {each.name: each for each in self.view.only(self.query.account)}
        wanted = (each for each in self.settings.accounts if each.name in scopes)
        with cancelled_by_signals() as exit_code:
            for number, account in enumerate(wanted):
                try:
                    with Spool(folder / f"{number}.db") as spool:
                        await self._read(account, scopes[account.name], network, spool)
                except asyncio.CancelledError:
                    sys.exit(exit_code())
                except PollError as exc:
                    raise PollError(f"account {account.name!r}: {exc}") from exc

    async def _read(
        self, account: Account, scope: AccountScope, network: Network, spool: Spool
    ) -> None:
        """Read the list of an account, and take what is in it."""
        name = account.name
        source = HistorySource(
            name, account.base_url, account.action_types, self.since, time.time(), owner=""
        )
        spool.begin(source)
        narrowed = Query(sim_card_id=self.query.sim_card_id)
        missing = await read_list(self.settings, account, network, spool, source, narrowed=narrowed)
        if missing:
            self.incomplete.append(f"account {name!r}: {missing}")
        if scope.unwatched:
            self.notes.append(f"account {name!r}: {unwatched_note(scope.unwatched)}")
        now = time.time() + spool.clock_offset
        shown = Scope(scope.options, self.since)
        self._problems += self._passing(name, spool, shown, now)
        self._failures += (
            (reason, name, count, latest)
            for reason, count, latest in failure_reasons(spool, shown, now - DAY)
        )

    def _passing(
        self, account: str, spool: Spool, scope: Scope, now: float
    ) -> Iterator[AccountProblem]:
        classify = lru_cache(_REASONS_HELD)(self.view.classify)
        for problem in open_problems(spool, scope, classify, now):
            if self.query.takes(account, problem, None):
                yield AccountProblem(account, problem, None)
