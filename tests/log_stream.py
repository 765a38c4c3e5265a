"""Logs that are written into memory; who reads one waits until what was logged is there."""

import io
from collections.abc import Callable, Iterable

from exporter.config import LogFormat, LogLevel
from exporter.domain import Event
from exporter.sinks.event_log import EventLog
from exporter.sinks.logging_setup import open_event_log

WITHIN = 30.0


class LogStream(io.StringIO):
    """What was logged; to read it waits for the thread that writes."""

    event_log: EventLog | None = None

    def getvalue(self) -> str:
        """Return all that was logged before."""
        if self.event_log is not None:
            self.event_log.writer.flush().result(WITHIN)
        return super().getvalue()


def open_log(
    stream: LogStream | None = None,
    *,
    level: LogLevel = LogLevel.INFO,
    form: LogFormat = LogFormat.JSON,
    secrets: Callable[[], Iterable[str]] = tuple,
) -> tuple[EventLog, LogStream]:
    """Set up logging of the whole process to a stream in memory."""
    stream = LogStream() if stream is None else stream
    stream.event_log = open_event_log(level=level, form=form, stream=stream, secrets=secrets)
    return stream.event_log, stream


def log_action(event_log: EventLog, event: Event) -> None:
    """Log an event of an action, and wait until it is written."""
    event_log.writer.deliver([event_log.action_line(event)]).result(WITHIN)
