"""The table of `once --format table`: one snapshot for people at a terminal.

It draws from values, one table an account; it must not poll or decide what failed.
"""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.ledger.view import AccountView
from exporter.publish.health import Snapshot


def print_snapshot(snapshot: Snapshot, console: Console) -> None:
    """Print the actions of each account by type and status, and why its poll failed if it did."""
    for view, health in snapshot.accounts:
        console.print(_actions(view, error=health.last_error))


def _actions(view: AccountView, *, error: str | None) -> Table:
    table = Table(
        title=f"SIM card actions of {escape(view.name)}",
        caption=None if error is None else f"[red]the poll failed: {escape(error)}[/red]",
        title_justify="left",
        caption_justify="left",
    )
    statuses = list(dict.fromkeys(status for _, status in view.actions))
    table.add_column("action type")
    for status in statuses:
        table.add_column(escape(status), justify="right")
    table.add_column("stuck", justify="right")
    kinds = dict.fromkeys(kind for kind, _ in view.actions)
    for kind in kinds:
        counts = [view.actions.get((kind, status), 0) for status in statuses]
        if any(counts):
            stuck = view.stuck.get(kind, 0)
            table.add_row(escape(kind), *map(str, counts), str(stuck))
    return table
