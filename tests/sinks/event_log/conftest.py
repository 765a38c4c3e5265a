"""Journals that write into memory, and what there is to tell."""

from collections.abc import Callable, Iterable

import pytest

from exporter.config import LogFormat, LogLevel
from exporter.sinks.event_log import EventLog
from tests.log_stream import LogStream, open_log

SECRET = "KEY0123456789abcdef_SECRET"
FORMS = [LogFormat.JSON, LogFormat.LOGFMT, LogFormat.CONSOLE]

Open = Callable[..., tuple[EventLog, LogStream]]


@pytest.fixture
def open_one() -> Open:
    """Give an opener of journals on streams in memory."""

    def make(
        form: LogFormat = LogFormat.JSON,
        level: LogLevel = LogLevel.INFO,
        secrets: Iterable[str] = (),
        stream: LogStream | None = None,
    ) -> tuple[EventLog, LogStream]:
        return open_log(stream, level=level, form=form, secrets=lambda: secrets)

    return make
