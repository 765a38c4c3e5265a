"""`problems`: list the SIM cards that are still broken, from the ledger."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.cli.ledger_reader import open_reader, read_settings
from exporter.cli.options import CONFIG_OPTION
from exporter.cli.output import say
from exporter.errors import QueryError
from exporter.ledger.listings import (
    PROBLEM_COLUMNS,
    Values,
    csv_text,
    problem_values,
    reason_values,
)
from exporter.ledger.queries import DAY, problem_query
from exporter.ledger.views import view_of
from exporter.sanitize import one_line
from exporter.web.addresses import sim_card_page

_REASONS_SHOWN = 20
"""Rows of the table of reasons; JSON has all of them."""


@click.command("problems", short_help="List the SIM cards that are still broken.")
@CONFIG_OPTION
@click.option("--account", help="Only this account.")
@click.option("--concern", help="Only this concern: connectivity, public_ip, voice, or another.")
@click.option("--status", help="Only this status: failed, interrupted or stuck.")
@click.option("--reason-class", help="Only reasons of this class.")
@click.option("--sim-card-id", help="Only this SIM card, by its ID.")
@click.option("--iccid", help="Only this SIM card, by its ICCID.")
@click.option("--sim-card-group", help="Only SIM cards of this group, by its name or ID.")
@click.option("--tag", help="Only SIM cards with this tag.")
@click.option("--limit", help="At most this many problems, the oldest first. Default: all.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output. Table and JSON also have the failures of the last day by reason.",
)
def command(config_file: Path | None, output: str, **filters: str | None) -> None:
    """List the SIM cards that are still broken, from the state of the exporter.

    The exporter may be running or not. Nothing is asked of Telnyx, and no API key is needed.
    """
    settings = read_settings(config_file)
    view = view_of(settings)
    for name, value in filters.items():
        if value == "":
            raise click.UsageError(f"--{name.replace('_', '-')}: is empty; leave it out for all")
    try:
        query = problem_query({name: each for name, each in filters.items() if each}, view)
    except QueryError as exc:
        name, _, text = str(exc).partition(":")
        raise click.UsageError(one_line(f"--{name.replace('_', '-')}:{text}")) from exc
    reader = open_reader(settings)
    found = reader.problems(view, query)
    base = settings.web.external_url
    rows = [
        problem_values(
            row, f"{base.rstrip('/')}/{sim_card_page(row.problem.sim_card_id)}" if base else ""
        )
        for row in found.rows
    ]
    if output == "csv":
        say(csv_text(PROBLEM_COLUMNS, rows))
    else:
        now = time.time()
        reasons = [reason_values(each) for each in reader.failure_reasons(view, now - DAY)]
        if output == "json":
            answer = {"problems": rows, "failure_reasons": reasons}
            say(f"{json.dumps(answer, indent=2)}\n")
        else:
            say(_tables(rows, reasons, sys.stdout))
    if found.next is not None:
        click.echo(f"There are more than {query.limit} problems; raise --limit", err=True)


def _tables(rows: Sequence[Values], reasons: Sequence[Values], stream: TextIO) -> str:
    """Return both tables as text for a stream, whose width, colors and encoding are used."""
    console = Console(file=stream)
    line = partial(one_line, encoding=console.encoding)

    def table(title: str, columns: Sequence[str], cells: Sequence[Sequence[object]]) -> Table:
        made = Table(title=title, title_justify="left")
        for name in columns:
            # Wrapped, not truncated: not every encoding has an ellipsis.
            made.add_column(name, overflow="fold")
        for row in cells:
            made.add_row(*(escape(line(str(each))) for each in row))
        return made

    with console.capture() as capture:
        if rows:
            console.print(
                table(
                    f"{len(rows)} SIM card problem{'s' * (len(rows) > 1)}",
                    ("account", "SIM card", "problem", "since", "attempts", "reason"),
                    [
                        (
                            row["account"],
                            _card(row),
                            f"{row['concern']} {row['status']}"
                            + (", retrying" if row["retrying"] else ""),
                            row["opened_at"],
                            row["attempts"],
                            f"{row['action_type']}: {row['reason'] or 'no reason given'}"
                            + (f" ({row['reason_class']})" if row["reason_class"] else ""),
                        )
                        for row in rows
                    ],
                )
            )
        else:
            console.print("No SIM card problems.")
        if reasons:
            title = "Failures of the last day by reason"
            if len(reasons) > _REASONS_SHOWN:
                title += f", the first {_REASONS_SHOWN} of {len(reasons)}"
            columns = ("count", "class", "reason", "latest")
            names = ("count", "reason_class", "reason", "latest")
            shown = [[row[name] for name in names] for row in reasons[:_REASONS_SHOWN]]
            console.print(table(title, columns, shown))
        else:
            console.print("No failures within the last day.")
    return capture.get()


def _card(row: Values) -> str:
    """Return the names of a SIM card, or its ID where nothing else is known."""
    tags = row["tags"] if isinstance(row["tags"], list) else []
    named = (row["iccid"], row["sim_card_group"], *tags)
    return ", ".join(str(each) for each in (row["sim_card_id"], *named) if each)
