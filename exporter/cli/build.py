"""The exporter that `run` and `once` use, from a file or the environment."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from exporter.app import Exporter
from exporter.clock import SystemClock
from exporter.config import Settings, from_environment, load
from exporter.sinks.event_log import EventLog
from exporter.sinks.logging_setup import open_event_log


def read_settings(config_file: Path | None) -> Settings:
    """Return the settings in a file, or in the environment without one."""
    return from_environment(os.environ) if config_file is None else load(config_file, os.environ)


def build_exporter(
    settings: Settings, read: Callable[[], Settings], *, visiting: bool = False
) -> tuple[Exporter, EventLog]:
    """Build the exporter and its event log, each of which needs the other; as in `Exporter`."""
    built: list[Exporter] = []
    event_log = open_event_log(
        level=settings.log.level,
        form=settings.log.format,
        stream=sys.stderr,
        secrets=lambda: built[0].secrets() if built else (),
    )
    built.append(
        Exporter(settings, load=read, clock=SystemClock(), event_log=event_log, visiting=visiting)
    )
    return built[0], event_log
