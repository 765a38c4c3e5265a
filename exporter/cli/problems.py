"""`problems`: list the SIM cards that are still broken, from the ledger or as Telnyx has them."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import click

from exporter.cli.build import read_settings as read_settings_with_keys
from exporter.cli.ledger_reader import open_reader, read_settings
from exporter.cli.listing import (
    CONFIG_OPTION,
    TABLE_ROWS,
    given_filters,
    naming_flags,
    shortened,
    sim_card_url,
)
from exporter.cli.live_problems import LiveProblems
from exporter.cli.options import examples, suggesting
from exporter.cli.output import say, shown
from exporter.cli.times import TIMES, parse_time
from exporter.cli.wide_table import WideTables
from exporter.config import Settings
from exporter.domain import CONCERNS, ProblemStatus
from exporter.errors import PollError
from exporter.ledger.listings import (
    PROBLEM_COLUMNS,
    Values,
    csv_text,
    problem_values,
    reason_values,
)
from exporter.ledger.queries import (
    DAY,
    AccountProblem,
    LedgerView,
    ProblemQuery,
    ReasonCount,
    Rows,
    problem_query,
    read_in_parts,
)
from exporter.ledger.views import view_of
from exporter.sanitize import one_line

_WITHOUT_BASELINE = (
    "This is what the list of Telnyx tells alone: failures of long ago count as well, unless "
    "--since leaves them out, and what Telnyx does not list any more is not known"
)
_REASONS_SHOWN = 20
"""Rows of the table of reasons; JSON has all of them."""


@click.command(
    "problems",
    short_help="List the SIM cards that are still broken.",
    epilog=examples(
        (
            "The SIM cards that cannot connect",
            "telnyx-sim-exporter problems --concern connectivity",
        ),
        (
            "All of them, for a spreadsheet",
            "telnyx-sim-exporter problems --config.file config.yaml --format csv > problems.csv",
        ),
        (
            "Those that broke in the last 30 days, without an exporter",
            "telnyx-sim-exporter problems --live --since 30d",
        ),
    ),
)
@CONFIG_OPTION
@click.option("--account", help="Only this account.")
@click.option(
    "--concern",
    shell_complete=suggesting(CONCERNS.values()),
    help="Only this concern: connectivity, public_ip, voice, or another.",
)
@click.option(
    "--status", type=click.Choice([each.value for each in ProblemStatus]), help="Only this status."
)
@click.option("--reason-class", help="Only reasons of this class.")
@click.option("--sim-card-id", help="Only this SIM card, by its ID.")
@click.option("--iccid", help="Only this SIM card, by its ICCID. Not with --live.")
@click.option(
    "--sim-card-group",
    help="Only SIM cards of this group, by its name or ID. Not with --live.",
)
@click.option("--tag", help="Only SIM cards with this tag. Not with --live.")
@click.option("--since", help=f"Only actions created then or later, with --live: {TIMES}.")
@click.option(
    "--limit",
    help="At most this many problems, the oldest first. "
    f"Default: {TABLE_ROWS} in a table, all in other formats.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output. Table and JSON also have the failures of the last day by reason.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Ask Telnyx for all its actions, not the ledger: no exporter has to have run. Failures of "
    "before an exporter's first poll count as well, and none is forgotten; leave out old ones by "
    "--since.",
)
def command(
    config_file: Path | None,
    output: str,
    *,
    since: str | None,
    live: bool,
    **filters: str | None,
) -> None:
    """List the SIM cards that are still broken, from the state of the exporter.

    The exporter may be running or not. Nothing is asked of Telnyx, and no API key is needed, but
    with --live, which reads the actions that Telnyx lists, and tells from them alone.
    """
    settings = read_settings_with_keys(config_file) if live else read_settings(config_file)
    view = view_of(settings)
    usual = TABLE_ROWS if output == "table" else None
    given = given_filters({**filters, "since": since})
    first = parse_time("--since", given.pop("since", None), time.time())
    _refuse_unknown(given, since=since, live=live)
    with naming_flags():
        query = problem_query(given, view, usual, most=None)
    if live:
        _print_live(settings, view, query, first, output)
        return
    reader = open_reader(settings)
    parts = list(read_in_parts(partial(reader.problems, view), query))
    rows = [row for found in parts for row in found.rows]
    reasons = () if output == "csv" else reader.failure_reasons(view, time.time() - DAY)
    _print(settings, rows, reasons, output)
    _tell_of_more(query, parts[-1])


def _refuse_unknown(given: Mapping[str, str], *, since: str | None, live: bool) -> None:
    """Raise click.UsageError for a filter by what is not known."""
    if since is not None and not live:
        raise click.UsageError(
            "--since: the ledger tells of all open problems; leave it out, or use --live"
        )
    for name in ("iccid", "sim_card_group", "tag"):
        if live and name in given:
            raise click.UsageError(
                f"--{name.replace('_', '-')}: Telnyx's actions do not tell it; use --sim-card-id, "
                "or leave out --live"
            )


def _print_live(
    settings: Settings, view: LedgerView, query: ProblemQuery, since: float | None, output: str
) -> None:
    """Print what Telnyx has; raises PollError where something could not be read."""
    live = LiveProblems(settings, view, query, since)
    found, reasons = live.read()
    _print(settings, found.rows, reasons, output)
    for note in (_WITHOUT_BASELINE, *live.notes):
        click.echo(one_line(note), err=True)
    _tell_of_more(query, found)
    if live.incomplete:
        raise PollError("; ".join(live.incomplete))


def _tell_of_more(query: ProblemQuery, found: Rows[AccountProblem]) -> None:
    if found.next is not None:
        text = f"There are more than {query.limit} problems; raise --limit, or use --format csv"
        click.echo(text, err=True)


def _print(
    settings: Settings,
    problems: Sequence[AccountProblem],
    counts: Sequence[ReasonCount],
    output: str,
) -> None:
    rows = [
        problem_values(row, sim_card_url(settings, row.problem.sim_card_id)) for row in problems
    ]
    reasons = [reason_values(each) for each in counts]
    if output == "csv":
        say(shown(csv_text(PROBLEM_COLUMNS, rows)))
    elif output == "json":
        answer = {"problems": rows, "failure_reasons": reasons}
        say(shown(f"{json.dumps(answer, indent=2)}\n"))
    else:
        say(_tables(rows, reasons, sys.stdout, accounts=len(settings.accounts)))


def _tables(
    rows: Sequence[Values], reasons: Sequence[Values], stream: TextIO, *, accounts: int
) -> str:
    """Return both tables as text for a stream, whose colors and encoding are used.

    They are as wide as a terminal, or wider where an ID would not stay in one piece, and as wide as
    they need to be elsewhere.
    """
    tables = WideTables(stream)
    console, cell = tables.console, tables.cell

    with console.capture() as capture:
        if rows:
            title = f"{len(rows)} SIM card problem{'s' * (len(rows) > 1)}"
            names = ("SIM card", *["account"] * (accounts > 1), "problem", "since (UTC)", "reason")
            table = tables.table(title, names)
            # IDs are there to be copied; groups and tags, in the same column, may be folded.
            ids = (cell(row[name]) for row in rows for name in ("sim_card_id", "iccid"))
            tables.keep_whole(table.columns[0], ids)
            concerns = ("interrupted", *(cell(row["concern"]) for row in rows))
            tables.keep_whole(table.columns[-3], concerns)
            for row in rows:
                tags = row["tags"] if isinstance(row["tags"], list) else []
                table.add_row(
                    cell(row["sim_card_id"], row["iccid"], row["sim_card_group"], ", ".join(tags)),
                    *[cell(row["account"])] * (accounts > 1),
                    cell(
                        row["concern"],
                        row["status"],
                        row["attempts"] and f"{row['attempts']} failed",
                        row["retrying"] and "retrying",
                    ),
                    cell(str(row["opened_at"])[:19].replace("T", " ")),
                    cell(row["action_type"], row["reason_class"], shortened(row["reason"])),
                )
            tables.show(table)
        else:
            console.print("No SIM card problems.")
        if reasons:
            title = "Failures of the last day by reason"
            if len(reasons) > _REASONS_SHOWN:
                title += f", the first {_REASONS_SHOWN} of {len(reasons)}"
            table = tables.table(title, ("count", "class", "reason"))
            tables.keep_whole(table.columns[0], (cell(row["count"]) for row in reasons))
            tables.keep_whole(table.columns[1], (cell(row["reason_class"]) for row in reasons))
            for row in reasons[:_REASONS_SHOWN]:
                table.add_row(
                    cell(row["count"]), cell(row["reason_class"]), cell(shortened(row["reason"]))
                )
            tables.show(table)
        else:
            console.print("No failures within the last day.")
    return capture.get()
