"""`check-config`: report all errors in a configuration file."""

import os
from pathlib import Path

import click

from exporter.cli.options import FILE
from exporter.cli.output import say
from exporter.config import load
from exporter.errors import ConfigError
from exporter.ledger.views import unwatched_note, view_of
from exporter.network import find_network
from exporter.sanitize import one_line
from exporter.web.web_config import load as load_web_config


@click.command("check-config", short_help="Report all errors in a configuration file.")
@click.argument("file", type=FILE)
def command(file: Path) -> None:
    """Report all errors in the configuration FILE with their location; exit with 1 if any.

    Environment variables for proxies and certificates are checked too. Notes are no errors.
    """
    settings = load(file, os.environ)
    mistakes: list[str] = []
    try:
        if settings.web.config_file is not None:
            load_web_config(Path(settings.web.config_file))
    except ConfigError as exc:
        mistakes += exc.mistakes
    try:
        find_network(settings)
    except ConfigError as exc:
        mistakes += exc.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    say(one_line(f"{file}: valid, {len(settings.accounts)} account(s)") + "\n")
    for index, scope in enumerate(view_of(settings).accounts):
        if scope.unwatched:
            place = f"{file}: note: accounts[{index}]"
            say(one_line(f"{place}: {unwatched_note(scope.unwatched)}") + "\n")
