"""What a scrape takes, at rest and while catching up, beside prometheus-client's own exposition.

At rest, in this process: rendering the metrics against `generate_latest` on an equal
registry of native metrics. Over HTTP: the exporter in its own process, polled by nobody else.
"""

import asyncio
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from prometheus_client import (
    CollectorRegistry,
    disable_created_metrics,
    enable_created_metrics,
    generate_latest,
)

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError
from benchmarks.rendering import equal, kept_ready, packed, populated, ratios
from benchmarks.stage import PLAIN, PROMETHEUS, Stage

ACCOUNTS = (1, 10, 100)
TYPICAL = 10
"""The number of accounts for which there are bounds."""

MANY = 100
"""The number of accounts that are all polled between two scrapes."""

ROUNDS = {1: 40, 10: 15, 100: 5}
UNSEEN = 40_000
"""Actions that each account has to catch up with."""

INTERVAL = 5.0
SECONDS = 15.0
"""For how long it is scraped, at rest and again while catching up."""

SHORT_INTERVAL = 1.0
POLLED_PAUSE = (0.1, 0.3)
"""Bounds of what is added to the interval between two scrapes, so that all are polled meanwhile."""

POLLED_SCRAPES = 40

PAUSE = (0.02, 0.06)
"""Bounds of the pause between two scrapes: so short that there are enough for a percentile."""

LIFE: dict[str, object] = {
    "rate": 0,
    "bulk-every": 0,
    "history": 100_000,
    "duration": 0.5,
    "failed": 0.02,
    "interrupted": 0.01,
}

_REQUESTS = re.compile(r"^telnyx_exporter_api_requests_total\{[^}]*\} (\S+)", re.MULTILINE)
_POLLS = re.compile(r"^telnyx_exporter_polls_total\{([^}]*)\} (\S+)", re.MULTILINE)
_CREATED = re.compile(r"^telnyx_sim_card_actions_created_total\{[^}]*\} (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Seconds that scrapes took: of text, and of OpenMetrics as Prometheus asks for it."""

    text: list[float]
    packed: list[float]


def measure() -> Report:
    """Measure; about nine minutes."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # untyped; of them we have none
    try:
        figures = [figure for count in ACCOUNTS for figure in _figures(count)]
    finally:
        enable_created_metrics()  # type: ignore[no-untyped-call] # untyped
    return Report(
        "Scrapes",
        "A scrape reads the stored state and sends no request to Telnyx. What a poll changed is "
        "written and compressed before it, once, and a scrape joins what is kept: plain text is "
        "unpacked from it. Over HTTP, it was the "
        f"exporter in a process of its own, scraped every {sum(PAUSE) / 2 * 1000:.0f} ms or so in "
        "turn for OpenMetrics with gzip, as Prometheus asks, and for text as it is; this client "
        "and the simulated API took their share of the same processor. Accounts are polled every "
        f"{INTERVAL:.0f} s, or every second where that is said. Where all of them are polled since "
        f"the last scrape, there are at most {POLLED_SCRAPES} scrapes, an interval and more apart: "
        "of fewer than a hundred, the 99th percentile is nearly the longest.",
        tuple(figures),
    )


def _figures(accounts: int) -> list[Figure]:
    who = f"{accounts} account" if accounts == 1 else f"{accounts} accounts"
    ratio = 1.5 if accounts == TYPICAL else None
    most = 50.0 if accounts == TYPICAL else None
    snapshot = asyncio.run(populated(accounts))
    theirs = equal(snapshot)
    figures = [
        Figure(f"samples, {who}", sum(len(each.samples) for each in theirs.collect()), ""),
        *(
            Figure(f"rendering over generate_latest, {what}, {who}", value, "x", ratio)
            for what, value in asyncio.run(ratios(snapshot, theirs, ROUNDS[accounts])).items()
        ),
    ]
    kept = kept_ready(snapshot, ROUNDS[accounts])
    figures += [
        Figure(f"scrape, {who}, CPU", 1000 * kept.at_rest, "ms", steady=False),
        Figure(
            f"scrape, {who}: all polled since over none, CPU", kept.polled / kept.at_rest, "x", 1.5
        ),
        Figure(f"written before it, {who}, CPU", 1000 * kept.written, "ms", steady=False),
    ]
    first, rest, busy = _served(accounts)
    beside = _generated(theirs, ROUNDS[accounts])
    figures += [
        Figure(f"/metrics over generate_latest, {what}, {who}, at rest", value, "x", ratio)
        for what, value in {
            "text": median(rest.text) / median(beside.text),
            "OpenMetrics with gzip": median(rest.packed) / median(beside.packed),
        }.items()
    ]
    figures += _timings(f"{who}, first after the start", first)
    figures += _timings(f"{who}, at rest", rest)
    figures += _timings(f"{who}, catching up", busy, most)
    if accounts == MANY:
        for interval, ratio in ((INTERVAL, 1.5), (SHORT_INTERVAL, None)):
            times = _polled_between(accounts, interval)
            name = f"/metrics, {who}, all polled since the last, every {interval:.0f} s, gzip"
            figures += _percentiles(name, times, 100.0)
            over = _percentile(times) / _percentile(rest.packed)
            figures.append(
                Figure(f"{name}, 99th percentile over at rest", over, "x", ratio, steady=False)
            )
    return figures


def _timings(when: str, scrapes: Scrapes, most: float | None = None) -> Iterator[Figure]:
    """Yield percentiles in milliseconds; the bound is of what Prometheus asks for."""
    for what, times, bound in (("gzip", scrapes.packed, most), ("text", scrapes.text, None)):
        name = f"/metrics, {when}, {what}"
        if len(times) == 1:
            yield Figure(name, times[0] * 1000, "ms", steady=False)
        else:
            yield from _percentiles(name, times, bound)


def _percentiles(name: str, times: Sequence[float], bound: float | None) -> Iterator[Figure]:
    """Yield percentiles in milliseconds."""
    middle, worst = median(times) * 1000, _percentile(times) * 1000
    yield Figure(f"{name}, median", middle, "ms", steady=False)
    yield Figure(f"{name}, 99th percentile", worst, "ms", bound, steady=False)


def _served(accounts: int) -> tuple[Scrapes, Scrapes, Scrapes]:
    """Scrape an exporter: the first time, at rest, and while it catches up."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Stage(Path(folder), LIFE, accounts=accounts, interval=INTERVAL)) as stage,
    ):
        time.sleep(INTERVAL)  # as Prometheus would not ask at once, either
        first, rest = Scrapes([], []), Scrapes([], [])
        _scrape(stage, first)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            _scrape(stage, rest)
        return first, rest, _catching_up(stage)


