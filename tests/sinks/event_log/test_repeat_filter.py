import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from exporter.sinks.event_log import EventLog
from exporter.sinks.repeat_filter import SECONDS, RepeatFilter
from tests.log_stream import LogStream

Open = Callable[..., tuple[EventLog, LogStream]]

LIBRARIES = ["asyncio", "uvicorn.error", "sqlalchemy.pool", "apscheduler.executors", "httpx"]


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock at 0."""
    return Clock()


@pytest.fixture
def stream() -> LogStream:
    """Give what is written to."""
    return LogStream()


@pytest.fixture
def handler(clock: Clock, stream: LogStream) -> logging.Handler:
    """Give a handler with the filter."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatFilter(handler, clock))
    return handler


@pytest.fixture
def log(handler: logging.Handler) -> Callable[..., None]:
    """Give what logs a text as a library, through the handler."""
    handler.setFormatter(logging.Formatter("%(message)s %(left_out)s", defaults={"left_out": 0}))

    def write(text: str, name: str = "asyncio", level: int = logging.ERROR) -> None:
        handler.handle(logging.LogRecord(name, level, "", 0, text, None, None))

    return write


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_writes_one_line_of_a_kind(open_one: Open, name: str) -> None:
    """A thousand errors with traces in a row are one line, whichever library it is."""
    _, stream = open_one()
    error = OSError(24, "Too many open files")
    for _ in range(1000):
        logging.getLogger(name).error("socket.accept() out of system resource", exc_info=error)
    assert len(stream.getvalue().splitlines()) <= 2


def test_the_next_line_says_how_many_were_left_out(
    log: Callable[..., None], clock: Clock, stream: LogStream
) -> None:
    """After a second one more is written, with the number of those before it."""
    for _ in range(10):
        log("again")
    clock.now = 1.0
    log("again")
    assert stream.getvalue().splitlines() == ["again 0", "again 9"]


def test_what_was_left_out_is_said_though_no_next_one_comes(
    log: Callable[..., None], handler: logging.Handler, clock: Clock, stream: LogStream
) -> None:
    """Whatever is logged next brings it along, once, be it an event of the exporter's own."""
    (repeat_filter,) = handler.filters
    assert isinstance(repeat_filter, RepeatFilter)
    log("socket 17 is gone\n  trace 1")
    log("socket 18 is gone\n  trace 2")
    clock.now = 5.0
    repeat_filter.write_overdue()
    repeat_filter.write_overdue()
    log("another")
    assert stream.getvalue().splitlines() == [
        "socket 17 is gone",
        "  trace 1 0",
        "socket 0 is gone 1",
        "another 0",
    ]


@pytest.mark.parametrize(
    "other",
    [{"text": "another"}, {"name": "httpx"}, {"level": logging.WARNING}],
    ids=["text", "library", "level"],
)
def test_what_differs_is_written(
    log: Callable[..., None], stream: LogStream, other: dict[str, Any]
) -> None:
    """Another text, library or level is another kind of line."""
    log("some text")
    log(**{"text": "some text", **other})
    assert len(stream.getvalue().splitlines()) == 2


def test_our_own_events_all_pass(open_one: Open) -> None:
    """What the exporter tells is never left out."""
    event_log, stream = open_one()
    for _ in range(10):
        event_log.poll_recovered("default")
    assert len(stream.getvalue().splitlines()) == 10


def test_the_number_is_a_field_of_the_line(open_one: Open) -> None:
    """In JSON it can be read by a program."""
    _, stream = open_one()
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "again", None, None)
    record.left_out = 7
    logging.getLogger("asyncio").handle(record)
    assert json.loads(stream.getvalue())["left_out"] == 7


def test_kinds_are_remembered_in_bounds(
    log: Callable[..., None], clock: Clock, stream: LogStream
) -> None:
    """Ever new texts do not fill the memory: the filter forgets the first."""
    for letter in range(300):
        log("x" * letter)
    log("")
    assert stream.getvalue().splitlines().count(" 0") == 2
    assert clock.now == 0


def test_what_was_left_out_is_said_with_an_event_of_our_own(open_one: Open) -> None:
    """Libraries may fall silent after a storm; the exporter does not."""
    event_log, stream = open_one()
    (handler,) = logging.getLogger().handlers
    (repeat_filter,) = handler.filters
    assert isinstance(repeat_filter, RepeatFilter)
    for _ in range(3):
        logging.getLogger("asyncio").error("again")
    end = time.monotonic() + SECONDS
    while "left_out" not in stream.getvalue() and time.monotonic() < end + 10:
        event_log.poll_recovered("default")
    (said,) = [line for line in stream.getvalue().splitlines() if "left_out" in line]
    assert json.loads(said)["left_out"] == 2


def test_a_record_that_cannot_be_worded_is_told_as_it_is(open_one: Open) -> None:
    """Wrong arguments of a call neither fail in the library nor lose its text."""
    _, stream = open_one()
    logging.getLogger("httpx").warning("%d files", "no number")
    assert json.loads(stream.getvalue())["event"] == "%d files"
