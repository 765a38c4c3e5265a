import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from exporter.sinks.event_log import EventLog
from exporter.sinks.repeat_filter import RepeatFilter

Open = Callable[..., tuple[EventLog, io.StringIO]]

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
def stream() -> io.StringIO:
    """Give what is written to."""
    return io.StringIO()


@pytest.fixture
def log(clock: Clock, stream: io.StringIO) -> Callable[..., None]:
    """Give what logs a text as a library, through a handler with the filter."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatFilter("exporter", handler, clock))
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
    log: Callable[..., None], clock: Clock, stream: io.StringIO
) -> None:
    """After a second one more is written, with the number of those before it."""
    for _ in range(10):
        log("again")
    clock.now = 1.0
    log("again")
    assert stream.getvalue().splitlines() == ["again 0", "again 9"]


def test_what_was_left_out_is_said_though_no_next_one_comes(
    log: Callable[..., None], clock: Clock, stream: io.StringIO
) -> None:
    """Whatever is logged next brings it along, once."""
    log("socket 17 is gone\n  trace 1")
    log("socket 18 is gone\n  trace 2")
    clock.now = 5.0
    log("ours", name="exporter")
    log("ours", name="exporter")
    assert stream.getvalue().splitlines() == [
        "socket 17 is gone",
        "  trace 1 0",
        "socket 0 is gone 1",
        "ours 0",
        "ours 0",
    ]


@pytest.mark.parametrize(
    "other",
    [{"text": "another"}, {"name": "httpx"}, {"level": logging.WARNING}],
    ids=["text", "library", "level"],
)
def test_what_differs_is_written(
    log: Callable[..., None], stream: io.StringIO, other: dict[str, Any]
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
    log: Callable[..., None], clock: Clock, stream: io.StringIO
) -> None:
    """Ever new texts do not fill the memory: the filter forgets the first."""
    for letter in range(300):
        log("x" * letter)
    log("")
    assert stream.getvalue().splitlines().count(" 0") == 2
    assert clock.now == 0


def test_a_record_that_cannot_be_worded_does_not_reach_the_library(open_one: Open) -> None:
    """Logging reports wrong arguments of a call itself; the call does not fail."""
    open_one()
    logging.getLogger("httpx").warning("%d files", "no number")
