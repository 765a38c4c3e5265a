"""Tables for a terminal whose IDs stay in one piece; elsewhere they are as wide as they need.

It must not know what is listed.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from exporter.sanitize import one_line

UNLIMITED = 10**9
"""Columns of what is no terminal, where nothing is broken over lines."""

_NARROWEST = len("2026-01-01")
"""Columns of a terminal for what may be folded."""


class WideTables:
    """Tables as text for a stream, whose colors and encoding are used."""

    def __init__(self, stream: TextIO, *, whole: bool = False) -> None:
        """Write for ``stream``; ``whole`` breaks no line, also on a terminal."""
        self.folds = stream.isatty() and not whole
        self.console = Console(file=stream, width=None if self.folds else UNLIMITED)
        self._width = self.console.width

    def cell(self, *lines: object) -> str:
        """Return a cell of the lines that are not empty, each of foreign text."""
        line = partial(one_line, encoding=self.console.encoding)
        return escape("\n".join(line(str(each)) for each in lines if each))

    def table(self, title: str, columns: Sequence[str]) -> Table:
        """Return an empty table."""
        made = Table(title=title, title_justify="left")
        for name in columns:
            # Wrapped, not truncated: not every encoding has an ellipsis.
            made.add_column(name, overflow="fold", min_width=_NARROWEST)
        return made

    def keep_whole(self, column: Column, cells: Iterable[str]) -> None:
        """Give a column of a terminal the width at which none of these cells is folded."""
        if self.folds:
            texts = (str(column.header), *cells)
            column.width = max(self.console.render_str(each).cell_len for each in texts)

    def show(self, table: Table) -> None:
        """Print a table as wide as the terminal, or as what is kept whole needs."""
        least = sum(each.width or _NARROWEST for each in table.columns) + 3 * len(table.columns) + 1
        self.console.width = max(self._width, least)
        self.console.print(table)
