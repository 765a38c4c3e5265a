"""How far a poll that reads many actions is: what people and metrics are told while it runs.

It must not decide what to read, nor where and how often progress is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from exporter.clock import Clock
from exporter.ledger.records import ListFilter

FEW_PAGES = 5
"""A catch-up of more pages than these is shown while it runs."""


class Stage(StrEnum):
    """What takes a poll long."""

    BASELINE = "baseline"
    """The first poll: what is in progress is listed."""
    CATCH_UP = "catch_up"
    """Many actions are new since the last poll."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a poll is.

    ``unseen`` is how many actions the totals count that were not read yet. ``stage`` is None where
    that is soon done; else ``done`` of ``total`` actions were read in the ``seconds`` since the
    poll began, ``total`` None until the API says how many there are.
    """

    unseen: int = 0
    stage: Stage | None = None
    done: int = 0
    total: int | None = None
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """How many seconds the rest takes at the pace so far; None until there is a pace."""
        if self.total is None or not self.done:
            return None
        return self.seconds * (self.total - self.done) / self.done


class ProgressTracker:
    """The progress of one poll, over all lists that it reads."""

    def __init__(self, clock: Clock, report: Callable[[Progress], None], page_size: int) -> None:
        """Begin with nothing to read; ``report`` is called after each change."""
        self._clock = clock
        self._report = report
        self._few = FEW_PAGES * page_size
        self._begun = clock.monotonic()
        self._lists: dict[ListFilter, tuple[int, int, int]] = {}
        self._stage: Stage | None = None

    def begin_baseline(self) -> None:
        """Take note that this is the first poll."""
        self._stage = Stage.BASELINE
        self._changed()

    def note(
        self, list_filter: ListFilter, *, done: int, left: int, unseen: int | None = None
    ) -> None:
        """Note how many actions of a list were read, and how many are left to read.

        ``unseen`` is how many of those are unseen, where only some are.
        """
        left = max(0, left)
        known = (done, left, left if unseen is None else max(0, unseen))
        if known == self._lists.get(list_filter):
            return
        self._lists[list_filter] = known
        self._changed()

    def _changed(self) -> None:
        done, left, unseen = (sum(each[i] for each in self._lists.values()) for i in range(3))
        if self._stage is None and done + left > self._few:
            self._stage = Stage.CATCH_UP
        total = done + left if self._lists else None
        seconds = self._clock.monotonic() - self._begun
        self._report(Progress(unseen, self._stage, done, total, seconds))
