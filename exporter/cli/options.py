"""Options that several commands share, and what they are turned into."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from exporter.app import Exporter
from exporter.clock import SystemClock
from exporter.config import LOG_LEVELS, LogFormat, Settings, from_environment, load
from exporter.sinks.event_log import EventLog, open_event_log

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


def read_settings(config_file: Path | None) -> Settings:
    """Return the settings in a file, or in the environment without one."""
    return from_environment(os.environ) if config_file is None else load(config_file, os.environ)


def build_exporter(settings: Settings, read: Callable[[], Settings]) -> tuple[Exporter, EventLog]:
    """Build the exporter and its event log, each of which needs the other."""
    built: list[Exporter] = []
    event_log = open_event_log(
        level=settings.log.level,
        form=settings.log.format,
        stream=sys.stderr,
        secrets=lambda: built[0].secrets() if built else (),
    )
    built.append(Exporter(settings, load=read, clock=SystemClock(), event_log=event_log))
    return built[0], event_log
