"""How long after an action ended /metrics shows it: an exporter and a simulator as processes.

Actions end at random times, some that were in flight for long and some that nobody had seen
before; /metrics is read all the while.
"""

import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError
from benchmarks.stage import PLAIN, Stage
from benchmarks.timing import random_moments

WINDOWS = {1.0: 30.0, 15.0: 75.0}
"""Poll intervals, and for how long actions end there; all in seconds."""

ENDS = 200
"""How many actions end, at times that are spread evenly but for chance."""

IN_FLIGHT = 400
"""Actions in progress from the start: more than fit on one page, and most of them stay."""

LOOK = 0.02
"""Seconds between two scrapes: each delay is measured as longer by up to this and a scrape."""

LATE = 30.0
"""Seconds past an interval after which an action that does not show is given up."""

LIFE: dict[str, object] = {"rate": 0, "bulk-every": 0, "history": 100_000, "stuck-at-start": 0}

_COMPLETED = re.compile(r"^telnyx_sim_card_actions_completed_total\{[^}]*\} (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shown:
    """When so many ends were first seen in /metrics."""

    count: int
    at: float


def measure() -> Report:
    """Measure; about a minute and a half, as all intervals are measured at the same time."""
    with ThreadPoolExecutor(len(WINDOWS)) as threads:
        delays = dict(zip(WINDOWS, threads.map(_delays, WINDOWS), strict=True))
    return Report(
        "From the end of an action to /metrics",
        f"{ENDS} actions ended at random moments at each interval, half of them in flight among "
        f"{IN_FLIGHT:,} and half of them never seen before; /metrics was read every "
        f"{LOOK * 1000:.0f} ms. A delay begins before the simulated API is told of the end, and "
        "ends with the whole answer that shows it. Prometheus adds its own scrape interval.",
        tuple(figure for interval, found in delays.items() for figure in _figures(interval, found)),
    )


def _figures(interval: float, delays: list[float]) -> Iterator[Figure]:
    when = f"polls every {interval:g} s"
    yield Figure(f"ended to visible, median, {when}", median(delays), "s", steady=False)
    yield Figure(f"ended to visible, longest, {when}", max(delays), "s", steady=False)
    beyond = max(delays) - interval
    yield Figure(f"longest beyond the interval, {when}", beyond, "s", 1.0, steady=False)


def _delays(interval: float) -> list[float]:
    """Return how long each of the actions took to show."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Stage(Path(folder), LIFE, accounts=1, interval=interval)) as stage,
    ):
        flying = stage.control("actions", {"count": IN_FLIGHT}).json()["ids"]
        _wait_for_polls(stage, 2)
        with ThreadPoolExecutor(1) as thread:
            ending = thread.submit(_end, stage, flying, WINDOWS[interval])
            shown = _watch(stage, WINDOWS[interval] + interval + LATE)
            return matched(sorted(ending.result()), shown)


def _end(stage: Stage, flying: list[str], window: float) -> list[float]:
    """End actions at random times; returns when each did, at the earliest."""
    ended = []
    for number in random_moments(ENDS, window):
        action_id = flying[number]
        if number % 2:
            (action_id,) = stage.control("actions", {"count": 1}).json()["ids"]
        ended.append(time.monotonic())
        stage.control(f"actions/{action_id}", {"status": "completed"})
    return ended


def _watch(stage: Stage, patience: float) -> list[Shown]:
    """Read /metrics until all ends are shown; returns each time that it showed more."""
    shown = [Shown(0, 0.0)]
    give_up = time.monotonic() + patience
    while shown[-1].count < ENDS:
        text = stage.scrape(PLAIN)[1]
        now = time.monotonic()
        if now > give_up:
            raise ProgramError(f"/metrics shows {shown[-1].count} of {ENDS} ended actions")
        count = int(sum(map(float, _COMPLETED.findall(text))))
        if count > shown[-1].count:
            shown.append(Shown(count, now))
        time.sleep(LOOK)
    return shown


def matched(ended: list[float], shown: list[Shown]) -> list[float]:
    """Return the delay of each action: what ends first is taken to show first.

    Should a poll see a later one before an earlier one, the earlier one counts as shown sooner
    than it was and the other later: by no more than the poll took.
    """
    delays = []
    for before, after in pairwise(shown):
        delays += [after.at - at for at in ended[before.count : after.count]]
    return delays


def _wait_for_polls(stage: Stage, count: int) -> None:
    """Wait until so many more polls have ended: what is in flight is known then."""
    polls = r"^telnyx_exporter_polls_total\{[^}]*\} (\S+)"

    def ended() -> float:
        return sum(map(float, re.findall(polls, stage.scrape(PLAIN)[1], re.MULTILINE)))

    goal = ended() + count
    while ended() < goal:
        time.sleep(LOOK)
