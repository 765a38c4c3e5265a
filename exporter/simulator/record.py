"""The account's own record of what happened, to compare an exporter's counters with.

Counts what it is told and returns immutable copies. It must not know time or order.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.domain import ENDED_STATUSES, KNOWN_ACTION_TYPES, Status
from exporter.simulator.actions import SimulatedAction
from exporter.simulator.problem_record import ProblemRecord, ProblemRecorder

StatusEntry = tuple[str, Status, str | None]
"""An action type, the status entered, and the reason given."""


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """What happened since the start, and what is listed now.

    ``created`` is by action type. ``entered`` counts each entry into completed, failed or
    interrupted, by (action type, status, reason): an action that is interrupted twice counts
    twice. ``current`` is what is listed, history included, by (action type, status). ``problems``
    are the SIM cards that are broken.
    """

    created: Mapping[str, int]
    entered: Mapping[StatusEntry, int]
    current: Mapping[tuple[str, Status], int]
    problems: ProblemRecord = field(default_factory=ProblemRecord)

    @property
    def in_flight(self) -> int:
        """How many actions are in progress."""
        return sum(n for (_, status), n in self.current.items() if status is Status.IN_PROGRESS)

    def by_type(self, status: Status) -> dict[str, int]:
        """Return how often ``status`` was entered, by action type, zeros included."""
        counts = dict.fromkeys(self.created, 0)
        for (action_type, entered, _), count in self.entered.items():
            if entered is status:
                counts[action_type] = counts.get(action_type, 0) + count
        return counts

    def by_reason(self, status: Status) -> dict[str | None, int]:
        """Return how often ``status`` was entered, by reason."""
        counts: Counter[str | None] = Counter()
        for (_, entered, reason), count in self.entered.items():
            if entered is status:
                counts[reason] += count
        return dict(counts)

    def since(self, earlier: "ActivityRecord") -> "ActivityRecord":
        """Return what happened between the ``earlier`` record and this one."""
        return ActivityRecord(
            created={name: n - earlier.created.get(name, 0) for name, n in self.created.items()},
            entered={
                entry: n - earlier.entered.get(entry, 0)
                for entry, n in self.entered.items()
                if n != earlier.entered.get(entry, 0)
            },
            current=self.current,
            problems=self.problems.since(earlier.problems),
        )

    def as_json(self) -> dict[str, object]:
        """Return the record as plain data for JSON; a null reason becomes an empty string."""
        types = sorted({name for name, _ in self.current})
        return {
            "created": dict(self.created),
            **{status.value: self.by_type(status) for status in ENDED_STATUSES},
            "reasons": {
                status.value: {reason or "": n for reason, n in self.by_reason(status).items()}
                for status in (Status.FAILED, Status.INTERRUPTED)
            },
            "current": {
                name: {status.value: self.current.get((name, status), 0) for status in Status}
                for name in types
            },
            "in_flight": self.in_flight,
            "problems": self.problems.as_json(),
        }


class ActivityRecorder:
    """The running counts behind the record."""

    def __init__(self) -> None:
        """Start at zero."""
        self._created: Counter[str] = Counter(dict.fromkeys(KNOWN_ACTION_TYPES, 0))
        self._entered: Counter[StatusEntry] = Counter()
        self._current: Counter[tuple[str, Status]] = Counter()
        self._problems = ProblemRecorder()

    def add_listed(self, action: SimulatedAction) -> None:
        """Count an action that is listed, but was not created since the start."""
        self._current[action.action_type, action.status] += 1

    def add_created(self, action: SimulatedAction) -> None:
        """Count a new action."""
        self._created[action.action_type] += 1
        self.add_listed(action)

    def add_change(self, before: SimulatedAction, after: SimulatedAction) -> None:
        """Count a change of status."""
        self._current[before.action_type, before.status] -= 1
        self.add_listed(after)
        if after.status in ENDED_STATUSES:
            self._entered[after.action_type, after.status, after.reason] += 1
            self._problems.add_ended(after)

    def remove_listed(self, action: SimulatedAction) -> None:
        """Stop counting an action that is no longer listed."""
        self._current[action.action_type, action.status] -= 1

    def record(self, history: Mapping[tuple[str, Status], int]) -> ActivityRecord:
        """Return the record; ``history`` is added to what is listed now."""
        current = Counter(self._current)
        current.update(history)
        for name in self._created:
            for status in Status:
                current.setdefault((name, status), 0)
        return ActivityRecord(
            created=dict(self._created),
            entered=dict(self._entered),
            current=dict(current),
            problems=self._problems.record(),
        )
