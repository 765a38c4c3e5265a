"""How far a long reading is: a bar on a terminal, a line every ten seconds elsewhere.

It writes to standard error, and must not know what is read.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 10.0
"""Seconds between two lines."""

_MINUTE, _HOUR = 60, 3600


class Lines:
    """Writes a line every EVERY seconds; a `Watcher` of a history."""

    def __init__(
        self,
        name: str,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin now; ``say`` takes each line."""
        self._name = name
        self._say = say
        self._monotonic = monotonic
        self._told = monotonic()
        self._first: tuple[float, int] | None = None

    def progress(self, read: int, total: int | None) -> None:
        """Take in how many actions were read, of how many."""
        now = self._monotonic()
        if self._first is None:
            self._first = now, read
        if now - self._told < EVERY:
            return
        self._told = now
        began, before = self._first
        if total is None:
            self._say(f"{self._name}: {read:,} actions read")
            return
        rate = (read - before) / (now - began) if now > began else 0.0
        left = f", {_words((total - read) / rate)} left" if rate > 0 else ""
        self._say(f"{self._name}: {read:,} of {total:,} actions read{left}")

    def waiting(self, seconds: float) -> None:
        """Take in that Telnyx requires to wait."""
        self._say(f"{self._name}: Telnyx requires a wait of {_words(seconds)}")


class Bar:
    """A bar with the time left; a `Watcher` of a history."""

    def __init__(self, name: str, bars: Progress) -> None:
        """Begin with an empty bar."""
        self._bars = bars
        self._name = name
        self._task = bars.add_task(escape(name), total=None)

    def progress(self, read: int, total: int | None) -> None:
        """Take in how many actions were read, of how many."""
        self._bars.update(self._task, completed=read, total=total, description=escape(self._name))

    def waiting(self, seconds: float) -> None:
        """Take in that Telnyx requires to wait."""
        text = f"{self._name} (waits {_words(seconds)} for Telnyx)"
        self._bars.update(self._task, description=escape(text))


@contextmanager
def progress_of(name: str) -> Iterator[Lines | Bar]:
    """Show how the reading of one account goes, while the context lasts."""
    if not sys.stderr.isatty():
        yield Lines(name, lambda line: click.echo(line, err=True))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield Bar(name, bars)


def _words(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
