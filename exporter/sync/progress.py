"""How far a poll that reads many actions is: what people and metrics are told while it runs.

It must not decide what to read, nor where and how often progress is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from exporter.clock import Clock
from exporter.ledger.records import ListFilter

FEW_PAGES = 5
"""A poll that reads more pages than these is shown from the first one on."""

SHORT = 5.0
"""Seconds after which each poll is shown, however little is left to read."""


class Stage(StrEnum):
    """What takes a poll long."""

    BASELINE = "baseline"
    """The first poll: what is in progress is listed."""
    CATCH_UP = "catch_up"
    """Many actions are new since the last poll."""
    IN_FLIGHT = "in_flight"
    """Many actions were in progress, and are looked at again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a poll is.

    ``unseen`` is how many actions the totals count that were not read yet. ``stage`` is None where
    it is soon done; else ``done`` of ``total`` actions were read in ``seconds``, ``total`` None
    until the API says how many there are.
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
        self._stage = Stage.CATCH_UP
        self._polling_since = self._stage_since = clock.monotonic()
        self._lists: dict[ListFilter, tuple[int, int, int]] = {}
        self._to_follow = 0
        self._followed = self._followed_before = 0

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
        if known != self._lists.get(list_filter):
            self._lists[list_filter] = known
            self._changed()

    def follow(self, count: int, followed: int) -> None:
        """Note how many actions are looked at again from now on, after ``followed`` others."""
        if not self._to_follow:
            self._stage, self._stage_since = Stage.IN_FLIGHT, self._clock.monotonic()
            self._followed = self._followed_before = followed
        self._to_follow += count
        self._changed()

    def note_followed(self, followed: int) -> None:
        """Note how many actions were looked at again up to now, in this poll."""
        if self._stage is Stage.IN_FLIGHT and followed != self._followed:
            self._followed = followed
            self._changed()

    def _changed(self) -> None:
        now = self._clock.monotonic()
        unseen = sum(unseen for _, _, unseen in self._lists.values())
        total: int | None
        if self._stage is Stage.IN_FLIGHT:
            total = self._to_follow
            done = min(total, self._followed - self._followed_before)
        else:
            done = sum(done for done, _, _ in self._lists.values())
            total = done + sum(left for _, left, _ in self._lists.values()) if self._lists else None
        shown = (
            self._stage is Stage.BASELINE
            or (total is not None and total > self._few)
            or (done != total and now - self._polling_since >= SHORT)
        )
        stage = self._stage if shown else None
        self._report(Progress(unseen, stage, done, total, now - self._stage_since))
