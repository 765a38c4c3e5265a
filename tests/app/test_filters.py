"""Holds every metric of the catalogue to the filters of an account, whoever adds one."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import Settings
from exporter.domain import BULK_MEMBER_TYPES, KNOWN_ACTION_TYPES, OTHER, Status
from exporter.metrics.catalogue import CATALOGUE
from exporter.simulator.simulator import Simulator

UNKNOWN_TYPE = "swap_esim"
TYPES = (*KNOWN_ACTION_TYPES, UNKNOWN_TYPE)
ALONE = " alone"
LABELS = {"action_type", "status"}

OF_WHAT_IS_SEEN = (
    # docs/configuration.md, Filters: with statuses, what comes and goes to another one between two
    # polls is missed; what was seen in progress is counted, whatever status it then enters.
    "telnyx_sim_card_actions_created_total",
    # It tells of the exporter, and by no label of whose end it saw late.
    "telnyx_sim_card_action_detection_delay_seconds",
)
"""Metrics that tell of actions which ``statuses`` leaves out too, and begin so."""


@dataclass(frozen=True)
class Filter:
    """The filters of an account; empty: all."""

    action_types: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()

    def shows(self, action_type: str, status: str) -> bool:
        """Tell whether an action is shown."""
        return (not self.action_types or action_type in self.action_types) and (
            not self.statuses or status in self.statuses
        )

    def shows_status(self, status: Status) -> bool:
        """Tell whether actions in a status are shown."""
        return not self.statuses or status in self.statuses

    def label_values(self) -> dict[str, set[str]]:
        """Return the values that labels may have."""
        types = set(self.action_types or (*TYPES, OTHER))
        bulks = {bulk for bulk, of_member in BULK_MEMBER_TYPES.items() if of_member in types}
        return {
            "action_type": types | bulks,
            "status": {
                OTHER if not self.statuses else "",
                *(self.statuses or Status),
                # A problem is stuck while its action is in progress.
                "stuck" if self.shows_status(Status.IN_PROGRESS) else "",
            },
        }


FILTERS = {
    "all": Filter(),
    "two-types": Filter(("enable", "set_public_ip")),
    **{f"only-{each.value}": Filter(statuses=(each,)) for each in tuple(Status)},
    "some-ended": Filter(statuses=(Status.COMPLETED, Status.FAILED)),
    "with-interrupted": Filter(statuses=(Status.IN_PROGRESS, Status.INTERRUPTED)),
    "both": Filter(("disable", "enable"), (Status.IN_PROGRESS, Status.FAILED)),
    "both-with-interrupted": Filter(("disable",), (Status.INTERRUPTED, Status.COMPLETED)),
}


class Sample(NamedTuple):
    """One sample without the name of its account."""

    name: str
    labels: frozenset[tuple[str, str]]
    value: float

    def __str__(self) -> str:
        """Write it about as an exposition does."""
        labels = ",".join(f'{label}="{value}"' for label, value in sorted(self.labels))
        return f"{self.name}{{{labels}}} {self.value}"


class World:
    """An account with actions of each type and status that a filter shows, or of all."""

    def __init__(self, simulator: Simulator, shown: Filter, start: float) -> None:
        """Let actions begin, and some of them end, before the baseline; ``start`` is now."""
        self._world = simulator.world
        self._kinds: list[tuple[str, Status]] = [
            (name, status) for name in TYPES for status in Status if shown.shows(name, status)
        ]
        self._running = []
        for name, status in self._kinds:
            (ended,) = self._world.create(action_type=name, created_at=start - 5000)
            self._end(ended, status, start - 4000)
            self._running += self._world.create(action_type=name, created_at=start - 3000)
        if shown.shows("set_public_ip", Status.IN_PROGRESS):
            self._world.create(2, action_type="set_public_ip", created_at=start - 3000, bulk=True)

    def go_on(self, now: float) -> None:
        """Let what is in progress end, and as much begin and end besides."""
        for (name, status), running in zip(self._kinds, self._running, strict=True):
            self._end(running, status, now)
            (new,) = self._world.create(action_type=name, created_at=now)
            self._end(new, status, now)

    def _end(self, action_id: str, status: Status, at: float) -> None:
        if status is not Status.IN_PROGRESS:
            self._world.finish(action_id, status, f"{status.value} for a reason", at=at)


@pytest.fixture
async def samples(
    simulators: Callable[..., Awaitable[tuple[Simulator, str]]],
    settings: Callable[..., Settings],
    build: Callable[[Settings], Any],
) -> Mapping[str, set[Sample]]:
    """Poll one world by accounts with each filter; give their samples by account.

    Beside each of them is one with the same filter, whose name ends with ALONE, and in whose world
    there is nothing but what the filter shows.
    """
    start = time.time()
    simulator, shared = await simulators()
    worlds = [World(simulator, Filter(), start)]
    urls = dict.fromkeys(FILTERS, shared)
    for name, filters in FILTERS.items():
        simulator, urls[f"{name}{ALONE}"] = await simulators()
        worlds.append(World(simulator, filters, start))
    every = settings(urls, interval=900.0)
    filtered = tuple(
        each.model_copy(update=asdict(FILTERS[each.name.removesuffix(ALONE)]))
        for each in every.accounts
    )
    rig = build(every.model_copy(update={"accounts": filtered}))
    await rig.start()

    await rig.until_total("telnyx_up", len(urls))
    now = time.time()
    for world in worlds:
        world.go_on(now)
    await rig.exporter.poll_once()
    return by_account((await rig.http.get("/metrics")).text)


def by_account(exposition: str) -> dict[str, set[Sample]]:
    """Return the samples of each account."""
    read: dict[str, set[Sample]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            labels = dict(sample.labels)
            if (account := labels.pop("account", None)) is not None:
                shown = Sample(sample.name, frozenset(labels.items()), sample.value)
                read.setdefault(account, set()).add(shown)
    return read


def hidden(samples: set[Sample], filters: Filter) -> Iterator[Sample]:
    """Yield the samples with a label that the filter does not let through."""
    allowed = filters.label_values()
    for sample in samples:
        # Whether a bulk action is in progress is no status of an action.
        of_bulks = {"status"} if sample.name == "telnyx_bulk_sim_card_actions" else set[str]()
        if any(
            value not in allowed.get(label, {value})
            for label, value in sample.labels
            if label not in of_bulks
        ):
            yield sample


def comparable(samples: set[Sample], filters: Filter) -> set[Sample]:
    """Return what is told of actions, but for what tells of those that are left out too."""
    left_out = OF_WHAT_IS_SEEN if filters.statuses else OF_WHAT_IS_SEEN[1:]
    return {
        sample
        for sample in samples
        if sample.name.startswith("telnyx_sim_card") and not sample.name.startswith(left_out)
    }


async def test_every_metric_obeys_the_filters(samples: Mapping[str, set[Sample]]) -> None:
    """No label is one that a filter leaves out, and what it leaves out changes no value."""
    told = {sample.name for sample in samples["all"] if sample.value}
    for declared in CATALOGUE:
        if LABELS.intersection(declared.labels) and not declared.zero_at_rest:
            name = f"{declared.name}_count" if declared.bounds else declared.name
            assert name in told, (
                f"{name} is 0: let World make an action that counts, or say zero_at_rest"
            )

    breaks = []
    for name, filters in FILTERS.items():
        breaks += [f"{name}: shows {each}" for each in hidden(samples[name], filters)]
        shown = comparable(samples[name], filters)
        alone = comparable(samples[f"{name}{ALONE}"], filters)
        breaks += [f"{name}: what it leaves out changes {each}" for each in shown ^ alone]
    assert not breaks, "\n".join(sorted(breaks))
