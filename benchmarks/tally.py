"""What an exporter counted and logged, held against what a simulator says has happened.

Pure but for the reading of log files: it must not ask either of them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from exporter.domain import ENDED_STATUSES

WHAT = ("created", "completed", "failed", "interrupted")
"""What is counted of actions: the names in the record, and in the names of metrics."""

PROBLEMS = {
    "opened": "telnyx_sim_card_problems_opened_total",
    "mended": "telnyx_sim_card_problems_closed_total",
}
"""What is counted of problems, by concern: the names in the record, and the metrics."""

LOGGED = {
    "sim_card_action_failed": "failed",
    "sim_card_action_interrupted": "interrupted",
    "problem_mended": "mended",
}
"""The log events that are compared, by what they tell of."""

Counts = Counter[tuple[str, str]]
"""How often something of ``WHAT`` or ``PROBLEMS`` happened, by that and the action type, or the
concern; no zeros."""


def recorded(record: Mapping[str, Any]) -> Counts:
    """Read the counts from a simulator's ``record``."""
    counts = Counter(
        {(what, action_type): n for what in WHAT for action_type, n in record[what].items()}
    )
    for what in PROBLEMS:
        counts.update({(what, name): n for name, n in record["problems"][what].items()})
    return +counts


def moot(record: Mapping[str, Any]) -> Counts:
    """Read by how much counts may be above a ``record``: what was opened and mended at once.

    An action that fails when a newer one has completed opens no problem, unless it is seen first.
    """
    counts = record["problems"]["moot"].items()
    return Counter({(what, name): n for what in PROBLEMS for name, n in counts})


def broken(problems: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Read SIM cards and concerns from problems, be they of an exporter or in a record."""
    return {(each["sim_card_id"], each["concern"]) for each in problems}


def counted(exposition: str) -> Counts:
    """Read the counts from an exporter's ``exposition``."""
    names = {f"telnyx_sim_card_actions_{what}_total": what for what in WHAT}
    counts: Counts = Counter()
    for name, labels, value in _samples(exposition, "telnyx_sim_card_actions_"):
        if name in names:
            counts[names[name], labels["action_type"]] += int(value)
    metrics = {name: what for what, name in PROBLEMS.items()}
    for name, labels, value in _samples(exposition, "telnyx_sim_card_problems_"):
        if name in metrics and labels.get("outcome", "mended") == "mended":
            counts[metrics[name], labels["concern"]] += int(value)
    return +counts


def bulks_shown(exposition: str) -> Counts:
    """Read how many bulk actions an exporter knows, by type and status."""
    counts: Counts = Counter()
    for name, labels, value in _samples(exposition, "telnyx_bulk_sim_card_actions"):
        if name == "telnyx_bulk_sim_card_actions":
            counts[labels["action_type"], labels["status"]] += int(value)
    return +counts


def bulks_listed(bulks: Iterable[Mapping[str, Any]]) -> Counts:
    """Count the bulk actions of an account, by type and status."""
    return Counter(
        (each["action_type"], "in-progress" if _members(each)["in-progress"] else "ended")
        for each in bulks
    )


def ended_bulks(bulks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many members each bulk action has that has ended, by its ID."""
    summaries = {each["id"]: _members(each) for each in bulks}
    return {id_: sum(each.values()) for id_, each in summaries.items() if not each["in-progress"]}


def members_told(event: Mapping[str, Any]) -> int:
    """Return how many members a log event about a bulk action says that it had."""
    return sum(event[each.value] or 0 for each in ENDED_STATUSES)


def _members(bulk: Mapping[str, Any]) -> dict[str, int]:
    return {each["status"]: each["count"] for each in bulk["sim_card_actions_summary"]}


def of_account(exposition: str, account: str) -> str:
    """Return the lines of an ``exposition`` that are about an account."""
    label = f'account="{account}"'
    return "".join(f"{line}\n" for line in exposition.splitlines() if label in line)


def sums(exposition: str, metric: str) -> float:
    """Return the sum of all series of one name."""
    lines = (line for line in exposition.splitlines() if line.startswith(f"{metric}{{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def drifts(exposition: str) -> dict[str, int]:
    """Read the drift at the last audit, by status."""
    name = "telnyx_exporter_ledger_drift"
    return {labels["status"]: int(value) for _, labels, value in _samples(exposition, name)}


def differences(counts: Counts, truth: Counts, allowed: Counts, *, words: str) -> list[str]:
    """Return a line for each count that is not the true one; ``words`` say what was done.

    A count may be above the true one by as much as is ``allowed``.
    """
    return [
        f"{' '.join(key)}: {counts[key]} {words}, {truth[key]} happened"
        for key in sorted(counts.keys() | truth.keys())
        if not truth[key] <= counts[key] <= truth[key] + allowed[key]
    ]


@dataclass(slots=True)
class Log:
    """What several runs of one exporter logged of actions.

    ``started`` of the runs came up before they were killed.
    ``entries`` counts each by what was entered, so that a repeated line counts once. ``bulks`` are
    the members of each bulk action that ended, as the last line about it tells, by its ID.
    ``repeated`` lines came again after one of ``repeats`` kills; ``defects`` are lines that
    must not be there.
    """

    entries: Counts = field(default_factory=Counter)
    started: int = 0
    lines: int = 0
    repeated: int = 0
    repeats: int = 0
    bulks: dict[str, int] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)

    @property
    def covers(self) -> frozenset[str]:
        """What is logged."""
        return frozenset(LOGGED.values())


def read_logs(runs: Sequence[Path]) -> Log:
    """Read the JSON logs of the ``runs`` of an exporter, one after the other."""
    log = Log()
    told: set[tuple[str, str, str]] = set()
    for run in runs:
        told_now: set[tuple[str, str, str]] = set()
        for event in _events(run, log):
            log.started += event["event"] == "started"
            if event["event"] == "internal_error":
                log.defects.append(f"{run.name}: {event}")
            if event["event"] == "bulk_action_ended":
                log.bulks[event["bulk_id"]] = members_told(event)
            what = LOGGED.get(event["event"])
            if what is None:
                continue
            log.lines += 1
            at = event["opened_at"] if what == "mended" else event["updated_at"]
            entry = what, str(event["action_id"]), str(at)
            if entry in told_now:
                log.defects.append(f"{run.name}: logged twice in one run: {' '.join(entry)}")
            elif entry not in told:
                log.entries[what, event["concern" if what == "mended" else "action_type"]] += 1
            told_now.add(entry)
        again = told_now & told
        log.repeated += len(again)
        log.repeats += bool(again)
        told |= told_now
    return log


def _events(run: Path, log: Log) -> Iterator[dict[str, Any]]:
    for line in run.read_text("utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            continue  # cut off by the kill: whoever reads the log cannot read it either
        if line.startswith("{"):
            yield json.loads(line)
        else:
            log.defects.append(f"{run.name}: not an event: {line.rstrip()}")


def _samples(exposition: str, begin: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield name, labels and value of the samples whose names ``begin`` so."""
    lines = [line for line in exposition.splitlines() if line.startswith(begin)]
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
