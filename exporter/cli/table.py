"""The table of `once --format table`: one snapshot for people at a terminal.

It draws from values, one table an account; it must not poll or decide what failed.
"""

from functools import partial
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.sanitize import one_line


def drawn(snapshot: ExporterSnapshot, stream: TextIO) -> str:
    """Return the actions of each account by type and status, and why its poll failed if it did.

    They are drawn for ``stream``: its width, its colors, and what its encoding has.
    """
    console = Console(file=stream)
    with console.capture() as capture:
        for account, health in snapshot.accounts:
            console.print(_actions(account, error=health.last_error, encoding=console.encoding))
    return capture.get()


def _actions(snapshot: AccountSnapshot, *, error: str | None, encoding: str) -> Table:
    line = partial(one_line, encoding=encoding)
    table = Table(
        title=f"SIM card actions of {escape(line(snapshot.name))}",
        caption=None if error is None else f"[red]the poll failed: {escape(line(error))}[/red]",
        title_justify="left",
        caption_justify="left",
    )
    statuses = list(dict.fromkeys(status for _, status in snapshot.actions))
    # Folded, not cut: the dots that stand for the rest are not in every encoding.
    add = partial(table.add_column, overflow="fold")
    add("action type")
    for status in statuses:
        add(escape(line(status)), justify="right")
    add("stuck", justify="right")
    kinds = dict.fromkeys(kind for kind, _ in snapshot.actions)
    for kind in kinds:
        counts = [snapshot.actions.get((kind, status), 0) for status in statuses]
        if any(counts):
            stuck = snapshot.stuck.get(kind, 0)
            table.add_row(escape(line(kind)), *map(str, counts), str(stuck))
    return table
