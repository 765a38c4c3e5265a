"""`problems`: list the SIM cards that are still broken, from the ledger or as Telnyx has them."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from exporter.cli.build import read_settings as read_settings_with_keys
from exporter.cli.ledger_reader import open_reader, read_settings
from exporter.cli.listing import (
    CONFIG_OPTION,
    FORMAT_OPTION,
    TABLE_ROWS,
    WIDE_OPTION,
    Printer,
    day_and_time,
    given_filters,
    naming_flags,
    shortened,
    sim_card_url,
)
from exporter.cli.live_problems import LiveProblems
from exporter.cli.options import examples, suggesting
from exporter.cli.output import say
from exporter.cli.times import TIMES, parse_time
from exporter.cli.wide_table import Whole, WideTables
from exporter.config import Settings
from exporter.domain import CONCERNS, ProblemStatus
from exporter.errors import PollError
from exporter.ledger.listings import (
    PROBLEM_COLUMNS,
    Values,
    problem_values,
)
from exporter.ledger.queries import (
    DAY,
    AccountProblem,
    ReasonCount,
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
"""Rows of the table of reasons."""


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
@FORMAT_OPTION
@WIDE_OPTION
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
    wide: bool,
    since: str | None,
    live: bool,
    **filters: str | None,
) -> None:
    """List the SIM cards that are still broken, from the state of the exporter.

    A table has the failures of the last day by reason, too.

    The exporter may be running or not. Nothing is asked of Telnyx, and no API key is needed,
    except with --live, which reads the actions that Telnyx lists, and tells from them alone.
    """
    settings = read_settings_with_keys(config_file) if live else read_settings(config_file)
    view = view_of(settings)
    usual = TABLE_ROWS if output == "table" else None
    given = given_filters({**filters, "since": since})
    first = parse_time("--since", given.pop("since", None), time.time())
    _refuse_unknown(given, since=since, live=live)
    with naming_flags():
        query = problem_query(given, view, usual, most=None)
    printer = Printer(output, PROBLEM_COLUMNS, partial(_values, settings))
    notes: Sequence[str] = ()
    incomplete: Sequence[str] = ()
    reasons: Sequence[ReasonCount] = ()
    if live:
        listing = LiveProblems(settings, view, query, first)
        found, reasons = listing.read()
        printer.take(found.rows)
        notes, incomplete = (_WITHOUT_BASELINE, *listing.notes), listing.incomplete
    else:
        reader = open_reader(settings)
        for found in read_in_parts(partial(reader.problems, view), query):
            printer.take(found.rows)
        if output == "table":
            reasons = reader.failure_reasons(view, time.time() - DAY)
    if output == "table":
        say(_tables(printer.rows, reasons, wide=wide, accounts=len(settings.accounts)))
    for note in notes:
        click.echo(one_line(note), err=True)
    if found.next is not None:
        text = f"There are more than {query.limit} problems; raise --limit, or use --format csv"
        click.echo(text, err=True)
    if incomplete:
        raise PollError("; ".join(incomplete))


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


def _values(settings: Settings, row: AccountProblem) -> Values:
    return problem_values(row, sim_card_url(settings, row.problem.sim_card_id))


def _tables(
    rows: Sequence[Values], reasons: Sequence[ReasonCount], *, wide: bool, accounts: int
) -> str:
    tables = WideTables(sys.stdout, whole=wide)
    with tables.console.capture() as capture:
        _show_problems(rows, tables, wide=wide, accounts=accounts)
        _show_reasons(reasons, tables)
    return capture.get()


def _show_problems(
    rows: Sequence[Values], tables: WideTables, *, wide: bool, accounts: int
) -> None:
    cell = tables.cell

    def cells(row: Values) -> Iterator[str]:
        tags = row["tags"] if isinstance(row["tags"], list) else []
        yield cell(row["sim_card_id"], row["iccid"], row["sim_card_group"], ", ".join(tags))
        if accounts > 1:
            yield cell(row["account"])
        yield cell(
            row["concern"],
            row["status"],
            row["attempts"] and f"{row['attempts']} failed",
            row["retrying"] and "retrying",
        )
        yield cell(*day_and_time(row["opened_at"]))
        yield cell(row["action_type"], row["reason_class"], shortened(row["reason"]))
        if wide:
            yield cell(row["action_id"])

    if not rows:
        tables.console.print("No SIM card problems.")
        return
    title = f"{len(rows)} SIM card problem{'s' * (len(rows) > 1)}"
    names = ("SIM card", *["account"] * (accounts > 1), "problem", "since (UTC)", "reason")
    # IDs are there to be copied; groups and tags, in the same column, may be folded.
    whole: tuple[Whole, ...] = (
        ("since (UTC)", ()),
        ("problem", (*CONCERNS.values(), *ProblemStatus)),
        ("SIM card", (cell(row[name]) for row in rows for name in ("sim_card_id", "iccid"))),
        ("problem", (cell(row["concern"]) for row in rows)),
    )
    tables.show(title, (*names, *["action ID"] * wide), map(cells, rows), whole)


def _show_reasons(reasons: Sequence[ReasonCount], tables: WideTables) -> None:
    cell = tables.cell
    if not reasons:
        tables.console.print("No failures within the last day.")
        return
    title = "Failures of the last day by reason"
    if len(reasons) > _REASONS_SHOWN:
        title += f", the first {_REASONS_SHOWN} of {len(reasons)}"
    listed = [
        (cell(each.count), cell(each.reason_class), cell(shortened(each.reason)))
        for each in reasons[:_REASONS_SHOWN]
    ]
    whole = (("count", [row[0] for row in listed]), ("class", [row[1] for row in listed]))
    tables.show(title, ("count", "class", "reason"), listed, whole)
