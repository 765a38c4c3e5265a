"""What an exporter of many accounts takes of a core, over real HTTP: both programs as processes.

It is what `flat` leaves out: connections, the state file, timers, threads. TLS it leaves out, too.
"""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure, Report
from benchmarks.stage import PROMETHEUS, Stage

ACCOUNTS = 100
INTERVAL = 60.0
"""Seconds between two polls of an account: the default."""

IN_FLIGHT = (0, 250)
"""Actions in progress of each account, none of which ends: one page of them at most."""

WINDOW = 2 * INTERVAL
"""For how long it is watched, in seconds; each account is polled twice meanwhile."""

SCRAPES = 5


def measure() -> Report:
    """Measure; about three minutes, as both are measured at the same time."""
    with ThreadPoolExecutor(len(IN_FLIGHT)) as threads:
        figures = [each for found in threads.map(_figures, IN_FLIGHT) for each in found]
    return Report(
        "A hundred accounts over HTTP",
        f"CPU of the exporter's process, polling {ACCOUNTS} accounts every {INTERVAL:.0f} s for "
        f"{WINDOW:.0f} s over loopback, without TLS and with its state on disk: everything that a "
        "poll takes but an audit, which comes every 15 minutes, and new actions. Scrapes are as "
        "Prometheus asks for them, after the polls, and not in the share of a core. The simulated "
        "API is a process of its own.",
        tuple(figures),
    )


def _figures(count: int) -> list[Figure]:
    who = f"{ACCOUNTS} accounts, {count} in flight each" if count else f"{ACCOUNTS} accounts"
    options: dict[str, object] = {
        "rate": 0,
        "bulk-every": 0,
        "history": 100_000,
        "stuck-at-start": count,
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Stage(Path(folder), options, accounts=ACCOUNTS, interval=INTERVAL)) as stage,
    ):
        stage.rest(INTERVAL / 6)  # what follows the first poll of all is over
        began, before = time.monotonic(), stage.cpu()
        stage.rest(WINDOW)
        polling, memory = stage.cpu() - before, stage.memory()
        share = polling / (time.monotonic() - began)
        before = stage.cpu()
        for _ in range(SCRAPES):
            stage.scrape(PROMETHEUS)
        scraping = (stage.cpu() - before) / SCRAPES
    each = polling / (ACCOUNTS * WINDOW / INTERVAL)
    return [
        Figure(f"over HTTP, share of a core: {who}", 100 * share, "%", steady=False),
        Figure(f"over HTTP, CPU of a poll: {who}", 1000 * each, "ms", steady=False),
        Figure(f"over HTTP, memory: {who}", memory / 1e6, "MB", steady=False),
        Figure(f"over HTTP, CPU of a scrape: {who}", 1000 * scraping, "ms", steady=False),
    ]
