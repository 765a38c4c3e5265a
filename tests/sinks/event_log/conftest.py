"""Journals that write into memory, and what there is to tell."""

import logging
from collections.abc import Callable, Iterable, Iterator

import pytest

from exporter.config import LogFormat, LogLevel
from exporter.sinks.event_log import EventLog
from exporter.sinks.logging_setup import QUIET_LIBRARIES
from tests.log_stream import LogStream, open_log

SECRET = "KEY0123456789abcdef_SECRET"
FORMS = [LogFormat.JSON, LogFormat.LOGFMT, LogFormat.CONSOLE]

Open = Callable[..., tuple[EventLog, LogStream]]


@pytest.fixture
def open_one() -> Iterator[Open]:
    """Give an opener of journals on streams in memory; logging is as before in the end."""
    loggers = [logging.getLogger(name) for name in ("", *QUIET_LIBRARIES)]
    before = [(each, each.level, list(each.handlers)) for each in loggers]

    def make(
        form: LogFormat = LogFormat.JSON,
        level: LogLevel = LogLevel.INFO,
        secrets: Iterable[str] = (),
        stream: LogStream | None = None,
    ) -> tuple[EventLog, LogStream]:
        return open_log(stream, level=level, form=form, secrets=lambda: secrets)

    yield make
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
