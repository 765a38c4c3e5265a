"""The text that promtool reads: the series of /metrics, in order, 0 where the live ones begin."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest

from exporter.domain import Action, Status
from exporter.history.openmetrics import EARLIEST, SEAM, PastAccount, collect, write
from exporter.history.past import (
    CREATED,
    DURATION,
    ENTERED,
    IN_PROGRESS,
    METRICS,
    CounterStart,
    Past,
    changes_of,
    progress_of,
)
from exporter.history.spool import ListState
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import SortOrder
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import MAX_ACTION_TYPES, LedgerState
from exporter.metrics.catalogue import ACCOUNT_METRICS
from exporter.metrics.negotiation import Format
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.history.conftest import History
from tests.metrics.exposed import render_metric
from tests.support.simulation import QUIET, ManualClock
from tests.sync.conftest import Account

REASONS = Reasons.with_configured(())
OPTIONS = SnapshotOptions((), (), {}, 1e12, REASONS.classes)
BOTH = Past(created=True, ended=True)
EXTRA = (("job", "j"), ("instance", "i"))


def state() -> LedgerState:
    """Return the state of an account of which nothing is known."""
    return LedgerState("test", 0, None, None, 0, {}, {}, {}, {}, {}, {}, ())


def past(history: History, at: float, **more: Any) -> PastAccount:
    """Return the past of a history, without a ledger, until a baseline."""
    return PastAccount(
        name="test",
        spool=history.spool,
        options=OPTIONS,
        start=CounterStart(at, at),
        find=lambda _: {},
        label=state().label,
        classify=REASONS.classify,
        **more,
    )


class Sample(NamedTuple):
    """One line of the text."""

    name: str
    labels: frozenset[tuple[str, str]]
    value: float
    time: int

    @property
    def action_type(self) -> str:
        """Its label of that name."""
        return dict(self.labels)["action_type"]


LINE = re.compile(r"(\w+)\{(.*)\} (\S+)(?: (\d+))?")


@cache  # a series has as many lines as samples
def labels_of(text: str) -> frozenset[tuple[str, str]]:
    """Read the labels of a line."""
    return frozenset(re.findall(r'(\w+)="([^"]*)"', text))


def parse(text: str) -> tuple[list[str], list[Sample]]:
    """Return the lines that describe, and the samples: of a series each later than the last."""
    described, samples = [], []
    times: dict[tuple[str, object], int] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            described.append(line)
            continue
        found = LINE.fullmatch(line)
        assert found is not None, line
        labels = labels_of(found[2])
        sample = Sample(found[1], labels, float(found[3]), int(found[4] or 0))
        assert sample.time > times.get((sample.name, labels), -1)
        times[sample.name, labels] = sample.time
        # In one piece: the family that was described last.
        assert sample.name.startswith(described[-1].split(" ")[2])
        samples.append(sample)
    return described, samples


def written(account: PastAccount) -> str:
    """Return the text of a past."""
    collect(account)
    return b"".join(write([account], EXTRA)).decode()


def peaks(samples: Iterable[Sample], name: str) -> float:
    """Return what the series of a name came to at most, all together."""
    most: Counter[frozenset[tuple[str, str]]] = Counter()
    for each in samples:
        if each.name == name:
            most[each.labels] = max(int(each.value), most[each.labels])
    return most.total()


@pytest.fixture
async def history(open_history: Callable[..., History]) -> History:
    """Give a history that was read: an action every minute, and some in progress."""
    clock = ManualClock()
    world = replace(QUIET, history=300, history_spacing=60.0, failed=0.3, stuck_at_start=3)
    simulator = Simulator(SimulatorSettings(world=world), clock)
    read = open_history(simulator, clock)
    await read.read()
    return read


async def test_every_counter_ends_at_zero_and_no_gauge_does(history: History) -> None:
    """A minute before the baseline, whatever it had come to: there the live ones begin."""
    at = history.clock() + 2 * SEAM
    text = written(past(history, at))
    assert text.endswith("# EOF\n")
    _, samples = parse(text)
    end = int(at - SEAM)
    last = {(each.name, each.labels): each for each in samples}
    assert {name for name, _ in last} >= {*ENTERED.values(), CREATED, f"{DURATION}_bucket"}
    for (name, _), sample in last.items():
        if name == IN_PROGRESS:
            assert sample.time == end - 1
        else:
            assert (sample.value, sample.time) == (0, end)
    assert sum(each.value for (name, _), each in last.items() if name == IN_PROGRESS) == 3
    assert peaks(samples, CREATED) == 303
    assert sum(peaks(samples, each) for each in ENTERED.values()) == 300
    assert peaks(samples, f"{DURATION}_count") == 300


async def test_series_are_those_of_a_scrape(
    history: History, open_account: Callable[..., Account]
) -> None:
    """The same names, labels and buckets, and what scraping adds."""
    live = open_account(replace(QUIET, history=10))
    await live.poll()
    described, samples = parse(written(past(history, history.clock())))
    metrics = [each for each in ACCOUNT_METRICS if each.name in METRICS]
    scraped = "".join(
        render_metric(each, [("test", live.snapshot)], Format.OPENMETRICS).decode()
        for each in metrics
    )
    heads, shown = parse(scraped)
    assert described == [*heads, "# EOF"]
    series = {(each.name, each.labels | set(EXTRA)) for each in shown}
    assert {(each.name, each.labels) for each in samples} <= series


async def test_since_and_until_cut(history: History) -> None:
    """By creation; and then nobody knows what was in progress before."""
    now = history.clock()
    account = past(history, now, since=now - 7200, until=now - 3600)
    _, samples = parse(written(account))
    assert IN_PROGRESS not in {each.name for each in samples}
    assert max(each.time for each in samples) == int(now - 3600)
    assert peaks(samples, CREATED) in {59, 60, 61}


async def test_until_is_outside(history: History) -> None:
    """What was created just then is left out."""
    now = history.clock()
    created = [each.created_at or 0 for actions in history.spool.chunks() for each in actions]
    until = sorted(created)[-100]

    def counted(until: float) -> float:
        return peaks(parse(written(past(history, now, until=until)))[1], CREATED)

    assert counted(until) == len([each for each in created if each < until])
    assert counted(until) < counted(until + 0.5)


@pytest.mark.parametrize("wrong", [-62_135_596_800.0, 0.0, EARLIEST - 1])
async def test_a_time_that_cannot_be_is_unknown(history: History, wrong: float) -> None:
    """Such as 0001-01-01, which would make samples of twenty centuries."""
    now = history.clock()
    action = an_action(created_at=wrong, updated_at=now - 600)
    state = ListState(SortOrder.NEWEST, None, None, None, 1, 250, done=True)
    history.spool.add([action], None, state)
    _, samples = parse(written(past(history, now)))
    assert peaks(samples, CREATED) == 304
    assert peaks(samples, f"{DURATION}_count") == 300
    assert min(each.time for each in samples) > now - 86_400


def an_action(**fields: Any) -> Action:
    """Return an action that failed."""
    usual: dict[str, Any] = {
        "sim_card_id": "s",
        "action_type": "enable",
        "status": "failed",
        "reason": "No funds",
        "created_at": 100.0,
        "updated_at": 107.0,
    }
    return Action(id="a", **usual | fields)


def shown(action: Action, options: SnapshotOptions) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the metrics and labels that a past changes."""
    for each in changes_of(action, BOTH, options, state().label, REASONS.classify):
        yield each.metric, each.labels
    for each in progress_of(action, options, state().label):
        yield each.metric, each.labels


