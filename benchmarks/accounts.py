"""A thousand accounts in one exporter over real HTTP: start, memory, CPU, spread, promptness.

Both programs are processes. It leaves out TLS, audits, and anything that happens to SIM cards.
"""

import http.client
import random
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError
from benchmarks.stage import PROMETHEUS, Stage

ACCOUNTS = 1_000
INTERVAL = 60.0
"""Seconds between two polls of an account: the default."""

WINDOW = 2 * INTERVAL
"""For how long it is left alone, in seconds; each account is polled twice meanwhile."""

SCRAPE_INTERVAL = 15.0
PAUSE = (0.02, 0.06)
"""Bounds of the pause between two questions, in seconds."""

HEALTHY = "/-/healthy"
HEALTHY_PAUSE = (0.1, 0.2)
"""The same for `/-/healthy`: it is asked for during the start, whose CPU is measured."""

LIFE: dict[str, object] = {"rate": 0, "bulk-every": 0, "history": 100_000}

_LAST = re.compile(r"^telnyx_exporter_last_success_timestamp_seconds\{[^}]*\} (\S+)$", re.MULTILINE)


def measure() -> Report:
    """Measure; about ten minutes, half of them until all accounts are polled."""
    with _stage(1, interval=1.0) as stage:
        alone = _cpu_of_a_poll(stage, 1, 1.0)
        stage.scrape(PROMETHEUS)
        memory = stage.memory()
    who = f"{ACCOUNTS:,} accounts"
    began = time.monotonic()
    with _stage(ACCOUNTS, interval=INTERVAL, wait=False) as stage:
        with _healthy(stage.address) as lag_of_start:
            stage.wait_until_ready()
        ready, starting = time.monotonic() - began, stage.cpu()
        stage.rest(INTERVAL)  # each is at its own moment then
        each = _cpu_of_a_poll(stage, ACCOUNTS, INTERVAL)
        starts = _starts(stage.scrape(PROMETHEUS)[1])
        with _healthy(stage.address) as lag:
            pages, scrapes = _asked(stage)
        memory_each = (stage.memory() - memory) / (ACCOUNTS - 1)
    figures = [
        Figure(f"{who}: start to the first poll of all", ready, "s", steady=False),
        Figure(
            f"{who}: CPU of the start, for each", 1000 * starting / ACCOUNTS, "ms", steady=False
        ),
        Figure(f"{who}: memory, for each further one", memory_each / 1e3, "kB", 150, steady=False),
        Figure("1 account: CPU of a poll", 1000 * alone, "ms", steady=False),
        Figure(f"{who}: CPU of a poll", 1000 * each, "ms", steady=False),
        Figure(f"{who}: CPU of a poll, over 1 account", each / alone, "x", 1.2, steady=False),
        Figure(f"{who}: share of a core", 100 * each * ACCOUNTS / INTERVAL, "%", 10, steady=False),
        Figure(f"{who}: most polls in a second, over the mean", _peak(starts), "x"),
        Figure(f"{who}: /metrics, longest", 1000 * max(scrapes), "ms", steady=False),
    ]
    for path, found, bound in ((HEALTHY, lag, 50), ("/", pages, None)):
        figures += [
            Figure(f"{who}: {path}, median", 1000 * median(found), "ms", steady=False),
            Figure(f"{who}: {path}, 99th percentile", _worst(found), "ms", bound, steady=False),
        ]
    during = f"{who}: {HEALTHY}, 99th percentile, during the start"
    figures.append(Figure(during, _worst(lag_of_start), "ms", steady=False))
    return Report(
        "A thousand accounts in one process",
        f"All are polled every {INTERVAL:.0f} s, one account alone every second, with nothing new; "
        "CPU and memory are those of the exporter's process, after a scrape as Prometheus asks for "
        "it. The share of a core leaves out audits, TLS and new actions. An audit, every 15 "
        "minutes, sends 19 to 37 requests and takes about 14 ms of CPU (measured with one account):"
        " 1.6 % of a core for 1,000 accounts. /-/healthy is answered by the event loop and nothing "
        "else, so its time is the lag of the loop; it was asked for on a connection of its own, "
        "during the start and while / and /metrics were asked for. Polls that ended, by five "
        f"seconds of a minute: {', '.join(map(str, _by_five(starts)))}.",
        tuple(figures),
    )


@contextmanager
def _stage(accounts: int, *, interval: float, wait: bool = True) -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(
            Stage(Path(folder), LIFE, accounts=accounts, interval=interval, wait=wait)
        ) as stage,
    ):
        yield stage


@contextmanager
def _healthy(address: str) -> Iterator[Sequence[float]]:
    """Ask for `/-/healthy` on a connection and a thread of its own; yields the seconds it took."""
    times: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            while not over.wait(random.uniform(*HEALTHY_PAUSE)):  # noqa: S311 # guards nothing
                began = time.perf_counter()
                connection.request("GET", HEALTHY)
                answer = connection.getresponse()
                answer.read()
                if answer.status != httpx.codes.OK:
                    raise ProgramError(f"{HEALTHY} answers {answer.status}")
                times.append(time.perf_counter() - began)

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield times
        finally:
            over.set()
        asking.result()


def _cpu_of_a_poll(stage: Stage, accounts: int, interval: float) -> float:
    """Return the seconds of CPU of a poll, all that happens between two of them included."""
    began, before = time.monotonic(), stage.cpu()
    stage.rest(WINDOW)
    return (stage.cpu() - before) / (accounts * (time.monotonic() - began) / interval)


def _starts(text: str) -> Sequence[int]:
    """Return in which second of the interval the last poll of each account ended."""
    return [int(float(each) % INTERVAL) for each in _LAST.findall(text)]


def _peak(starts: Sequence[int]) -> float:
    return max(Counter(starts).values()) * INTERVAL / len(starts)


def _by_five(starts: Sequence[int]) -> Sequence[int]:
    found = Counter(each // 5 for each in starts)
    return [found[number] for number in range(int(INTERVAL) // 5)]


def _worst(times: Sequence[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return 1000 * quantiles(times, n=100, method="inclusive")[98]


def _asked(stage: Stage) -> tuple[Sequence[float], Sequence[float]]:
    """Ask for the page for an interval, and scrape meanwhile; returns the seconds of both.

    No answer is unpacked here: that would hold up the thread that asks for `/-/healthy`.
    """
    pages: list[float] = []
    scrapes: list[float] = []
    end = time.monotonic() + INTERVAL
    due = 0.0
    while time.monotonic() < end:
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 # keeps it out of step, guards nothing
        pages.append(stage.ask("/"))
        if time.monotonic() >= due:
            scrapes.append(stage.ask("/metrics", PROMETHEUS))
            due = time.monotonic() + SCRAPE_INTERVAL
    return pages, scrapes
