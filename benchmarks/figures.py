"""What a benchmark found: figures, most of them ratios of one run, and how they are shown.

It must not measure anything itself.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import copysign, inf
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: ``what`` names it for good, as revisions are compared by it.

    ``most`` and ``least`` are the bounds to keep, if there are any. ``steady`` says that it
    does not depend on the machine's load, so that another revision's can be set beside it.
    """

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    steady: bool = True

    @property
    def kept(self) -> bool:
        """Tell whether the number is within its bounds."""
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    def change(self, before: float) -> float:
        """Return by which share the number is worse than ``before`` was: 0.1 for a tenth.

        More is worse, but where there is a ``least``. Beside zero, or less, no share can be
        told: then it is infinite.
        """
        if before == self.value:
            return 0.0
        worse, better = (before, self.value) if self.least is not None else (self.value, before)
        return worse / better - 1 if better > 0 else copysign(inf, worse - better)


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side, in words: the first column says what each row is about."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found, and what it means for who runs the exporter.

    A ``table`` is shown in place of the figures, of which it then holds all.
    """

    title: str
    meaning: str
    figures: tuple[Figure, ...]
    table: Table | None = None


def markdown(report: Report) -> str:
    """Return the report as a section of Markdown."""
    rows = [(each.what, shown(each.value, each.unit), bound(each)) for each in report.figures]
    table = report.table or Table(("what", "measured", "bound"), rows)
    return "\n".join([f"## {report.title}", "", *grid(table), "", report.meaning])


def grid(table: Table) -> list[str]:
    """Return the lines of a table in Markdown, its columns padded to be read as they are."""
    rows = [table.head, *table.rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    head, *rest = (
        "| "
        + " | ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    )
    rule = [
        ("-" * (width + 1) + ":") if number else "-" * (width + 2)
        for number, width in enumerate(widths)
    ]
    return [head, "|" + "|".join(rule) + "|", *rest]


def shown(value: float, unit: str) -> str:
    """Return a number with its unit, with three significant digits at least."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2  # noqa: PLR2004 - digits
    return f"{value:,.{digits}f} {unit}".rstrip()


def bound(figure: Figure) -> str:
    """Return the bounds of a figure in words, and whether it missed them."""
    sides = (("at most", figure.most), ("at least", figure.least))
    told = [f"{side} {shown(each, figure.unit)}" for side, each in sides if each is not None]
    if not told:
        return ""
    return " and ".join(told) + ("" if figure.kept else ": **missed**")


def write(reports: Iterable[Report], file: Path) -> None:
    """Write the figures as JSON, by what they are of."""
    found = {each.what: asdict(each) for report in reports for each in report.figures}
    file.write_text(json.dumps(found, indent=1) + "\n")


def read(file: Path) -> Mapping[str, Figure]:
    """Read the figures that `write` wrote."""
    return {what: Figure(**each) for what, each in json.loads(file.read_text()).items()}
