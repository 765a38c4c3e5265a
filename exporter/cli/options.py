"""Options that several commands share, and the examples at the end of their help."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from exporter.config import LOG_LEVELS, LogFormat


def examples(*pairs: tuple[str, str]) -> str:
    """Return the end of a help text: what each command line does, and the command line."""
    lines = (f"  # {what}\n  {line}" for what, line in pairs)
    # The mark keeps click from folding the lines.
    return "\n".join(("\b", "Examples:", *lines))


def suggesting(
    values: Iterable[str],
) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes an option to the usual ones of its values: others are valid, too."""
    known = sorted(set(values))
    return lambda _context, _option, begun: [each for each in known if each.startswith(begun)]


# Loading the settings reports why a file cannot be read.
FILE = click.Path(path_type=Path, readable=False)
CONFIG_OPTION = click.option(
    "--config.file",
    "config_file",
    type=FILE,
    help="Configuration file (YAML). Without it, the API key is read from TELNYX_API_KEY.",
)
LEVEL_OPTION = click.option(
    "--log.level",
    "log_level",
    type=click.Choice(LOG_LEVELS),
    help="Log level; overrides the configuration file.",
)
FORMAT_OPTION = click.option(
    "--log.format",
    "log_format",
    type=click.Choice([each.value for each in LogFormat]),
    help="Log format; overrides the configuration file. auto: console on a terminal, else logfmt.",
)
