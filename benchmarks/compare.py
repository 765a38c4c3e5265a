"""Compares the benchmarks' figures of two revisions, each measured by its own benchmarks.

`make bench-compare BASE=HEAD~1`. They run in turn, several rounds, and the medians count. It
exits with 1 if a steady figure got worse by a tenth or more, or if the newer revision's
benchmarks fail. Both run with the present environment's libraries, whatever they had pinned.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.__main__ import NAMES
from benchmarks.figures import Figure, Table, grid, shown
from benchmarks.revisions import Checkout, RevisionError, check_out
from benchmarks.signals import exit_on_signals

TOO_MUCH = 0.1
"""The share by which a steady figure may not get worse."""

ROUNDING = 1e-9

Figures = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of both revisions; None where a revision does not have it."""

    before: Figure | None
    after: Figure | None

    @property
    def worse(self) -> float | None:
        """Tell by which share it got worse; None where only one revision has it."""
        if self.before is None or self.after is None:
            return None
        return self.after.change(self.before.value)

    @property
    def failed(self) -> bool:
        """Tell whether it got worse by too much, and that cannot be the machine's load."""
        if self.worse is None or self.after is None or not self.after.steady:
            return False
        return self.worse >= TOO_MUCH - ROUNDING


def middle(rounds: Sequence[Figures]) -> dict[str, Figure]:
    """Return each figure with the median of its values in the rounds that have it."""
    values: dict[str, list[float]] = {}
    latest: dict[str, Figure] = {}
    for figures in rounds:
        for what, figure in figures.items():
            values.setdefault(what, []).append(figure.value)
            latest[what] = figure
    return {what: replace(each, value=median(values[what])) for what, each in latest.items()}


def paired(before: Figures, after: Figures) -> dict[str, Pair]:
    """Set the figures of two revisions side by side, in the order of the newer."""
    return {what: Pair(before.get(what), after.get(what)) for what in {**after, **before}}


def table(pairs: Mapping[str, Pair], names: tuple[str, str]) -> list[str]:
    """Return the comparison as a table; ``names`` are those of the revisions."""
    rows = [
        (what, *(shown(each.value, each.unit) if each else "" for each in sides), _verdict(pair))
        for what, pair in pairs.items()
        for sides in [(pair.before, pair.after)]
    ]
    return grid(Table(("what", *names, "change"), rows))


def _verdict(pair: Pair) -> str:
    if pair.before is None:
        return "new"
    if pair.after is None:
        return "gone"
    share = pair.worse or 0.0
    if abs(share) < ROUNDING:
        return "same"
    told = f"{'worse' if share > 0 else 'better'} by {abs(share):.1%}"
    if not pair.after.steady:
        return f"{told}, not judged"
    return f"**{told}**" if pair.failed else told


def measure(
    sides: tuple[Checkout, Checkout], names: Sequence[str], rounds: int, tell: Callable[[str], None]
) -> tuple[dict[str, Figure], dict[str, Figure], bool]:
    """Run the benchmarks of both in turn; returns the medians, and whether the newer's all ran.

    Which of them is first changes from round to round.
    """
    found: dict[Checkout, list[Figures]] = {side: [] for side in sides}
    complete = True
    for number in range(rounds):
        for name in names:
            for side in sides[:: -1 if number % 2 else 1]:
                tell(f"round {number + 1} of {rounds}: {name} of {side.name}")
                try:
                    found[side].append(side.measure(name))
                except RevisionError as exc:
                    tell(str(exc))
                    complete = complete and side is not sides[1]
    return middle(found[sides[0]]), middle(found[sides[1]]), complete


def main() -> int:
    """Compare two revisions, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("base", help="the older revision, for example HEAD~1")
    parser.add_argument("names", nargs="*", metavar="name", help="benchmarks; all if left out")
    parser.add_argument("--with", dest="newer", help="the newer revision; else the files as is")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run; default 3")
    arguments = parser.parse_intermixed_args()
    if arguments.rounds < 1:
        parser.error("--rounds: give 1 or more")
    names = arguments.names or NAMES
    exit_on_signals()
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-"))).resolve()
            base = stack.enter_context(check_out(arguments.base, folder / "base"))
            newer = stack.enter_context(check_out(arguments.newer, folder / "newer"))
            before, after, complete = measure((base, newer), names, arguments.rounds, _tell)
    except RevisionError as exc:
        _tell(str(exc))
        return 2
    pairs = paired(before, after)
    sys.stdout.write("\n".join(table(pairs, (base.name, newer.name))) + "\n")
    worse = [what for what, pair in pairs.items() if pair.failed]
    for what in worse:
        _tell(f"worse by a tenth or more: {what}")
    return int(bool(worse) or not complete)


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
