"""`actions`: list SIM card actions, from the ledger or as Telnyx has them now."""

import asyncio
import json
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
    TABLE_ROWS,
    given_filters,
    naming_flags,
    shortened,
    sim_card_url,
)
from exporter.cli.live import LiveListing
from exporter.cli.options import examples, suggesting
from exporter.cli.output import say, shown
from exporter.cli.times import TIMES, parse_period
from exporter.cli.wide_table import WideTables
from exporter.config import Settings
from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.errors import PollError
from exporter.ledger.listings import ACTION_COLUMNS, Values, action_values, csv_text
from exporter.ledger.queries import (
    AccountAction,
    ActionQuery,
    LedgerView,
    action_query,
    read_in_parts,
)
from exporter.ledger.views import view_of

_DAY = len("2026-01-01")


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
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output; json is one object a line.",
)
@click.option("--wide", is_flag=True, help="Do not fold the table to the width of the terminal.")
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
    bulk_id: str | None,
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
    query = _query(given_filters({**filters, "bulk_id": bulk_id}), view, usual, live=live)
    printer = _Printer(
        output, wide=wide, accounts=len(view.accounts), values=partial(_values, settings)
    )
    if live:
        listing = LiveListing(settings, view, query, bulk_id)
        more = asyncio.run(_print_live(listing.pages(), printer, query.limit))
        incomplete = listing.incomplete
    else:
        incomplete = []
        more = False
        reader = open_reader(settings)
        for found in read_in_parts(partial(reader.actions, view), query):
            printer.take(found.rows)
            more = found.next is not None
    printer.end()
    if more and query.limit is not None:
        text = f"There are more than {query.limit} actions; raise --limit, or narrow the filters"
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
    pages: AsyncGenerator[Sequence[AccountAction], None], printer: "_Printer", limit: int | None
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


class _Printer:
    """Prints actions as they come; those of a table in the end."""

    def __init__(
        self, output: str, *, wide: bool, accounts: int, values: "partial[Values]"
    ) -> None:
        self._output = output
        self._wide = wide
        self._accounts = accounts
        self._values = values
        self._rows: list[Values] = []
        self._header = True

    def take(self, found: Sequence[AccountAction]) -> None:
        """Take actions in."""
        rows = [self._values(row) for row in found]
        if self._output == "csv":
            say(shown(csv_text(ACTION_COLUMNS, rows, header=self._header)))
            self._header = False
        elif self._output == "json":
            say(shown("".join(f"{json.dumps(row)}\n" for row in rows)))
        else:
            self._rows += rows

    def end(self) -> None:
        """Print what is left."""
        if self._output == "table":
            say(self._table())

    def _table(self) -> str:
        tables = WideTables(sys.stdout, whole=self._wide)
        with tables.console.capture() as capture:
            if not self._rows:
                tables.console.print("No actions.")
            else:
                title = f"{len(self._rows)} SIM card action{'s' * (len(self._rows) > 1)}"
                account = ["account"] * (self._accounts > 1)
                names = ("created (UTC)", *account, "action", "SIM card", "reason")
                table = tables.table(title, (*names, *["action ID"] * self._wide))
                tables.keep_whole(table.columns[0], ["2026-01-01"])
                for row in self._rows:
                    table.add_row(*self._cells(row, tables))
                tables.show(table)
        return capture.get()

    def _cells(self, row: Values, tables: WideTables) -> Iterator[str]:
        def cell(*lines: object) -> str:
            return tables.cell(
                *lines if tables.folds else (" ".join(map(str, filter(None, lines))),)
            )

        created = str(row["created_at"] or "")
        yield cell(created[:_DAY], created[_DAY + 1 : 19])
        if self._accounts > 1:
            yield cell(row["account"])
        yield cell(row["action_type"], row["status"])
        yield cell(row["iccid"] or row["sim_card_id"], row["sim_card_group"])
        yield cell(row["reason_class"], shortened(row["reason"]))
        if self._wide:
            yield cell(row["action_id"])
