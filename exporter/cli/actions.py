"""`actions`: list SIM card actions, from the ledger or as Telnyx has them now."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
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
from exporter.cli.live import LiveListing
from exporter.cli.options import examples, suggesting
from exporter.cli.output import say
from exporter.cli.times import TIMES, parse_period
from exporter.cli.wide_table import Whole, WideTables
from exporter.config import Settings
from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.errors import PollError
from exporter.ledger.listings import ACTION_COLUMNS, Values, action_values
from exporter.ledger.queries import (
    AccountAction,
    ActionQuery,
    LedgerView,
    action_query,
    read_in_parts,
)
from exporter.ledger.views import view_of


@click.command(
    "actions",
    short_help="List SIM card actions by any filter.",
    epilog=examples(
        ("What failed lately", "telnyx-sim-exporter actions --status failed --since 2h"),
        (
            "What happened to one SIM card, for a program",
            "telnyx-sim-exporter actions --iccid 89310410106543789301 --format json",
        ),
        (
            "The members of a bulk action, as Telnyx has them now",
            "telnyx-sim-exporter actions --live --bulk-id 47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9",
        ),
    ),
)
@CONFIG_OPTION
@click.option("--account", help="Only this account.")
@click.option(
    "--status",
    shell_complete=suggesting(each.value for each in Status),
    help="Only this status: in-progress, completed, failed, interrupted, or any that is listed.",
)
@click.option(
    "--action-type",
    shell_complete=suggesting(KNOWN_ACTION_TYPES),
    help="Only this type, such as enable or set_public_ip.",
)
@click.option("--sim-card-id", help="Only this SIM card, by its ID.")
@click.option("--iccid", help="Only this SIM card, by its ICCID, if it is known. Not with --live.")
@click.option("--bulk-id", help="Only the actions of this bulk action, as far as they are known.")
@click.option("--reason-class", help="Only reasons of this class.")
@click.option("--since", help=f"Only created then or later: {TIMES}.")
@click.option("--until", help="Only created before then; written like --since.")
@click.option(
    "--limit",
    help=f"At most this many. Default: {TABLE_ROWS} in a table, all in other formats.",
)
@FORMAT_OPTION
@WIDE_OPTION
@click.option(
    "--live",
    is_flag=True,
    help="Ask Telnyx, not the ledger. It filters by status (except interrupted), type, SIM card "
    "and bulk action itself; for the other filters all that it lists is read, and filtered here.",
)
def command(
    config_file: Path | None,
    output: str,
    *,
    wide: bool,
    live: bool,
    **filters: str | None,
) -> None:
    """List SIM card actions, the newest first, from the state of the exporter.

    The exporter may be running or not. Nothing is asked of Telnyx, and no API key is needed,
    except with --live, which lists in the order of Telnyx.
    """
    settings = read_settings_with_keys(config_file) if live else read_settings(config_file)
    view = view_of(settings)
    usual = TABLE_ROWS if output == "table" else None
    query = _query(given_filters(filters), view, usual, live=live)
    printer = Printer(output, ACTION_COLUMNS, partial(_values, settings))
    members_missing = False
    if live:
        listing = LiveListing(settings, view, query)
        more = asyncio.run(_print_live(listing.pages(), printer, query.limit))
        incomplete = listing.incomplete
    else:
        incomplete = []
        more = False
        reader = open_reader(settings)
        if query.bulk_id is not None:
            since = reader.complete_since(view, query.account, query.bulk_id)
            members_missing = since is None
        for found in read_in_parts(partial(reader.actions, view), query):
            printer.take(found.rows)
            more = found.next is not None
    if output == "table":
        say(_table(printer.rows, wide=wide, accounts=len(view.accounts)))
    if more and query.limit is not None:
        text = f"There are more than {query.limit} actions; raise --limit, or narrow the filters"
        click.echo(text, err=True)
    if members_missing:
        text = "Not all members of this bulk action are known; use --live to ask Telnyx for them"
        click.echo(text, err=True)
    if incomplete:
        raise PollError("; ".join(incomplete))


def _query(
    given: dict[str, str], view: LedgerView, usual: int | None, *, live: bool
) -> ActionQuery:
    if live and "iccid" in given:
        raise click.UsageError(
            "--iccid: Telnyx cannot list actions by it; use --sim-card-id, or leave out --live"
        )
    now = time.time()
    since, until = parse_period(given.pop("since", None), given.pop("until", None), now)
    with naming_flags():
        query = action_query(given, view, now, usual, most=None)
    return replace(query, since=since, until=until)


def _values(settings: Settings, row: AccountAction) -> Values:
    return action_values(row, sim_card_url(settings, row.sim_card_id))


async def _print_live(
    pages: AsyncGenerator[Sequence[AccountAction], None],
    printer: Printer[AccountAction],
    limit: int | None,
) -> bool:
    """Print up to ``limit`` actions; returns whether there are more."""
    left = limit
    async with aclosing(pages) as rest:
        async for rows in rest:
            printer.take(rows[:left])
            if left is not None:
                if len(rows) > left:
                    return True
                left -= len(rows)
    return False


def _table(rows: Sequence[Values], *, wide: bool, accounts: int) -> str:
    tables = WideTables(sys.stdout, whole=wide)
    cell = tables.cell

    def cells(row: Values) -> Iterator[str]:
        yield cell(*day_and_time(row["created_at"]))
        if accounts > 1:
            yield cell(row["account"])
        yield cell(row["action_type"], row["status"])
        yield cell(row["iccid"] or row["sim_card_id"], row["sim_card_group"])
        yield cell(row["reason_class"], shortened(row["reason"]))
        if wide:
            yield cell(row["action_id"])

    with tables.console.capture() as capture:
        if rows:
            title = f"{len(rows)} SIM card action{'s' * (len(rows) > 1)}"
            account = ["account"] * (accounts > 1)
            names = ("created (UTC)", *account, "action", "SIM card", "reason")
            whole: tuple[Whole, ...] = (
                ("created (UTC)", ()),
                ("action", (*Status, *(cell(row["action_type"]) for row in rows))),
                ("SIM card", (cell(row["iccid"] or row["sim_card_id"]) for row in rows)),
            )
            tables.show(title, (*names, *["action ID"] * wide), map(cells, rows), whole)
        else:
            tables.console.print("No actions.")
    return capture.get()
