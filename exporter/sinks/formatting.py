"""How a log event becomes a line: logfmt, JSON or for a console; one line, without secrets.

It must not decide what is logged, nor write it.
"""

import logging
from collections.abc import Callable, Iterable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.config import LogFormat
from exporter.sanitize import one_line, redacted

ESCAPE = "\x1b"
"""The character that begins the colors of a terminal."""

STAMPED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
"""What puts level and time into an event."""


def line_renderers(
    form: LogFormat, *, terminal: bool, encoding: str, secrets: Callable[[], Iterable[str]]
) -> tuple[Processor, ...]:
    """Return what makes the finished line of an event that is stamped.

    ``secrets`` returns the values that are struck out of every line, asked for at each: the last
    line of defence behind not logging them in the first place.
    """
    console = form is LogFormat.CONSOLE or (form is LogFormat.AUTO and terminal)
    colors = console and terminal

    def finished(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
        text = redacted(str(line), secrets())  # by now it is one
        return one_line(text, kept=ESCAPE if colors else "", encoding=encoding)

    return (*_renderers(form, console=console, colors=colors), finished)


def library_formatter(renderers: Iterable[Processor]) -> logging.Formatter:
    """Return a formatter of the records of libraries, whose lines look as our own."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*STAMPED, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )


def _renderers(form: LogFormat, *, console: bool, colors: bool) -> tuple[Processor, ...]:
    # Before all else: the console's own way prints local variables, keys among them.
    trace = structlog.processors.format_exc_info
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, sort_keys=False)
        return (trace, _without_colors, renderer) if colors else (trace, renderer)
    if form is LogFormat.JSON:
        return trace, structlog.processors.JSONRenderer(ensure_ascii=False)
    return trace, structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])


def _without_colors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what would switch colors: on a terminal only our own may."""
    return {
        key: value.replace(ESCAPE, one_line(ESCAPE)) if isinstance(value, str) else value
        for key, value in event.items()
    }
