"""A soak run of replicas: `python -m benchmarks.soak_replicas`. Breaks everything, then compares.

Three replicas share ten accounts, all of them of one simulated account, while replicas are killed,
stopped and paused, their database is restarted, crashes, refuses or delays, a network is cut and
the API fails. In the end each counter of each account, each logged failure, and the increase that
a real Prometheus saw have to be what the simulator's record says.
"""

import argparse
import heapq
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.fault_schedule import OFF, FaultSchedule, body
from benchmarks.programs import PATIENCE, PAUSE, ProgramError
from benchmarks.replica_rig import CUT_OFF, ReplicaRig, account_names, replica_rig
from benchmarks.soak import DURATION, HISTORY, QUIET, RETRIED, RETRIED_AFTER, SIGMA, SIM_CARDS
from benchmarks.soak import run as run_program
from benchmarks.tally import (
    LOGGED,
    WHAT,
    Counts,
    broken,
    bulks_listed,
    bulks_shown,
    counted,
    differences,
    ended_bulks,
    members_told,
    moot,
    of_account,
    recorded,
)
from exporter.simulator.settings import ListOrder

REPORT_EVERY = 30.0
TAKEN_OVER_WITHIN = 60.0
"""Seconds, once all faults are over, until every account is held and polled."""

SETTLED_WITHIN = 8 * QUIET
BETWEEN = (1.0, 5.0)
"""Seconds from one fault to the next; several may be on at a time."""

NEAR = 3.0
"""Seconds around a fault in which a line may be told again: what was told could not be noted."""


@dataclass(slots=True)
class Run:
    """Figures of one run, and the problems found.

    ``faults`` counts them by name; ``broken`` has the times, by the wall clock, in which the
    database or a replica was not whole.
    """

    schedule: FaultSchedule
    before: Counts = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[float, float]] = field(default_factory=list)
    last: dict[str, Counts] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, rig: ReplicaRig, names: list[str]) -> None:
        """Check that no counter has decreased, or exceeds what happened."""
        texts = rig.expositions()
        record = rig.record()
        most = recorded(record) - self.before + moot(record)
        for name in names:
            for text in texts:
                counts = counted(of_account(text, name))
                self.problems += [f"ahead: {name} {' '.join(key)}" for key in counts - most]
                if counts:
                    earlier = self.last.get(name, Counter())
                    self.problems += [f"fell: {name} {' '.join(key)}" for key in earlier - counts]
                    self.last[name] = counts