def test_only_what_is_exported_is_past() -> None:
    """As in the snapshot: types and statuses that are left out there are left out here."""
    everything = dict(shown(an_action(), OPTIONS))
    assert everything == {
        CREATED: ("enable",),
        ENTERED[Status.FAILED]: ("enable", "insufficient_funds"),
        DURATION: ("enable", "failed"),
        IN_PROGRESS: ("enable", "in-progress"),
    }
    only = replace(OPTIONS, action_types=("disable",))
    assert dict(shown(an_action(), only)) == {}
    only = replace(OPTIONS, statuses=(Status.COMPLETED,))
    assert dict(shown(an_action(), only)) == {CREATED: ("enable",)}


def test_foreign_types_are_bounded() -> None:
    """As in the live counters, which know some already."""
    label = state().label
    labels = {
        each.labels[0]
        for number in range(100)
        for each in changes_of(
            an_action(action_type=f"type_{number}"),
            Past(created=True, ended=False),
            OPTIONS,
            label,
            str,
        )
    }
    assert len(labels) <= MAX_ACTION_TYPES + 1
    assert "other" in labels


def test_an_action_without_times_counts_where_it_can() -> None:
    """At its creation without an end, at its end without a creation, and else not at all."""
    for created_at, updated_at, times in (
        (100.0, None, [100.0, 100.0]),
        (None, 107.0, [107.0, 107.0]),
        (None, None, []),
    ):
        action = an_action(created_at=created_at, updated_at=updated_at)
        found = list(changes_of(action, BOTH, OPTIONS, str, REASONS.classify))
        assert [each.time for each in found] == times
        assert DURATION not in {each.metric for each in found}
