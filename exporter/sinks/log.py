"""The log as a sink: a line for each event, which counts as delivered once it is written."""

import asyncio
from collections.abc import Sequence

from exporter.domain import Event
from exporter.sinks.event_log import EventLog


class LogSink:
    """Writes events to the log."""

    name = "log"

    def __init__(self, event_log: EventLog) -> None:
        """Write the lines of ``event_log``, in between its others."""
        self._event_log = event_log
        self._writing = False

    async def deliver(self, events: Sequence[Event]) -> None:
        """Write a line for each event, but for those below the log's level."""
        lines = map(self._event_log.action_line, events)
        self._writing = True
        try:
            await asyncio.wrap_future(self._event_log.writer.deliver(lines))
        finally:
            self._writing = False

    async def close(self) -> None:
        """Wait for no reader any more, if a delivery does."""
        if self._writing:
            self._event_log.writer.give_up()
