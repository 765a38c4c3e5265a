"""What a history comes to: failures by reason, SIM card and day, counted in the work file.

It must not know how any of it is shown.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from exporter.history.spool import Spool
from exporter.ledger.snapshot import SnapshotOptions

DAY = 86_400

SHOWN = """
    (:since IS NULL OR coalesce(created_at, updated_at) >= :since)
    AND (:until IS NULL OR coalesce(created_at, updated_at) < :until)
    AND (:types = '' OR instr(:types, ',' || action_type || ','))
    AND (:statuses = '' OR instr(:statuses, ',' || status || ','))
"""
"""The condition of what a `Scope` takes, with its parameters."""

FAILED = f"{SHOWN} AND status IN ('failed', 'interrupted')"
"""The condition of what of that ended badly."""

_ENDED_ON = f"CAST(coalesce(updated_at, created_at) / {DAY} AS INTEGER)"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a history is shown: created from ``since`` to before ``until`` (None: any)."""

    options: SnapshotOptions
    since: float | None = None
    until: float | None = None

    def takes(self, status: str, action_type: str, created: float | None) -> bool:
        """Tell whether an action is shown, by when it was created, or changed where that lacks."""
        options = self.options
        return (
            options.shows(status)
            and (not options.action_types or action_type in options.action_types)
            and (self.since is None or (created is not None and created >= self.since))
            and (self.until is None or (created is not None and created < self.until))
        )

    def parameters(self) -> dict[str, object]:
        """Return it as parameters of a query."""
        return {
            "since": self.since,
            "until": self.until,
            "types": _listed(self.options.action_types),
            "statuses": _listed(tuple(self.options.statuses)),
        }


@dataclass(frozen=True, slots=True)
class FailureReason:
    """How many actions ended badly for a reason, and how many SIM cards that concerned."""

    reason_class: str
    reason: str
    count: int
    sim_cards: int


@dataclass(frozen=True, slots=True)
class FailingCard:
    """How many actions of a SIM card ended badly, when the last, and why most of them."""

    sim_card_id: str
    count: int
    last: float | None
    reason_class: str


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """What a history comes to; counts by status, type, class and day.

    Days are numbered from the epoch. ``reasons`` and ``cards`` are the most frequent ones of
    ``reasons_total`` and ``cards_total``. ``first`` and ``last`` are times of creation.
    """

    first: float | None
    last: float | None
    statuses: Counter[str]
    types: Counter[tuple[str, str]]
    classes: Counter[str]
    days: Counter[tuple[int, str]]
    reasons: tuple[FailureReason, ...]
    reasons_total: int
    cards: tuple[FailingCard, ...]
    cards_total: int

    @property
    def failures(self) -> int:
        """How many actions failed or were interrupted."""
        return self.statuses["failed"] + self.statuses["interrupted"]


def summarize(
    spool: Spool, scope: Scope, classify: Callable[[str | None], str], most: int
) -> HistorySummary:
    """Count; at most so many reasons and SIM cards are named."""
    values = scope.parameters()
    ((first, last),) = spool.select(
        f"SELECT min(created_at), max(created_at) FROM actions WHERE {SHOWN}",  # noqa: S608 # ours
        values,
    )
    types: Counter[tuple[str, str]] = Counter()
    statuses: Counter[str] = Counter()
    for action_type, status, count in spool.select(
        f"SELECT action_type, status, count(*) FROM actions WHERE {SHOWN} GROUP BY 1, 2",  # noqa: S608 # ours
        values,
    ):
        types[action_type, status] = count
        statuses[status] += count
    days = Counter(
        {
            (day, status): count
            for day, status, count in spool.select(
                f"SELECT {_ENDED_ON}, status, count(*) FROM actions WHERE {FAILED}"  # noqa: S608 # ours
                " AND coalesce(updated_at, created_at) IS NOT NULL GROUP BY 1, 2",
                values,
            )
        }
    )
    classes: Counter[str] = Counter()
    reasons: list[FailureReason] = []
    reasons_total = 0
    for text, count, cards in spool.select(
        "SELECT text, count(*) AS failures, count(DISTINCT sim_card_id) FROM actions"  # noqa: S608 # ours
        f" LEFT JOIN reasons ON reasons.id = reason_id WHERE {FAILED}"
        " GROUP BY reason_id ORDER BY failures DESC, text",
        values,
    ):
        reason_class = classify(text)
        classes[reason_class] += count
        reasons_total += 1
        if len(reasons) < most:
            reasons.append(FailureReason(reason_class, text or "", count, cards))
    ((cards_total,),) = spool.select(
        f"SELECT count(DISTINCT sim_card_id) FROM actions WHERE {FAILED}",  # noqa: S608 # ours
        values,
    )
    return HistorySummary(
        first,
        last,
        statuses,
        types,
        classes,
        days,
        tuple(reasons),
        reasons_total,
        _cards(spool, values, classify, most),
        cards_total,
    )


def _cards(
    spool: Spool,
    values: dict[str, object],
    classify: Callable[[str | None], str],
    most: int,
) -> tuple[FailingCard, ...]:
    found = list(
        spool.select(
            "SELECT sim_card_id, count(*) AS failures, max(coalesce(updated_at, created_at))"  # noqa: S608 # ours
            f" FROM actions WHERE {FAILED}"
            " GROUP BY 1 ORDER BY failures DESC, 3 DESC, 1 LIMIT :most",
            {**values, "most": most},
        )
    )
    why: dict[str, Counter[str]] = {card: Counter() for card, _, _ in found}
    for card, text, count in spool.select(
        "SELECT sim_card_id, text, count(*) FROM actions"  # noqa: S608 # ours
        f" LEFT JOIN reasons ON reasons.id = reason_id WHERE {FAILED}"
        " AND sim_card_id IN (SELECT value FROM json_each(:cards)) GROUP BY 1, 2 ORDER BY 1, 2",
        {**values, "cards": json.dumps(list(why))},
    ):
        why[card][classify(text)] += count
    return tuple(
        FailingCard(card, count, last, why[card].most_common(1)[0][0])
        for card, count, last in found
    )


def _listed(names: tuple[str, ...]) -> str:
    return f",{','.join(names)}," if names else ""
