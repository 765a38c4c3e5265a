"""Which SIM cards of the account are broken, by its own truth, to compare an exporter with.

Counted from what happened alone, in the order of creation, and written independently of the
exporter's rules. It must not know time or the order of changes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.domain import Status, concern_of
from exporter.simulator.actions import SimulatedAction

_SimCardConcern = tuple[str, str]

_BAD_STATUSES = (Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    """The problems since the start; opened, mended and moot are by concern.

    ``open`` maps each SIM card and concern that is broken to the latest action that failed or was
    interrupted. ``moot`` are failures of actions when a newer one had completed: they open nothing,
    but to whoever learns of the two in the other order, such a problem was opened and mended.
    """

    open: Mapping[_SimCardConcern, SimulatedAction] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)
    mended: Mapping[str, int] = field(default_factory=dict)
    moot: Mapping[str, int] = field(default_factory=dict)

    def since(self, earlier: "ProblemRecord") -> "ProblemRecord":
        """Return what was opened and mended after the ``earlier`` record, and what is open now."""
        return ProblemRecord(
            self.open,
            {name: n - earlier.opened.get(name, 0) for name, n in self.opened.items()},
            {name: n - earlier.mended.get(name, 0) for name, n in self.mended.items()},
            {name: n - earlier.moot.get(name, 0) for name, n in self.moot.items()},
        )

    def as_json(self) -> dict[str, object]:
        """Return the record as plain data for JSON."""
        return {
            "open": [
                {
                    "sim_card_id": sim_card_id,
                    "concern": concern,
                    "action_id": action.id,
                    "status": action.status.value,
                }
                for (sim_card_id, concern), action in sorted(self.open.items())
            ],
            "opened": dict(self.opened),
            "mended": dict(self.mended),
            "moot": dict(self.moot),
        }


class ProblemRecorder:
    """The actions behind the record, by SIM card and concern, and what they come to."""

    def __init__(self) -> None:
        """Start without problems."""
        self._actions: dict[_SimCardConcern, dict[int, SimulatedAction]] = {}
        self._bad_since: dict[int, int] = {}
        self._changed: set[_SimCardConcern] = set()
        self._counts: dict[_SimCardConcern, tuple[int, int, int]] = {}
        self._opened: Counter[str] = Counter()
        self._mended: Counter[str] = Counter()
        self._moot: Counter[str] = Counter()
        self._open: dict[_SimCardConcern, SimulatedAction] = {}

    def add_ended(self, action: SimulatedAction) -> None:
        """Note that an action entered completed, failed or interrupted."""
        key = (action.sim_card_id, concern_of(action.action_type))
        self._actions.setdefault(key, {})[action.number] = action
        if action.status in _BAD_STATUSES:
            self._bad_since.setdefault(action.number, action.updated_ms)
        self._changed.add(key)

    def record(self) -> ProblemRecord:
        """Return the record."""
        for key in self._changed:
            self._recount(key)
        self._changed.clear()
        return ProblemRecord(
            dict(self._open), dict(self._opened), dict(self._mended), dict(self._moot)
        )

    def _order(self, action: SimulatedAction) -> tuple[int, bool, bool, int]:
        # Of two that were created at once, neither is later: what is completed mends no other.
        was_bad = action.number in self._bad_since
        return action.created_ms, was_bad, action.status in _BAD_STATUSES, action.number

    def _recount(self, key: _SimCardConcern) -> None:
        opened = mended = moot = 0
        latest: SimulatedAction | None = None
        actions = self._actions[key].values()
        for action in sorted(actions, key=self._order):
            completed = action.status is Status.COMPLETED
            bad_since = self._bad_since.get(action.number)
            if bad_since is not None and any(
                each.status is Status.COMPLETED
                and each.created_ms > action.created_ms
                and each.updated_ms < bad_since
                for each in actions
            ):
                moot += 1
            elif bad_since is not None:
                opened += latest is None
                latest = action
            # Itself, going on, or one that was created later.
            if (
                completed
                and latest is not None
                and (latest is action or latest.created_ms < action.created_ms)
            ):
                mended += 1
                latest = None
        before = self._counts.get(key, (0, 0, 0))
        self._counts[key] = (opened, mended, moot)
        self._opened[key[1]] += opened - before[0]
        self._mended[key[1]] += mended - before[1]
        self._moot[key[1]] += moot - before[2]
        self._open.pop(key, None)
        if latest is not None:
            self._open[key] = latest
