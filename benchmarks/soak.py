"""A soak run: `python -m benchmarks.soak`. Kills an exporter and breaks its API, then compares.

The exporter polls a simulated account while it is killed at random moments and the API fails,
reports wrong totals and refuses deep pages. In the end each counter, and each logged failure, has
to be what the simulator's record says.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.fault_schedule import OFF, FaultSchedule, body
from benchmarks.programs import ProgramError
from benchmarks.rig import AUDIT_INTERVAL, Rig
from benchmarks.signals import exit_on_signals
from benchmarks.tally import (
    PROBLEMS,
    WHAT,
    Counts,
    broken,
    bulks_listed,
    bulks_shown,
    counted,
    differences,
    drifts,
    ended_bulks,
    moot,
    read_logs,
    recorded,
)
from exporter.simulator.settings import ListOrder

SIM_CARDS = 500
"""Few, so that many actions are of the same one."""

RETRIED = 0.6
"""The share of failures that are retried, each by another action on the same SIM card."""

RETRIED_AFTER = 5.0
DURATION = 4.0
SIGMA = 0.4
HISTORY = 20_000
QUIET = 2.5 * AUDIT_INTERVAL
"""Seconds without a change after which all has settled: longer than actions take, and audits."""

SETTLED_WITHIN = 6 * QUIET
"""Seconds that this may take, once all that was interrupted has gone on."""

REPORT_EVERY = 15.0


@dataclass(slots=True)
class Run:
    """Figures of one run, and the problems found."""

    before: Counts
    schedule: FaultSchedule
    kills: int = 0
    last: Counts = field(default_factory=Counter)
    widest: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, rig: Rig) -> None:
        """Check that no counter has decreased, or exceeds what happened."""
        if (text := rig.exposition()) is None:
            return
        record = rig.record()
        counts, most = counted(text), recorded(record) - self.before + moot(record)
        self.problems += [f"fell: {' '.join(key)}" for key in self.last - counts]
        self.problems += [f"ahead: {' '.join(key)}" for key in counts - most]
        self.last = counts
        for status, drift in drifts(text).items():
            self.widest[status] = max(drift, self.widest.get(status, 0), key=abs)


def disturb(rig: Rig, run: Run, arguments: argparse.Namespace, console: Console) -> None:
    """Let actions arrive, switch faults and kill the exporter, for the configured time."""
    random = Random(arguments.seed)  # noqa: S311 # repeatable, and nothing to guess
    now = began = time.monotonic()
    end = began + arguments.minutes * 60
    fault_at, kill_at = now, now + random.uniform(*arguments.kills_every)
    report_at = now + REPORT_EVERY
    rig.control("resume")
    while now < end:
        if now >= fault_at:
            faults, seconds = run.schedule.next_faults()
            rig.control("faults", body(faults))
            fault_at = now + seconds
        if now >= kill_at:
            run.check(rig)
            if (code := rig.end_exporter(signal.SIGKILL)) != -signal.SIGKILL:
                run.problems.append(f"the exporter ended by itself with {code}")
            run.kills += 1
            rig.start_exporter()
            kill_at = now + random.uniform(*arguments.kills_every)
        if now >= report_at:
            events = (recorded(rig.record()) - run.before).total()
            console.print(f"{now - began:4.0f} s: {events:,} events, {run.kills} kills")
            report_at += REPORT_EVERY
        time.sleep(max(0.0, min(fault_at, kill_at, report_at, end) - time.monotonic()))
        now = time.monotonic()
    rig.control("pause")
    rig.control("faults", body(OFF))


def settle(rig: Rig, run: Run, least: float) -> str:
    """Wait until nothing changes any more, ``least`` seconds; returns the last exposition."""
    began = since = now = time.monotonic()
    state = None
    while now - began < least or now - since < QUIET:
        if now - began > least + SETTLED_WITHIN:
            run.problems.append(f"did not settle within {least + SETTLED_WITHIN:g} s")
            break
        run.check(rig)
        if (seen := (rig.record(), run.last)) != state:
            state, since = seen, now
        time.sleep(1)
        now = time.monotonic()
    text = rig.exposition(wait=True)
    if text is None:
        raise ProgramError("the exporter does not get ready")
    return text


def compare(rig: Rig, run: Run, text: str, console: Console, minutes: float) -> None:
    """Compare counters and log with the record, and print figures and differences."""
    record = rig.record()
    truth = recorded(record) - run.before
    run.problems += differences(counted(text), truth, moot(record), words="counted")
    left, true_left = broken(rig.problems()), broken(record["problems"]["open"])
    run.problems += [f"not broken: {' '.join(key)}" for key in sorted(left - true_left)]
    run.problems += [f"broken, but not shown: {' '.join(key)}" for key in sorted(true_left - left)]
    drift = {status: n for status, n in drifts(text).items() if n}
    run.problems += [f"drift {status}: {n}" for status, n in drift.items()]
    bulks = rig.bulks()
    run.problems += differences(
        bulks_shown(text), bulks_listed(bulks), Counter(), words="shown of bulk actions"
    )
    if (code := rig.end_exporter(signal.SIGTERM)) != 0:
        run.problems.append(f"the exporter ended with {code} on SIGTERM")
    log = read_logs(rig.logs)
    ended = ended_bulks(bulks)
    run.problems += [
        f"bulk action {id_}: {log.bulks.get(id_, 'none')} members told, {count} ended"
        for id_, count in ended.items()
        if log.bulks.get(id_) != count
    ]
    failures: Counts = Counter({key: n for key, n in truth.items() if key[0] in log.covers})
    run.problems += [*differences(log.entries, failures, moot(record), words="logged")]
    run.problems += log.defects

    table = Table(show_header=False, title="Soak run", title_justify="left")
    by_what = ", ".join(f"{sum(truth[k] for k in truth if k[0] == w):,} {w}" for w in WHAT)
    opened, mended = (sum(n for (what, _), n in truth.items() if what == each) for each in PROBLEMS)
    switched = ", ".join(f"{name} {n}" for name, n in sorted(run.schedule.switched.items()))
    for name, figure in (
        ("minutes", f"{minutes:g}"),
        ("events compared", f"{truth.total():,}: {by_what}"),
        ("left in flight, stuck", f"{record['in_flight']:,}"),
        ("SIM cards still broken", f"{len(true_left):,}; {opened:,} opened, {mended:,} mended"),
        ("kills", f"{run.kills:,}; {log.started:,} of {len(rig.logs):,} runs came up"),
        ("faults switched on", f"{run.schedule.switched.total():,}: {switched}"),
        ("lines of failures", f"{log.lines:,} for {failures.total():,} events"),
        ("lines repeated", f"{log.repeated:,}, after {log.repeats:,} of the kills"),
        ("bulk actions", f"{len(bulks):,}, of which {len(ended):,} ended and were told of"),
        ("drift", f"{drift or 'none'}; widest on the way: {run.widest}"),
        ("differences", f"{len(run.problems):,}"),
    ):
        table.add_row(name, figure)
    console.print(table)
    for problem in run.problems:
        console.print(problem, style="red", markup=False)


def soak(arguments: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Do a whole run with its files in ``folder``; returns whether all was as it should be."""
    options = {
        "seed": arguments.seed,
        "rate": arguments.rate,
        "bulk-every": arguments.bulk_every,
        "bulk-size": arguments.bulk_size,
        "order": arguments.order,
        "duration": DURATION,
        "duration-sigma": SIGMA,
        "resume-after": arguments.resume_after,
        "stuck-at-start": 0,
        # Actions of one card that were created at once would have no order.
        "sim-cards": max(SIM_CARDS, arguments.bulk_size),
        "stuck": arguments.stuck,
        "retried": RETRIED,
        "retried-after": RETRIED_AFTER,
        "history": HISTORY,
    }
    with closing(Rig(folder, options)) as rig:
        rig.control("actions", {"count": 4})
        rig.start_exporter()
        rig.wait_for_baseline()
        random = Random(arguments.seed)  # noqa: S311 # as above
        schedule = FaultSchedule(random, ListOrder(arguments.order), HISTORY)
        run = Run(before=recorded(rig.record()), schedule=schedule)
        disturb(rig, run, arguments, console)
        least = arguments.resume_after + QUIET  # what was interrupted last goes on that late
        console.print(f"faults off; waiting up to {least + SETTLED_WITHIN:g} s until all settled")
        compare(rig, run, settle(rig, run, least), console, arguments.minutes)
    return not run.problems


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True)
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        yield Path(name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=5.0, help="how long to kill and to break; 5")
    add("--rate", type=float, default=20.0, help="actions that arrive, a second; 20")
    add("--bulk-every", type=float, default=15.0, help="seconds between two bulks, 0: none; 15")
    add("--bulk-size", type=int, default=60, help="actions in a bulk; 60")
    add("--stuck", type=float, default=0.005, help="fraction that never ends; 0.005")
    add(
        "--kills-every",
        type=float,
        nargs=2,
        default=(2.0, 8.0),
        metavar=("LEAST", "MOST"),
        help="seconds between two kills; 2 8",
    )
    add(
        "--resume-after",
        type=float,
        default=60.0,
        help="seconds that an action stays interrupted; no poll may see one that is shorter than "
        "an outage, so longer runs need more; 60",
    )
    add("--order", choices=list(ListOrder), default="newest", help="order of the list; newest")
    add("--seed", type=int, default=1, help="what arrives, faults and kills follow from it; 1")
    add("--folder", type=Path, help="a new folder for state and logs, to keep; else they go")
    return parser.parse_args()


def main() -> int:
    """Run as a program; returns the exit code."""
    return run(soak, _arguments())


def run(
    soaking: Callable[[argparse.Namespace, Path, Console], bool], arguments: argparse.Namespace
) -> int:
    """Do a whole run in the folder of the arguments; returns the exit code of the program.

    ``soaking`` tells whether all was as it should be.
    """
    console = Console()
    exit_on_signals()
    try:
        with _folder(arguments.folder) as folder:
            return 0 if soaking(arguments, folder, console) else 1
    except (ProgramError, httpx.HTTPError, OSError) as exc:
        console.print(f"could not go on: {exc}", style="red", markup=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