class Faults:
    """The faults of replicas and their database: each breaks something, and mends it later."""

    def __init__(self, rig: ReplicaRig, run: Run, random: Random, accounts: int) -> None:
        """Draw with ``random``."""
        self._rig = rig
        self._run = run
        self._random = random
        self._accounts = accounts
        self._busy: set[int | str] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._draws = (
            *(self._kill, self._kill, self._terminate, self._pause),
            *(self._restart, self._crash, self._read_only, self._disconnect, self._full),
            *(self._lock, self._cut),
        )
        self._left: list[Callable[[float], None]] = []

    def next(self, now: float) -> None:
        """Switch on another fault, if what it breaks is whole."""
        if not self._left:
            self._left = list(self._draws)
            self._random.shuffle(self._left)
        self._left.pop()(now)

    def mend(self, now: float) -> None:
        """Mend what is due."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def mend_all(self) -> None:
        """Mend everything."""
        while self._due:
            heapq.heappop(self._due)[2]()

    def _on(
        self, what: int | str, name: str, now: float, seconds: float, mend: Callable[[], None]
    ) -> None:
        self._busy.add(what)
        self._run.faults[name] += 1
        began = time.time()

        def over() -> None:
            mend()
            self._busy.discard(what)
            self._run.broken.append((began - NEAR, time.time() + NEAR))

        heapq.heappush(self._due, (now + seconds, next(self._numbers), over))

    def _replica(self) -> int | None:
        """Draw a replica that is whole; one always stays so."""
        whole = [number for number in range(len(self._rig.replicas)) if number not in self._busy]
        return self._random.choice(whole) if len(whole) > 1 else None

    def _kill(self, now: float) -> None:
        self._ended(now, signal.SIGKILL, "killed")

    def _terminate(self, now: float) -> None:
        self._ended(now, signal.SIGTERM, "terminated")

    def _ended(self, now: float, how: signal.Signals, name: str) -> None:
        number = self._replica()
        if number is None:
            return
        code = self._rig.end(number, how)
        if code not in {0, -how}:
            self._run.problems.append(f"replica {number} ended with {code} on {how.name}")
        seconds = self._random.uniform(0, 20)
        self._on(number, name, now, seconds, lambda: self._rig.start(number, self._accounts))

    def _pause(self, now: float) -> None:
        number = self._replica()
        if number is None:
            return
        self._rig.signal(number, signal.SIGSTOP)
        seconds = self._random.uniform(2, 40)
        self._on(number, "paused", now, seconds, lambda: self._rig.signal(number, signal.SIGCONT))

    def _cut(self, now: float) -> None:
        if CUT_OFF in self._busy:
            return
        self._rig.relay.cut()
        self._on(CUT_OFF, "cut off", now, self._random.uniform(5, 40), self._rig.relay.mend)

    def _restart(self, now: float) -> None:
        self._of_database(now, "restarted", signal.SIGINT)

    def _crash(self, now: float) -> None:
        self._of_database(now, "crashed", signal.SIGQUIT)

    def _of_database(self, now: float, name: str, how: signal.Signals) -> None:
        if "database" in self._busy:
            return
        self._rig.cluster.stop(how)
        seconds = self._random.uniform(0, 12)
        self._on("database", f"database {name}", now, seconds, self._rig.cluster.start)

    def _read_only(self, now: float) -> None:
        self._altered(
            now,
            "database read-only",
            "ALTER SYSTEM SET default_transaction_read_only = on",
            "ALTER SYSTEM RESET default_transaction_read_only",
        )

    def _full(self, now: float) -> None:
        self._altered(
            now,
            "database without connections",
            "ALTER ROLE exporter CONNECTION LIMIT 0",
            "ALTER ROLE exporter CONNECTION LIMIT -1",
        )

    def _altered(self, now: float, name: str, statement: str, back: str) -> None:
        if "database" in self._busy:
            return

        def alter(what: str) -> None:
            self._rig.cluster.execute(what)
            self._rig.cluster.reload()
            self._disconnect_all()

        alter(statement)
        self._on("database", name, now, self._random.uniform(2, 15), lambda: alter(back))

    def _disconnect(self, now: float) -> None:
        if "database" in self._busy:
            return
        self._disconnect_all()
        self._on("database", "connections terminated", now, 0.0, self._disconnect_all)

    def _disconnect_all(self) -> None:
        self._rig.cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'exporter'"
        )

    def _lock(self, now: float) -> None:
        if "database" in self._busy:
            return
        table = self._random.choice(("actions", "leases", "outbox"))
        release = self._rig.cluster.lock(self._rig.database, table)
        seconds = self._random.uniform(2, 20)
        self._on("database", f"table {table} locked", now, seconds, release)


def disturb(
    rig: ReplicaRig, run: Run, arguments: argparse.Namespace, names: list[str], console: Console
) -> None:
    """Let actions arrive and break things, for the configured time; then mend everything."""
    random = Random(arguments.seed)  # noqa: S311 # repeatable, and nothing to guess
    faults = Faults(rig, run, random, len(names))
    now = began = time.monotonic()
    end = began + arguments.minutes * 60
    api_at = fault_at = now
    report_at = now + REPORT_EVERY
    rig.control("resume")
    while now < end:
        faults.mend(now)
        if now >= api_at:
            drawn, seconds = run.schedule.next_faults()
            rig.control("faults", body(drawn))
            api_at = now + seconds
        if now >= fault_at:
            faults.next(now)
            fault_at = now + random.uniform(*BETWEEN)
        if now >= report_at:
            run.check(rig, names)
            events = (recorded(rig.record()) - run.before).total()
            console.print(
                f"{now - began:4.0f} s: {events:,} events, {run.faults.total()} faults,"
                f" {takeovers(rig)} takeovers"
            )
            report_at += REPORT_EVERY
        time.sleep(0.1)
        now = time.monotonic()
    rig.control("pause")
    rig.control("faults", body(OFF))
    faults.mend_all()


def settle(rig: ReplicaRig, run: Run, names: list[str], least: float) -> None:
    """Wait until every account is held and nothing changes any more, ``least`` seconds."""
    began = since = now = time.monotonic()
    state: object = None
    while now - began < least or now - since < QUIET:
        if now - began > least + SETTLED_WITHIN:
            run.problems.append(f"did not settle within {least + SETTLED_WITHIN:g} s")
            return
        run.check(rig, names)
        if (seen := (rig.record(), dict(run.last))) != state:
            state, since = seen, now
        time.sleep(1)
        now = time.monotonic()


def takeovers(rig: ReplicaRig) -> int:
    """Count how often an account passed from one process to another."""
    return sum(1 for event in events(rig, {"lease_acquired"}) if event["epoch"] > 1)


def events(rig: ReplicaRig, wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of these names of all replicas, with `run` and `killed` added."""
    for number, replica in enumerate(rig.replicas):
        for run, log in enumerate(replica.logs):
            for line in log.read_text("utf-8", "replace").splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n"):
                    event: dict[str, Any] = json.loads(line)
                    if event["event"] in wanted:
                        yield event | {
                            "run": f"{number}/{run}",
                            "killed": run in replica.killed,
                        }


