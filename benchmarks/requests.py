"""How many requests a situation costs, at several lengths of history, beside listing it all."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil

from rich.console import Console
from rich.table import Table

from benchmarks.account import Account, open_account
from exporter.ledger.view import Status
from exporter.simulator.settings import QUIET

HISTORIES = (10_000, 1_000_000, 10_000_000)


async def _measure(account: Account) -> dict[str, int]:
    """Return the requests of each situation, in the order in which they come about."""
    world = account.simulator.world
    costs = {"first poll": await account.poll(), "nothing new": await account.poll()}
    ids = world.create(1_000, bulk=True)
    costs["1,000 new, in flight"] = await account.poll()
    costs["1,000 in flight, nothing new"] = await account.poll()
    for action_id in ids[::2]:
        world.finish(action_id, Status.COMPLETED)
    costs["500 of them ended"] = await account.poll()
    for action_id in world.create(10_000):
        world.finish(action_id, Status.COMPLETED)
    costs["10,000 new, ended"] = await account.poll()
    return costs


async def run(console: Console) -> None:
    """Measure, and print one row for each situation."""
    table = Table(title="Requests a poll, by length of history", title_justify="left")
    table.add_column("situation")
    with ThreadPoolExecutor(1) as worker:
        columns = []
        for history in HISTORIES:
            table.add_column(f"{history:,}", justify="right")
            columns.append(await _measure(open_account(replace(QUIET, history=history), worker)))
    for situation in columns[0]:
        table.add_row(situation, *(f"{column[situation]:,}" for column in columns))
    table.add_row("listing everything", *(f"{ceil(each / 250):,}" for each in HISTORIES))
    console.print(table)


def main() -> None:
    """Run the benchmark."""
    asyncio.run(run(Console()))
