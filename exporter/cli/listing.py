"""What the commands that list the ledger share: options, how filters are given, how rows are shown.

It must not read the ledger, nor know what is listed.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import click

from exporter.cli.options import FILE
from exporter.cli.output import say, shown
from exporter.config import Settings
from exporter.errors import QueryError
from exporter.ledger.listings import Values, csv_text
from exporter.sanitize import excerpt, one_line
from exporter.web.addresses import sim_card_page
from exporter.web.page import SHOWN_CHARACTERS

TABLE_ROWS = 500
"""Rows of a table without a limit: more is for programs, and takes seconds."""

CONFIG_OPTION = click.option(
    "--config.file",
    "config_file",
    type=FILE,
    help="Configuration file (YAML). Without it, the defaults: the state in the working directory.",
)

FORMAT_OPTION = click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output; json is one object a line.",
)

WIDE_OPTION = click.option(
    "--wide", is_flag=True, help="Do not fold the table to the width of the terminal."
)

_DAY = len("2026-01-01")

_RowT = TypeVar("_RowT")


def given_filters(filters: Mapping[str, str | None]) -> dict[str, str]:
    """Return the filters that are given; raises click.UsageError for an empty one."""
    for name, value in filters.items():
        if value == "":
            raise click.UsageError(f"{_flag(name)}: is empty; leave it out for all")
    return {name: value for name, value in filters.items() if value is not None}


@contextmanager
def naming_flags() -> Iterator[None]:
    """Raise a QueryError, which begins with the name of a parameter, as one about its flag."""
    try:
        yield
    except QueryError as exc:
        name, _, text = str(exc).partition(":")
        raise click.UsageError(one_line(f"{_flag(name)}:{text}")) from exc


def sim_card_url(settings: Settings, sim_card_id: str) -> str:
    """Return the public address of the page of a SIM card; empty without one, or an ID."""
    base = settings.web.external_url
    return f"{base.rstrip('/')}/{sim_card_page(sim_card_id)}" if base and sim_card_id else ""


def shortened(reason: object) -> str:
    """Return as much of a reason as a table shows."""
    return excerpt(str(reason), SHOWN_CHARACTERS)


def day_and_time(at: object) -> tuple[str, str]:
    """Return the parts of a time of a row; empty for none."""
    text = str(at or "")
    return text[:_DAY], text[_DAY + 1 : 19]


class Printer(Generic[_RowT]):
    """Prints rows as JSON lines or CSV as they come; keeps those of a table."""

    def __init__(
        self, output: str, columns: Sequence[str], values: Callable[[_RowT], Values]
    ) -> None:
        """Print values of ``columns``, or keep them as ``rows`` for the table of ``output``."""
        self.rows: list[Values] = []
        self._output = output
        self._columns = columns
        self._values = values
        self._header = True

    def take(self, found: Sequence[_RowT]) -> None:
        """Take rows in."""
        rows = [self._values(row) for row in found]
        if self._output == "csv":
            say(shown(csv_text(self._columns, rows, header=self._header)))
            self._header = False
        elif self._output == "json":
            say(shown("".join(f"{json.dumps(row)}\n" for row in rows)))
        else:
            self.rows += rows


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
