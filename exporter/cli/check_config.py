"""`check-config`: report all errors in a configuration file."""

import os
from collections.abc import Callable
from pathlib import Path

import click

from exporter.cli.options import FILE, examples
from exporter.cli.output import say
from exporter.config import Settings, load
from exporter.errors import ConfigError
from exporter.ledger.views import unwatched_note, view_of
from exporter.network import find_alertmanager, find_network
from exporter.sanitize import one_line
from exporter.web.web_config import load as load_web_config


@click.command(
    "check-config",
    short_help="Report all errors in a configuration file.",
    epilog=examples(
        (
            "Before the exporter is started, or reloaded",
            "telnyx-sim-exporter check-config config.yaml",
        ),
    ),
)
@click.argument("file", type=FILE)
def command(file: Path) -> None:
    """Report all errors in the configuration FILE with their location; exit with 1 if any.

    Environment variables for proxies and certificates are checked too. Notes are not errors.
    """
    settings = load(file, os.environ)
    mistakes = other_mistakes(settings)
    if mistakes:
        raise ConfigError(mistakes)
    say(one_line(f"{file}: valid, {len(settings.accounts)} account(s)") + "\n")
    for index, scope in enumerate(view_of(settings).accounts):
        if scope.unwatched:
            place = f"{file}: note: accounts[{index}]"
            say(one_line(f"{place}: {unwatched_note(scope.unwatched)}") + "\n")


def other_mistakes(settings: Settings) -> list[str]:
    """Return the mistakes in the files that the settings name, and in the environment."""
    mistakes: list[str] = []
    web_file = settings.web.config_file
    checks: tuple[Callable[[], object], ...] = (
        lambda: None if web_file is None else load_web_config(Path(web_file)),
        lambda: find_alertmanager(settings),
        lambda: find_network(settings),
    )
    for check in checks:
        try:
            check()
        except ConfigError as exc:
            mistakes += exc.mistakes
    return mistakes
