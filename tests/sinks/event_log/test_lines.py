import json
import logging
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import LogFormat
from exporter.domain import Event
from exporter.errors import Cause
from exporter.sanitize import REDACTED
from exporter.sinks.event_log import EventLog
from tests.log_stream import LogStream, log_action

SECRET = "KEY0123456789abcdef_SECRET"
FORMS = [LogFormat.JSON, LogFormat.LOGFMT, LogFormat.CONSOLE]

Open = Callable[..., tuple[EventLog, LogStream]]
Failure = Callable[..., Event]


class Terminal(LogStream):
    """A stream that says that people look at it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def send(key: str) -> None:
    """Fail as an HTTP library does that quotes what it was to send."""
    raise ValueError(f"illegal header: Bearer {key}")


class Ascii(LogStream):
    """A stream that takes nothing but ASCII."""

    encoding = "ascii"

    def write(self, text: str) -> int:
        """Refuse the rest."""
        return super().write(text.encode("ascii", "strict").decode("ascii"))


@pytest.mark.parametrize("form", FORMS)
def test_a_line_fits_the_encoding(open_one: Open, form: LogFormat, failure: Failure) -> None:
    """What the encoding of the stream does not have is escaped so that JSON stays JSON."""
    event_log, stream = open_one(form, stream=Ascii())
    log_action(event_log, failure("déjà \U0001f4f5 \udcff"))
    (line,) = stream.getvalue().splitlines()
    if form is LogFormat.JSON:
        assert json.loads(line)["reason"] == "déjà \U0001f4f5 \udcff"
    else:
        assert r"d\u00e9j\u00e0 \ud83d\udcf5 \udcff" in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("one\ntwo\r\nthree", id="line breaks"),
        pytest.param("a\x00b\x07c\x1b[31md\x7f\x9b31m", id="control characters"),
        pytest.param("a\u2028b\u2029c\x85d\x0be\x0cf", id="unicode line breaks"),
        pytest.param("\u202egnp.exe \u200b\ufeff", id="invisible characters"),
        pytest.param("\\n \\ \" ' = {} %s", id="quotes and backslashes"),
    ],
)
def test_an_event_is_one_line(
    open_one: Open, form: LogFormat, reason: str, failure: Failure
) -> None:
    """Whatever a reason holds, it can neither begin a line nor steer a terminal."""
    event_log, stream = open_one(form)
    log_action(event_log, failure(reason))
    logging.getLogger("somebody").warning("said: %s", reason)
    event_log.poll_recovered("default")
    told = stream.getvalue().splitlines()
    assert len(told) == 3
    assert all(line.isprintable() for line in told)
    assert "poll_recovered" in told[2]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reason", ["x" * 5000, "Überlänge: 漢字 🙂"])
def test_a_reason_is_told_whole(
    open_one: Open, form: LogFormat, reason: str, failure: Failure
) -> None:
    """Nothing is cut off, and what can be printed is printed as it is."""
    event_log, stream = open_one(form)
    log_action(event_log, failure(reason))
    assert reason in stream.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_a_reason_can_be_read_back(open_one: Open, text: str, failure: Failure) -> None:
    """From JSON, and from a quoted logfmt value, a program gets the very reason back."""
    reason = f"said {text}"
    event_log, stream = open_one(LogFormat.JSON)
    log_action(event_log, failure(reason))
    assert json.loads(stream.getvalue())["reason"] == reason
    event_log, stream = open_one(LogFormat.LOGFMT)
    log_action(event_log, failure(reason))
    found = re.search(r' reason=("(?:[^"\\]|\\.)*") ', stream.getvalue())
    assert found
    assert json.loads(found[1]) == reason


@pytest.mark.parametrize("form", FORMS)
def test_a_defect_is_told_with_its_trace_in_one_line(open_one: Open, form: LogFormat) -> None:
    """The trace names the place and the error, without variables, in which keys may stand."""
    event_log, stream = open_one(form, secrets=[SECRET])
    try:
        send(SECRET)
    except ValueError as exc:
        event_log.crashed("default", exc)
    (line,) = stream.getvalue().splitlines()
    assert "internal_error" in line
    assert "test_lines.py" in line
    assert f"illegal header: Bearer {REDACTED}" in line
    assert line.count(REDACTED) == 1
    assert SECRET[:12] not in line


@pytest.mark.parametrize("form", FORMS)
def test_secrets_are_struck_out_whoever_logs_them(open_one: Open, form: LogFormat) -> None:
    """Neither our own events, nor libraries, nor their traces show a secret that is known."""
    known = [""]
    event_log, stream = open_one(form, secrets=known)
    known.append(SECRET)  # asked for at each line: keys change
    event_log.poll_failed("default", Cause.AUTH, f"refused {SECRET}.")
    logging.getLogger("httpx").warning("sent %s twice: %s", SECRET, SECRET)
    try:
        send(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("broken")
    told = stream.getvalue().splitlines()
    assert len(told) == 3
    assert [line.count(REDACTED) for line in told] == [1, 2, 1]
    assert not [line for line in told if SECRET in line]


def test_auto_is_logfmt_for_programs(open_one: Open) -> None:
    """Where nobody looks, time, level and event come first, then the rest, as logfmt."""
    event_log, stream = open_one(LogFormat.AUTO)
    event_log.poll_failed("default", Cause.AUTH, "HTTP 401: refused")
    pattern = (
        r"timestamp=\S+ level=error event=poll_failed account=default cause=auth "
        r'error="HTTP 401: refused"\n'
    )
    assert re.fullmatch(pattern, stream.getvalue())


def test_auto_is_for_people_on_a_terminal(open_one: Open, failure: Failure) -> None:
    """A terminal gets colors, but only ours: those in a reason are shown as text."""
    event_log, stream = open_one(LogFormat.AUTO, stream=Terminal())
    log_action(event_log, failure("red\x1b[31malert\x1b]0;title\x07"))
    (line,) = stream.getvalue().splitlines()
    assert "\x1b[" in line
    assert "\x1b[31malert" not in line
    assert "\x1b]" not in line
    assert "\x07" not in line
    assert "alert" in line


def test_no_colors_in_a_file(open_one: Open) -> None:
    """The console form asked for, but written to a file, has no colors."""
    event_log, stream = open_one(LogFormat.CONSOLE)
    event_log.poll_recovered("default")
    assert stream.getvalue().isascii()
    assert "\x1b" not in stream.getvalue()
    assert "poll_recovered" in stream.getvalue()
