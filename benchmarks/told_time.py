"""A simulated account whose time is told it, as a process: `python -m benchmarks.told_time`.

Each line that it reads is a time, each that it writes what has happened in the account by then. It
lists no more than a bounded number of actions, the latest. It must not know who polls it.
"""

import asyncio
import json
import sys

from exporter.domain import ENDED_STATUSES
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from tests.support.simulation import ManualClock

LISTED = 800
"""Actions that the API goes on listing."""

WORLD = WorldSettings(
    rate=0.08,
    bulk_every=1800.0,
    bulk_size=40,
    duration=90.0,
    stuck=0.0,  # those that never end would add up
    resumed=0.0,  # one that is interrupted twice between two audits cannot be told
    stuck_at_start=0,
    history=0,
    sim_cards=200,  # as many of them are broken after 1,000 polls as after 10,000
)


async def run() -> None:
    """Serve the account until there is nothing more to read; its address is the first line."""
    loop = asyncio.get_running_loop()
    clock = ManualClock(float(await loop.run_in_executor(None, sys.stdin.readline)))
    simulator = Simulator(SimulatorSettings(world=WORLD), clock)
    async with serving(simulator) as url:
        answer: object = url
        while True:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            clock.now = float(line)
            answer = advance(simulator)


def advance(simulator: Simulator) -> dict[str, int]:
    """Let the account catch up with its clock; returns what has happened in it, by what it is."""
    simulator.tick()
    simulator.requests.clear()
    record = simulator.world.record()
    simulator.world.prune(max(0, sum(record.current.values()) - LISTED))
    ended = {each.value: sum(record.by_type(each).values()) for each in ENDED_STATUSES}
    return {"created": sum(record.created.values()), **ended}


if __name__ == "__main__":
    asyncio.run(run())
