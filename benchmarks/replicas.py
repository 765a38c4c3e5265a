"""What a thousand accounts take of three replicas and their PostgreSQL server, beside one process.

All are processes on loopback, all accounts are the same simulated one. It needs PostgreSQL.
"""

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError, cpu_of, memory_of
from benchmarks.replica_rig import ReplicaRig, account_names, replica_rig
from benchmarks.tally import sums

ACCOUNTS = 1000
INTERVAL = 60.0
"""Seconds between two polls of an account: the default."""

WINDOW = 2 * INTERVAL
"""For how long each is watched, in seconds."""

OPTIONS = {
    "rate": 0.05,
    "bulk-every": 0,
    "history": 1000,
    "stuck-at-start": 0,
    "duration": 30,
}
"""Three new actions of each account between two polls, fifty a second of all."""

SCRAPED_WITHIN = 60.0
"""Seconds that a scrape of a thousand accounts may take."""

SPREAD_WITHIN = 120.0
"""Seconds until the accounts are spread evenly."""


def measure() -> Report:
    """Measure; about ten minutes."""
    figures: list[Figure] = []
    polls: dict[int, float] = {}
    requests: dict[int, float] = {}
    for replicas in (1, 3):
        with tempfile.TemporaryDirectory() as folder:
            poll = {"interval": f"{INTERVAL:g}s", "rate_limit": 1000}
            with replica_rig(Path(folder), OPTIONS, poll) as rig:
                for number in range(replicas):
                    rig.start(number, ACCOUNTS)
                rig.wait_for_baselines(account_names(ACCOUNTS))
                _wait(partial(_spread, rig, replicas))
                time.sleep(INTERVAL)
                found = _window(rig)
                polls[replicas] = found["cpu"] / found["polls"]
                requests[replicas] = found["requests"] / found["polls"]
                who = f"{ACCOUNTS} accounts, {replicas} replica{'s' * (replicas > 1)}"
                figures += [
                    Figure(f"CPU of all replicas: {who}", found["cpu share"], "% of a core"),
                    Figure(f"CPU of PostgreSQL: {who}", found["database share"], "% of a core"),
                    Figure(f"transactions in PostgreSQL: {who}", found["transactions"], "/s"),
                    Figure(f"memory of a replica: {who}", found["memory"], "MB"),
                    Figure(f"end of an action to the poll that sees it: {who}", found["lag"], "s"),
                ]
                if replicas > 1:
                    figures.append(
                        Figure(f"kill -9 to all accounts held again: {who}", _takeover(rig), "s")
                    )
    unsteady = [Figure(each.what, each.value, each.unit, steady=False) for each in figures]
    return Report(
        "A thousand accounts on three replicas",
        f"{ACCOUNTS} accounts polled every {INTERVAL:.0f} s for {WINDOW:.0f} s, three new actions "
        "of each between two polls, over loopback without TLS. The lag is the mean, about half an "
        "interval: all accounts are the same simulated one, so it is that of a few actions, and "
        "may be somewhat less or more. After a kill, accounts of the dead replica are held again "
        "once their leases ran out.",
        (
            Figure("requests of a poll, 3 replicas over 1", requests[3] / requests[1], "x", 1.02),
            Figure("CPU of a poll, 3 replicas over 1", polls[3] / polls[1], "x", steady=False),
            *unsteady,
        ),
    )


def _window(rig: ReplicaRig) -> dict[str, float]:
    """Watch the programs for a while; returns what they did meanwhile."""
    # Scrapes of a thousand accounts take long themselves: outside of the time that is measured.
    before = {**_counts(rig), **_loads(rig)}
    began = time.monotonic()
    time.sleep(WINDOW)
    seconds = time.monotonic() - began
    loads = _loads(rig)
    after = {**_counts(rig), **loads}
    done = {name: after[name] - before[name] for name in after}
    running = [each.program for each in rig.replicas if each.program is not None]
    return {
        **done,
        "cpu share": 100 * done["cpu"] / seconds,
        "database share": 100 * done["database"] / seconds,
        "transactions": done["transactions"] / seconds,
        "lag": done["delays"] / done["delayed"],
        "memory": sum(memory_of(each.process.pid) for each in running) / len(running) / 1e6,
    }


def _counts(rig: ReplicaRig) -> dict[str, float]:
    """Return what the replicas counted."""
    texts = rig.expositions(SCRAPED_WITHIN)
    if len(texts) != sum(each.program is not None for each in rig.replicas):
        raise ProgramError("a replica does not answer")
    return {
        name: sum(sums(text, metric) for text in texts)
        for name, metric in (
            ("polls", "telnyx_exporter_polls_total"),
            ("requests", "telnyx_exporter_api_requests_total"),
            ("delays", "telnyx_sim_card_action_detection_delay_seconds_sum"),
            ("delayed", "telnyx_sim_card_action_detection_delay_seconds_count"),
        )
    }


def _loads(rig: ReplicaRig) -> dict[str, float]:
    """Return the seconds of CPU that programs have taken, and how many transactions there were."""
    ((transactions,),) = rig.execute("SELECT sum(xact_commit)::float8 FROM pg_stat_database")
    return {
        "cpu": sum(cpu_of(each.program.process.pid) for each in rig.replicas if each.program),
        "database": rig.cluster.cpu(),
        "transactions": float(str(transactions)),
    }


def _spread(rig: ReplicaRig, replicas: int) -> bool:
    held = _holders(rig)
    counts = held.values()
    even = len(held) == replicas and max(counts) - min(counts) <= 1
    return even and held.total() == ACCOUNTS


def _holders(rig: ReplicaRig) -> Counter[str]:
    """Return how many leases each holder has, but for those that ran out."""
    rows = rig.execute(
        "SELECT holder FROM leases WHERE expires_at > extract(epoch FROM clock_timestamp())"
    )
    return Counter(str(holder) for (holder,) in rows)


def _takeover(rig: ReplicaRig) -> float:
    """Kill a replica; returns the seconds until others hold all of its accounts."""
    before = _holders(rig)
    began = time.monotonic()
    rig.end(0, signal.SIGKILL)

    def taken_over() -> bool:
        # The one that was killed has leases until they run out.
        held = _holders(rig)
        return held.total() == ACCOUNTS and len(held) == len(before) - 1

    _wait(taken_over)
    return time.monotonic() - began


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + SPREAD_WITHIN
    while not until():
        if time.monotonic() > end:
            raise ProgramError(f"not within {SPREAD_WITHIN:g} s")
        time.sleep(0.25)
