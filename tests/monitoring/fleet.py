"""A fleet of SIM cards, minute by minute, and the series that the exporter shows of it.

It models what the rules see, not how the exporter finds out; time is in minutes. It must not know
any rule.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from exporter.domain import concern_of
from tests.monitoring.scraping import OF_ACCOUNTS, ONE_INSTANCE

Span = tuple[int, int]
"""A first minute and the one after the last."""

JOB = "telnyx-sim-exporter"
STUCK_AFTER = 60
"""Minutes after which an action in progress is stuck."""

GOLDEN_RATIO = 0.618033988749895
"""Its multiples, without what is before the point, are spread evenly between 0 and 1."""


BASELINE = -86400
"""When the counting of every account began, in seconds: a day before the first minute."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a SIM card; without an end, it hangs."""

    start: int
    action_type: str
    sim_card: int
    end: int | None = None
    status: str = "completed"
    reason_class: str = "none"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Actions of one type, evenly distributed or, with a seed, at random.

    ``shares`` are those of actions that end as a status with a reason class, such as
    ``{("failed", "network"): 0.1}``; ``hang`` is the share of those that never end. Every action
    has a SIM card of its own, unless ``sim_cards`` limits them to so many.
    """

    action_type: str
    per_hour: float
    during: Span
    shares: Mapping[tuple[str, str], float] = field(default_factory=dict)
    hang: float = 0
    duration: int = 2
    sim_cards: int | None = None
    first_sim_card: int = 0
    seed: int | None = None
    mended_after: int | None = None
    """Minutes after a failure until a repeated action completes."""

    def actions(self) -> Iterator[Action]:
        """Yield all of them."""
        start, stop = self.during
        chance = random.Random(self.seed)  # noqa: S311 - not for secrets
        count = round((stop - start) * self.per_hour / 60)
        for number in range(count):
            begin, drawn = start + int(number * 60 / self.per_hour), number * GOLDEN_RATIO % 1
            if self.seed is not None:
                begin, drawn = chance.randrange(start, stop), chance.random()
            card = self.first_sim_card + number % (self.sim_cards or count)
            outcome = self._outcome(drawn)
            if outcome == ("hang", ""):
                yield Action(begin, self.action_type, card)
                continue
            end = begin + self.duration
            yield Action(begin, self.action_type, card, end, *outcome)
            if outcome[0] != "completed" and self.mended_after is not None:
                again = end + self.mended_after
                yield Action(again, self.action_type, card, again + self.duration)

    def _outcome(self, drawn: float) -> tuple[str, str]:
        """Return the outcome at this place between 0 and 1."""
        for outcome, share in {**self.shares, ("hang", ""): self.hang}.items():
            if (drawn := drawn - share) < 0:
                return outcome
        return ("completed", "none")


@dataclass(slots=True)
class Account:
    """An account of an exporter, and what happens to it."""

    name: str
    traffic: Sequence[Traffic] = ()
    actions: Sequence[Action] = ()
    api_away: Sequence[Span] = ()
    failing: Mapping[int, str] = field(default_factory=dict)
    """Minutes in which the poll fails, and why."""
    configured: Sequence[Span] = ((0, 1_000_000),)
    first_poll: int = 0
    """Minutes that the first poll takes."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A process, and when it does not run or starts again."""

    down: Sequence[Span] = ()
    """After a kill: its accounts are exposed by no replica in the minute in which it ends."""
    stopped: Sequence[Span] = ()
    """After SIGTERM: its accounts are let go first."""
    restarts: Sequence[int] = ()
    renamed: bool = False
    """Each start is another pod."""

    def runs(self, minute: int) -> bool:
        """Tell whether it runs in this minute."""
        return not _inside(minute, (*self.down, *self.stopped))

    def starts(self, minute: int) -> list[int]:
        """Return when it was started, up to this minute."""
        ends = (stop for _, stop in (*self.down, *self.stopped))
        return sorted({start for start in (0, *self.restarts, *ends) if start <= minute})


@dataclass(slots=True)
class Exporter:
    """Replicas that share a ledger, or a single process, and their accounts.

    Accounts are spread over the replicas that run; while the database is away, nobody has any.
    """

    accounts: Sequence[Account]
    replicas: Sequence[Replica] = (Replica(),)
    database_away: Sequence[Span] = ()

    def holder(self, index: int, minute: int) -> int | None:
        """Return the replica that polls an account in this minute, None where no one does."""
        before, now = (self._spread(index, each) for each in (minute - 1, minute))
        killed = before is not None and minute in (start for start, _ in self.replicas[before].down)
        return None if killed or _inside(minute, self.database_away) else now

    def _spread(self, index: int, minute: int) -> int | None:
        running = [number for number, each in enumerate(self.replicas) if each.runs(minute)]
        return running[index % len(running)] if running else None


