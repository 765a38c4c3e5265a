"""What the commands that read the ledger share: its settings, and the reader of its file.

It must not build an exporter: those commands work beside one, and need no API key.
"""

import os
from pathlib import Path

from exporter.config import Settings, from_environment, load
from exporter.errors import UsageError
from exporter.ledger.store.protocol import ActionReader
from exporter.state import open_reader as reader_of

TIMEOUT = 30.0
"""Seconds that a query may take: longer than for the page, which has a browser waiting."""


def read_settings(config_file: Path | None) -> Settings:
    """Return the settings in a file, or the defaults without one; the API keys are left out."""
    if config_file is None:
        return from_environment(os.environ, with_keys=False)
    return load(config_file, os.environ, with_keys=False)


def open_reader(settings: Settings) -> ActionReader:
    """Return the reader of the state; raises UsageError if it is in memory."""
    reader = reader_of(settings, timeout=TIMEOUT)
    if reader is None:
        raise UsageError(
            "state.url: the state is kept in the memory of the exporter, where no other program "
            "can read it; set state.url to a file, or use the page of the exporter"
        )
    return reader