def compare_metrics(rig: ReplicaRig, run: Run, names: list[str]) -> None:
    """Compare counters, bulk actions and problems of each account with the record."""
    record, bulks = rig.record(), bulks_listed(rig.bulks())
    truth, allowed = recorded(record) - run.before, moot(record)
    texts = rig.expositions()
    if len(texts) != len(rig.replicas):
        run.problems.append("not every replica answers")
    for name in names:
        served = [counts for text in texts if (counts := counted(of_account(text, name)))]
        if len(served) != 1:
            run.problems.append(f"{name} is served by {len(served)} replicas")
        for counts in served:
            found = differences(counts, truth, allowed, words="counted")
            run.problems += [f"{name}: {each}" for each in found]
        shown = Counter[tuple[str, str]]()
        for text in texts:
            shown += bulks_shown(of_account(text, name))
        found = differences(shown, bulks, Counter(), words="shown of bulk actions")
        run.problems += [f"{name}: {each}" for each in found]
        left = broken(rig.problems(name))
        if left != broken(record["problems"]["open"]):
            run.problems.append(f"{name}: other SIM cards are broken than in the record")


def compare_logs(rig: ReplicaRig, run: Run, names: list[str]) -> tuple[int, int]:
    """Compare the log of all replicas with the record; returns its lines, and those repeated."""
    record = rig.record()
    truth, allowed = recorded(record) - run.before, moot(record)
    wanted = Counter({key: n for key, n in truth.items() if key[0] in LOGGED.values()})
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    entries: dict[str, Counts] = {name: Counter() for name in names}
    bulks: dict[str, dict[str, int]] = {name: {} for name in names}
    lines = repeated = 0
    wanted_events = {*LOGGED, "bulk_action_ended"}
    for event in sorted(events(rig, wanted_events), key=lambda each: str(each["timestamp"])):
        lines += 1
        what = LOGGED.get(event["event"])
        if what is None:
            key: tuple[str, ...] = event["account"], "bulk ended", event["bulk_id"]
        else:
            at = event["opened_at"] if what == "mended" else event["updated_at"]
            key = event["account"], what, str(event["action_id"]), str(at)
        if (earlier := first.setdefault(key, event)) is event:
            if what is None:
                bulks[event["account"]][event["bulk_id"]] = members_told(event)
                continue
            of = event["concern" if what == "mended" else "action_type"]
            entries[event["account"]][what, of] += 1
            continue
        repeated += 1
        told = datetime.fromisoformat(earlier["timestamp"]).timestamp()
        if not (earlier["killed"] or any(a <= told <= b for a, b in run.broken)):
            run.problems.append(
                f"logged twice: {' '.join(key)}, by {earlier['run']} at {earlier['timestamp']}"
                f" and {event['run']} at {event['timestamp']}"
            )
    for name in names:
        found = differences(entries[name], wanted, allowed, words="logged")
        run.problems += [f"{name}: {each}" for each in found]
        run.problems += [
            f"{name}: bulk action {id_}: {told.get(id_, 'no')} members told, {ended.get(id_, 'no')}"
            for told, ended in ((bulks[name], ended_bulks(rig.bulks())),)
            for id_ in told.keys() | ended.keys()
            if told.get(id_) != ended.get(id_)
        ]
    run.problems += [
        f"{event['run']}: {event['exception']}" for event in events(rig, {"internal_error"})
    ]
    return lines, repeated


def wait_for_scrapes(url: str, names: list[str]) -> None:
    """Wait until Prometheus has the counters of each account, from before anything happens."""
    end = time.monotonic() + PATIENCE
    query = "count by (account) (telnyx_sim_card_actions_created_total)"
    while True:
        answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, trust_env=False)
        found = answer.raise_for_status().json()["data"]["result"]
        if {each["metric"]["account"] for each in found} >= set(names):
            return
        if time.monotonic() > end:
            raise ProgramError("Prometheus has not scraped every account")
        time.sleep(PAUSE)


