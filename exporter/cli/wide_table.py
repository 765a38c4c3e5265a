"""Tables that fit the terminal; elsewhere they are as wide as they need.

It must not know what is listed.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.sanitize import one_line

UNLIMITED = 10**9
"""Columns of what is no terminal, where nothing is broken over lines."""

_NARROWEST = 12
"""What a column that is folded has at least; where there is less, rows are shown as blocks."""

Whole = tuple[str, Iterable[str]]
"""The name of a column, and cells of it that are better not folded."""


class WideTables:
    """Tables as text for a stream, whose colors and encoding are used."""

    def __init__(self, stream: TextIO, *, whole: bool = False) -> None:
        """Write for ``stream``; ``whole`` breaks no line, also on a terminal."""
        self._folds = stream.isatty() and not whole
        self.console = Console(file=stream, width=None if self._folds else UNLIMITED)

    def cell(self, *parts: object) -> str:
        """Return a cell of the parts that are not empty, each of foreign text.

        Each has a line of its own where cells are folded.
        """
        line = partial(one_line, encoding=self.console.encoding)
        texts = (line(str(each)) for each in parts if each)
        return escape(("\n" if self._folds else " ").join(texts))

    def show(
        self,
        title: str,
        names: Sequence[str],
        rows: Iterable[Iterable[str]],
        whole: Iterable[Whole] = (),
    ) -> None:
        """Print a table of cells.

        On a terminal, ``whole`` are kept in one piece as far as there is room, the first before the
        others.
        """
        blocks = self._folds and not self._has_room(names, {})
        table = Table(title=title, title_justify="left", show_lines=blocks)
        if blocks:
            names = (", ".join(names),)
            rows = (("\n".join(filter(None, row)),) for row in rows)
        widths = self._widths(names, whole) if self._folds and not blocks else {}
        for name in names:
            # Wrapped, not truncated: not every encoding has an ellipsis.
            table.add_column(name, overflow="fold", width=widths.get(name))
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def _widths(self, names: Sequence[str], whole: Iterable[Whole]) -> dict[str, int]:
        """Return the widths of columns that have room for what is kept whole."""
        found: dict[str, int] = {}
        for name, cells in whole:
            texts = (name, *cells)
            width = max(self.console.render_str(each).cell_len for each in texts)
            if self._has_room(names, {**found, name: width}):
                found[name] = width
        return found

    def _has_room(self, names: Sequence[str], widths: dict[str, int]) -> bool:
        lines = 3 * len(names) + 1
        return sum(widths.get(each, _NARROWEST) for each in names) + lines <= self.console.width
