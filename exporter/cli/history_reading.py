"""Reads the list of an account's actions into a work file, with the progress of it.

For the commands that need all of a list. They must not be kept from a signal.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.account_client import open_client
from exporter.api_key import ApiKey
from exporter.cli.progress import progress_of
from exporter.cli.signals import stopping
from exporter.clock import SystemClock
from exporter.config import Account, Settings
from exporter.history.reading import Reader
from exporter.history.spool import HistorySource, Spool
from exporter.metrics.self_metrics import SelfMetrics
from exporter.sync.fetcher import Fetcher, ServerLimits
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

_NOTHING = Query()


@contextmanager
def cancelled_by_signals() -> Iterator[Callable[[], int]]:
    """Cancel this task on a signal; gives what returns the exit code then."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    code = 0

    def stop(number: int) -> None:
        nonlocal code
        code = 128 + number
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    with stopping(stop, lambda _: None):
        yield lambda: code


async def read_list(
    settings: Settings,
    account: Account,
    network: Network,
    spool: Spool,
    source: HistorySource,
    *,
    narrowed: Query = _NOTHING,
) -> str:
    """Read what is not read yet of one account, or of what ``narrowed`` leaves of its list.

    Returns a sentence about what could not be read, empty if all could. Raises PollError.
    """
    poll, clock = settings.poll, SystemClock()
    client, close = open_client(
        account,
        poll,
        key=ApiKey(account),
        route=network.routes[account.base_url],
        observer=SelfMetrics(account.name),
        clock=clock,
    )
    limits = ServerLimits()
    try:
        with progress_of(account.name) as watcher:
            reader = Reader(
                fetcher=Fetcher(client, page_size=poll.page_size, limits=limits, narrowed=narrowed),
                spool=spool,
                clock=clock,
                concurrency=poll.concurrency,
                watcher=watcher,
            )
            missing = await reader.read(source)
    finally:
        await close()
    return f"{missing:,} actions that Telnyx counts could not be read" * (missing > 0)
