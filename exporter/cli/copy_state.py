"""`copy-state`: copy the state to another database, counters and all."""

import click

from exporter.cli.options import examples
from exporter.cli.output import say
from exporter.config import read_password_file, read_state
from exporter.errors import UsageError
from exporter.ledger.store.copying import copy_ledger, open_side

SHOWN_EVERY = 50_000
"""Rows of a table between two lines that say how far it is."""


@click.command(
    "copy-state",
    short_help="Copy the state to another database, counters and all.",
    epilog=examples(
        (
            "From a file to a database",
            "telnyx-sim-exporter copy-state --from sqlite:///state.db --to postgresql://db/telnyx",
        ),
    ),
)
@click.option("--from", "source", required=True, metavar="URL", help="The state.url to copy.")
@click.option("--to", "target", required=True, metavar="URL", help="The state.url to create.")
@click.option(
    "--password-file",
    metavar="FILE",
    help="File with the password of the PostgreSQL database, as in state.password_file.",
)
def command(source: str, target: str, password_file: str | None) -> None:
    """Copy the state from SQLite to PostgreSQL or back, counters and all.

    Stop the exporter first: nothing else may use either database while this runs. The source is
    kept, and its tables are updated to this release. The target must have no state yet. Afterwards,
    set state.url to the target.
    """
    old = read_state("--from", source, password_file)
    new = read_state("--to", target, password_file)
    if password_file is not None:
        if not (old.shared or new.shared):
            raise UsageError("--password-file: is for PostgreSQL, which neither URL names")
        try:
            read_password_file(password_file)
        except ValueError as exc:
            raise UsageError(f"--password-file: {exc}") from exc
    if old.url == new.url:
        raise UsageError("--to: is what --from names; name another database")

    def progress(table: str, count: int) -> None:
        if count % SHOWN_EVERY == 0:
            click.echo(f"{table}: {count:,} rows so far", err=True)

    counts = copy_ledger(
        open_side(old.url, old.password_file, source=True),
        open_side(new.url, new.password_file, source=False),
        progress,
    )
    total = sum(counts.values())
    say(
        f"copied {total:,} rows: {counts['accounts']:,} accounts, {counts['actions']:,} actions, "
        f"{counts['sums']:,} sums, {counts['problems']:,} problems, "
        f"{counts['sim_cards']:,} SIM cards, {counts['outbox']:,} events\n"
    )
