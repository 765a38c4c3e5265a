"""The tables of `once --format table`: one per account, for a terminal.

It only renders a snapshot; it must not poll or decide what failed.
"""

from functools import partial
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.sanitize import one_line


def render_table(snapshot: ExporterSnapshot, stream: TextIO) -> str:
    """Return the actions of each account by type and status, and the error of a failed poll.

    The width, colors and encoding are those of ``stream``.
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
        caption=None if error is None else f"[red]Poll failed: {escape(line(error))}[/red]",
        title_justify="left",
        caption_justify="left",
    )
    statuses = list(dict.fromkeys(status for _, status in snapshot.actions))
    # Wrapped, not truncated: not every encoding has an ellipsis.
    add = partial(table.add_column, overflow="fold")
    add("action type")
    for status in statuses:
        add(escape(line(status)), justify="right")
    add("stuck", justify="right")
    types = dict.fromkeys(action_type for action_type, _ in snapshot.actions)
    for action_type in types:
        counts = [snapshot.actions.get((action_type, status), 0) for status in statuses]
        if any(counts):
            stuck = snapshot.stuck.get(action_type, 0)
            table.add_row(escape(line(action_type)), *map(str, counts), str(stuck))
    return table