def _polled_between(accounts: int, interval: float) -> Sequence[float]:
    """Scrape an exporter that polls all accounts between two scrapes; returns the seconds.

    A scrape is left out if an account was not polled since the one before it.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Stage(Path(folder), LIFE, accounts=accounts, interval=interval)) as stage,
    ):
        before = _polls(stage.scrape(PROMETHEUS)[1])
        found: list[float] = []
        for _ in range(POLLED_SCRAPES):
            time.sleep(interval + random.uniform(*POLLED_PAUSE))  # noqa: S311 # guards nothing
            took, text = stage.scrape(PROMETHEUS)
            now = _polls(text)
            if all(count > before[account] for account, count in now.items()):
                found.append(took)
            before = now
    if len(found) < POLLED_SCRAPES / 2:
        raise ProgramError(f"not all accounts are polled every {interval:g} s")
    return found


def _generated(theirs: CollectorRegistry, rounds: int) -> Scrapes:
    """Return how long `generate_latest` takes in both formats, while nothing else runs."""
    found = Scrapes([], [])
    for _ in range(rounds):
        for times, call in ((found.text, generate_latest), (found.packed, packed)):
            began = time.perf_counter()
            call(theirs)
            times.append(time.perf_counter() - began)
    return found


def _catching_up(stage: Stage) -> Scrapes:
    """Scrape while there are unseen actions that are being read and none is published yet."""
    found = Scrapes([], [])
    end = time.monotonic() + 2 * SECONDS
    while time.monotonic() < end:
        stage.control("actions", {"count": UNSEEN, "lives": True})
        asked, created = _sums(stage.scrape(PLAIN)[1])
        while (now := _sums(stage.scrape(PLAIN)[1]))[0] <= asked:
            time.sleep(0.01)
        while now[1] == created and time.monotonic() < end:
            now = _sums(_scrape(stage, found))
    return found


def _scrape(stage: Stage, into: Scrapes) -> str:
    """Scrape in both formats, with pauses; returns the text."""
    text = ""
    for headers, timings in ((PROMETHEUS, into.packed), (PLAIN, into.text)):
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 # keeps it out of step, guards nothing
        took, text = stage.scrape(headers)
        timings.append(took)
    return text


def _polls(text: str) -> dict[str, float]:
    """Return how many polls of each account there were."""
    return {account: float(count) for account, count in _POLLS.findall(text)}


def _sums(text: str) -> tuple[float, float]:
    """Return how many requests were sent, and how many new actions were counted."""
    return (
        sum(map(float, _REQUESTS.findall(text))),
        sum(map(float, _CREATED.findall(text))),
    )


def _percentile(values: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(values, n=100, method="inclusive")[98]