@dataclass(slots=True)
class _AccountCounts:
    """What has been seen of an account, as committed in its state."""

    created: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    problems: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    flying: list[Action] = field(default_factory=list)
    stuck: Counter[str] = field(default_factory=Counter)

    def poll(self, minute: int) -> None:
        """Take in all that has ended."""
        left, stuck = [], []
        for each in self.flying:
            if each.end is None or each.end > minute:
                left.append(each)
                if minute - each.start >= STUCK_AFTER:
                    stuck.append(each.action_type)
                    self._note(each, "stuck", minute)
            else:
                self.ended[each.status, each.action_type, each.reason_class] += 1
                self._note(each, each.status, minute)
        self.flying, self.stuck = left, Counter(stuck)

    def _note(self, action: Action, status: str, minute: int) -> None:
        """Open, keep or close the problem of a SIM card."""
        key = concern_of(action.action_type), action.sim_card
        if status == "completed":
            self.problems.pop(key, None)
            return
        if key not in self.problems:
            self.opened[key[0]] += 1
        since, _ = self.problems.get(key, (minute, ""))
        self.problems[key] = since, status


@dataclass(slots=True)
class _Process:
    """What an account has since its process started, or since it was configured."""

    since: int
    held_since: int | None = None
    up: int | None = 0
    """None for a replica that has not polled the account since it took it over."""
    polls: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    success: int = 0


@cache
def _of_accounts(metric: str) -> bool:
    return re.fullmatch(OF_ACCOUNTS, metric) is not None


class _Recorder:
    """Takes the samples of an exporter, minute by minute.

    ``relabelled`` are those of accounts, as by the shipped scrape configuration.
    """

    def __init__(self, namespace: str, *, relabelled: bool) -> None:
        self.samples: dict[str, dict[int, float]] = defaultdict(dict)
        self.minute = 0
        self.instance = ""
        self.pod = ""
        self._namespace = namespace
        self._relabelled = relabelled
        self._series: dict[tuple[object, ...], str] = {}

    def put(self, metric: str, value: float, **labels: str) -> None:
        """Take a sample of this minute."""
        key = metric, self.instance, self.pod, *labels.items()
        if key not in self._series:
            self._series[key] = self._name(metric, labels)
        self.samples[self._series[key]][self.minute] = value

    def _name(self, metric: str, labels: Mapping[str, str]) -> str:
        target = {"instance": self.instance, "pod": self.pod}
        if self._relabelled and _of_accounts(metric):
            target = dict.fromkeys(target, ONE_INSTANCE)
        every = {"namespace": self._namespace, "job": JOB, **target, **labels}
        pairs = ", ".join(f'{name}="{text}"' for name, text in every.items())
        return f"{metric}{{{pairs}}}"


def series(
    exporter: Exporter, minutes: int, namespace: str, *, relabelled: bool = True
) -> list[dict[str, str]]:
    """Return the series of promtool's ``input_series``, one sample a minute."""
    recorder = _Recorder(namespace, relabelled=relabelled)
    accounts = [_Model(each, len(exporter.replicas)) for each in exporter.accounts]
    for minute in range(minutes):
        recorder.minute = minute
        holders = [exporter.holder(index, minute) for index in range(len(accounts))]
        for number, replica in enumerate(exporter.replicas):
            started = replica.starts(minute)
            recorder.instance = f"10.0.0.{number + 1}:10874"
            recorder.pod = f"pod-{number}-{len(started) if replica.renamed else 1}"
            recorder.put("up", replica.runs(minute))
            if replica.runs(minute):
                recorder.put("process_start_time_seconds", started[-1] * 60)
                for holder, each in zip(holders, accounts, strict=True):
                    each.step(recorder, number, started[-1], holds=holder == number)
    return [
        {"series": name, "values": _values(points, minutes)}
        for name, points in recorder.samples.items()
    ]


