"""Sets up the logging of the whole process: the exporter's own log, and that of libraries."""

import logging
from collections.abc import Callable, Iterable
from copy import copy
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from exporter.config import LogFormat, LogLevel
from exporter.sinks.event_log import EventLog
from exporter.sinks.formatting import STAMPED, library_formatter, line_renderers
from exporter.sinks.repeat_filter import RepeatFilter
from exporter.sinks.writer import LogWriter

QUIET_LIBRARIES = ("apscheduler", "asyncio", "httpcore", "httpx", "uvicorn")
"""Loggers that are heard from warnings upwards: what they do is told by the exporter itself."""


def open_event_log(
    *, level: LogLevel, form: LogFormat, stream: TextIO, secrets: Callable[[], Iterable[str]]
) -> EventLog:
    """Set up logging of the whole process to ``stream``, and return the exporter's own log.

    Libraries log to the same stream, from warnings upwards, and one line of a kind a second.
    ``secrets`` returns the values that are struck out, asked for at each line, on any thread.
    """
    renderers = line_renderers(
        form, terminal=stream.isatty(), encoding=stream.encoding or "utf-8", secrets=secrets
    )
    writer = LogWriter(stream)
    handler = _LibraryHandler(writer)
    repeat_filter = RepeatFilter(handler)
    handler.addFilter(repeat_filter)
    handler.setFormatter(library_formatter(renderers))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.value.upper())
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=[*STAMPED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
    )
    return EventLog(logger, writer, repeat_filter.write_overdue)


class _LibraryHandler(logging.Handler):
    """Hands the records of libraries to the writer of the log."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - its arguments do not fit: what can be told is told
            record = copy(record)
            record.msg, record.args = str(record.msg), None
            line = self.format(record)
        self._writer.write(line)