def compare_increase(url: str, rig: ReplicaRig, run: Run, names: list[str], seconds: float) -> int:
    """Compare what Prometheus saw with the record; returns how many series it compared.

    `increase()` extrapolates to the ends of its range by a part of the interval between two
    samples, so it may differ by that.
    """
    record = rig.record()
    truth, allowed = recorded(record) - run.before, moot(record)
    http = httpx.Client(trust_env=False, timeout=30)
    compared = 0
    for what in WHAT:
        metric = f"telnyx_sim_card_actions_{what}_total"
        span = f"[{int(seconds) + 30}s]"
        last = f"last_over_time({metric}{span})"
        sums = {}
        for name, query in (
            ("increase", f"sum by (account, action_type) (increase({metric}{span}))"),
            ("resets", f"sum by (account, action_type) (resets({metric}{span}))"),
            ("series", f"count by (account, action_type) (sum without (reason_class) ({last}))"),
        ):
            answer = http.get(f"{url}/api/v1/query", params={"query": query}).raise_for_status()
            sums[name] = {
                (each["metric"]["account"], each["metric"]["action_type"]): float(each["value"][1])
                for each in answer.json()["data"]["result"]
            }
        for (account, action_type), found in sums["increase"].items():
            if account not in names:
                continue
            compared += 1
            expected, more = truth[what, action_type], allowed[what, action_type]
            slack = 0.5 + (expected + more) * 0.01
            if not expected - slack <= found <= expected + more + slack:
                run.problems.append(
                    f"increase: {account} {what} {action_type}: {found:g} of {expected}"
                )
            if sums["resets"].get((account, action_type)):
                run.problems.append(f"reset: {account} {what} {action_type}")
            if sums["series"].get((account, action_type)) != 1:
                run.problems.append(f"several series: {account} {what} {action_type}")
    return compared


def soak(arguments: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Do a whole run with its files in ``folder``; returns whether all was as it should be."""
    options: dict[str, object] = {
        "seed": arguments.seed,
        "rate": arguments.rate,
        "bulk-every": 30,
        "bulk-size": 30,
        "duration": DURATION,
        "duration-sigma": SIGMA,
        "resume-after": arguments.resume_after,
        "stuck-at-start": 0,
        "sim-cards": SIM_CARDS,
        "retried": RETRIED,
        "retried-after": RETRIED_AFTER,
        "history": HISTORY,
    }
    random = Random(arguments.seed)  # noqa: S311 # as above
    run = Run(FaultSchedule(random, ListOrder.NEWEST, HISTORY))
    names = account_names(arguments.accounts)
    with replica_rig(folder, options) as rig:
        rig.quiet()
        for number in range(len(rig.replicas)):
            rig.start(number, len(names))
        with rig.prometheus() as prometheus:
            began = time.monotonic()
            rig.wait_for_baselines(names)
            run.before = recorded(rig.record())
            wait_for_scrapes(prometheus, names)
            disturb(rig, run, arguments, names, console)
            least = arguments.resume_after + QUIET
            console.print(f"faults off; waiting up to {least + SETTLED_WITHIN:g} s until settled")
            settle(rig, run, names, max(least, TAKEN_OVER_WITHIN))
            compare_metrics(rig, run, names)
            lines, repeated = compare_logs(rig, run, names)
            time.sleep(2)  # scraped
            series = compare_increase(prometheus, rig, run, names, time.monotonic() - began)
        taken = takeovers(rig)
        for number in range(len(rig.replicas)):
            if (code := rig.end(number, signal.SIGTERM)) != 0:
                run.problems.append(f"replica {number} ended with {code} on SIGTERM")
        truth = recorded(rig.record()) - run.before
    table = Table(show_header=False, title="Soak run of replicas", title_justify="left")
    by_what = ", ".join(f"{sum(truth[k] for k in truth if k[0] == w):,} {w}" for w in WHAT)
    faults = ", ".join(f"{name} {n}" for name, n in sorted(run.faults.items()))
    for name, figure in (
        ("minutes", f"{arguments.minutes:g}"),
        ("accounts, replicas", f"{len(names)}, {len(rig.replicas)}"),
        ("events of each account", f"{truth.total():,}: {by_what}"),
        ("takeovers", f"{taken:,}"),
        ("faults", f"{run.faults.total():,}: {faults}"),
        ("faults of the API", f"{run.schedule.switched.total():,}"),
        ("lines of failures", f"{lines:,}, of which {repeated:,} repeated"),
        ("series compared in Prometheus", f"{series:,}"),
        ("differences", f"{len(run.problems):,}"),
    ):
        table.add_row(name, figure)
    console.print(table)
    for problem in run.problems[:100]:
        console.print(problem, style="red", markup=False)
    return not run.problems


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_replicas", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=5.0, help="how long to break; 5")
    add("--accounts", type=int, default=10, help="accounts; 10")
    add("--rate", type=float, default=5.0, help="actions that arrive, a second; 5")
    add("--resume-after", type=float, default=240.0, help="as of `benchmarks.soak`; 240")
    add("--seed", type=int, default=1, help="what arrives and the faults follow from it; 1")
    add("--folder", type=Path, help="a new folder for logs, to keep; else they go")
    return parser.parse_args()


def main() -> int:
    """Run as a program; returns the exit code."""
    return run_program(soak, _arguments())


if __name__ == "__main__":
    sys.exit(main())