class _Model:
    """One account over time: what is committed, and what each replica has of its own."""

    def __init__(self, account: Account, replicas: int) -> None:
        self._account = account
        actions = [*account.actions, *(each for flow in account.traffic for each in flow.actions())]
        self._todo = sorted(actions, key=lambda each: each.start, reverse=True)
        self._types = sorted({each.action_type for each in actions} | {"enable"})
        self._classes = sorted({(each.action_type, each.reason_class) for each in actions})
        self._seen = _AccountCounts()
        self._processes = [_Process(-1)] * replicas

    def step(self, recorder: _Recorder, replica: int, started: int, *, holds: bool) -> None:
        """Poll, unless the replica cannot, and record what it shows."""
        minute, account = recorder.minute, self._account
        if not _inside(minute, account.configured):
            return
        since = max(started, *(first for first, _ in account.configured if first <= minute))
        if since != self._processes[replica].since:
            self._processes[replica] = _Process(since)
        process = self._processes[replica]
        if not holds:
            process.held_since = None
        elif process.held_since is None:
            process.held_since = minute
            process.up = None if len(self._processes) > 1 else 0
        if process.held_since is not None and minute >= process.held_since + account.first_poll:
            cause = account.failing.get(minute)
            self._poll(process, minute, "timeout" if _inside(minute, account.api_away) else cause)
        self._record_polls(recorder, process)
        if holds:
            self._record_committed(recorder, process)
            self._record_actions(recorder)
            self._record_problems(recorder)

    def _poll(self, process: _Process, minute: int, cause: str | None) -> None:
        seen = self._seen
        process.polls += 1
        process.up = int(cause is None)
        if cause is not None:
            process.failures[cause] += 1
            return
        while self._todo and self._todo[-1].start <= minute:
            seen.flying.append(self._todo.pop())
            seen.created[seen.flying[-1].action_type] += 1
        seen.poll(minute)
        process.success = minute * 60

    def _record_polls(self, recorder: _Recorder, process: _Process) -> None:
        name = self._account.name
        held = process.held_since is not None
        recorder.put("telnyx_exporter_account_held", held, account=name)
        recorder.put("telnyx_exporter_polls_total", process.polls, account=name)
        for cause in ("auth", "timeout"):
            count = process.failures[cause]
            recorder.put("telnyx_exporter_poll_failures_total", count, account=name, cause=cause)
        metric = "telnyx_exporter_last_success_timestamp_seconds"
        recorder.put(metric, process.success, account=name)

    def _record_committed(self, recorder: _Recorder, process: _Process) -> None:
        name = self._account.name
        if process.up is not None:
            recorder.put("telnyx_up", process.up, account=name)
        recorder.put("telnyx_exporter_actions_tracked", len(self._seen.flying), account=name)
        recorder.put("telnyx_exporter_baseline_timestamp_seconds", BASELINE, account=name)

    def _record_actions(self, recorder: _Recorder) -> None:
        seen = self._seen
        in_progress = Counter([each.action_type for each in seen.flying])
        for name in self._types:
            labels = {"account": self._account.name, "action_type": name}
            recorder.put("telnyx_sim_card_actions_created_total", seen.created[name], **labels)
            done = seen.ended["completed", name, "none"]
            recorder.put("telnyx_sim_card_actions_completed_total", done, **labels)
            metric, count = "telnyx_sim_card_actions", in_progress[name]
            recorder.put(metric, count, **labels, status="in-progress")
            recorder.put("telnyx_sim_card_actions_stuck", seen.stuck[name], **labels)
        for name, reason in self._classes:
            labels = {"account": self._account.name, "action_type": name, "reason_class": reason}
            for status in ("failed", "interrupted"):
                count = seen.ended[status, name, reason]
                recorder.put(f"telnyx_sim_card_actions_{status}_total", count, **labels)

    def _record_problems(self, recorder: _Recorder) -> None:
        seen = self._seen
        for concern in sorted({concern_of(name) for name in self._types}):
            labels = {"account": self._account.name, "concern": concern}
            found = [each for (name, _), each in seen.problems.items() if name == concern]
            counts = Counter([status for _, status in found])
            for status in ("failed", "interrupted", "stuck"):
                recorder.put("telnyx_sim_card_problems", counts[status], **labels, status=status)
            opened = seen.opened[concern]
            recorder.put("telnyx_sim_card_problems_opened_total", opened, **labels)
            if found:
                metric = "telnyx_sim_card_problems_oldest_timestamp_seconds"
                recorder.put(metric, min([since for since, _ in found]) * 60, **labels)


def _inside(minute: int, spans: Iterable[Span]) -> bool:
    """Tell whether a minute is in one of the spans."""
    return any(start <= minute < stop for start, stop in spans)


def _values(points: Mapping[int, float], minutes: int) -> str:
    """Write samples in promtool's notation: runs of one value together, and gaps as stale."""
    words: list[str] = []
    minute = 0
    while minute < minutes:
        value, length = points.get(minute), 1
        while minute + length < minutes and points.get(minute + length) == value:
            length += 1
        if value is None:
            words.append("stale" if minute else "_")
            if length > 1:
                words.append(f"_x{length - 1}")
        else:
            words.append(f"{value:.0f}x{length - 1}" if length > 1 else f"{value:.0f}")
        minute += length
    return " ".join(words)
