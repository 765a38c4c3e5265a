import json
import logging
import re
from collections.abc import Callable

import pytest

from exporter.config import LogFormat, LogLevel
from exporter.domain import BulkCounts, Event, EventType
from exporter.errors import Cause
from exporter.sinks.event_log import EventLog
from exporter.sinks.logging_setup import QUIET_LIBRARIES
from tests.log_stream import LogStream, log_action

SECRET = "KEY0123456789abcdef_SECRET"
FORMS = [LogFormat.JSON, LogFormat.LOGFMT, LogFormat.CONSOLE]

Open = Callable[..., tuple[EventLog, LogStream]]
Failure = Callable[..., Event]


@pytest.mark.parametrize("event_type", [EventType.FAILED, EventType.INTERRUPTED, EventType.STUCK])
def test_an_action_is_told_with_all_that_is_known(
    open_one: Open, event_type: EventType, failure: Failure
) -> None:
    """The event has its name, level and every field; times are ISO 8601 in UTC."""
    event_log, stream = open_one()
    log_action(event_log, failure(event_type=event_type))
    event = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.pop("timestamp"))
    assert event == {
        "event": event_type.value,
        "level": "warning",
        "account": "default",
        "action_id": "a-1",
        "sim_card_id": "s-1",
        "action_type": "enable",
        "status": "failed",
        "reason": "SIM card is blocked",
        "reason_class": "sim_blocked",
        "created_at": "2026-08-01T12:00:05.000+00:00",
        "updated_at": "2026-08-01T12:01:05.250+00:00",
        "duration_seconds": 60.25,
        "iccid": "8931086000000000012",
        "sim_card_group": "Meters, north",
        "tags": "meter,north",
        "attempts": 2,
    }


def test_the_end_of_a_bulk_action_is_told(open_one: Open, failure: Failure) -> None:
    """The line says how its members ended."""
    event_log, stream = open_one()
    members = BulkCounts(completed=7, failed=2, interrupted=1)
    log_action(event_log, failure(event_type=EventType.BULK_ENDED, members=members))
    event = json.loads(stream.getvalue())
    del event["timestamp"]
    assert event == {
        "event": "bulk_action_ended",
        "level": "info",
        "account": "default",
        "bulk_id": "a-1",
        "action_type": "enable",
        "created_at": "2026-08-01T12:00:05.000+00:00",
        "duration_seconds": 60.25,
        "completed": 7,
        "failed": 2,
        "interrupted": 1,
    }


def test_a_mended_problem_is_told(open_one: Open, failure: Failure) -> None:
    """The line says since when it was open, and what mended it; a SIM card may have no name."""
    event_log, stream = open_one()
    mended = failure(
        event_type=EventType.MENDED,
        concern="connectivity",
        opened_at=1785585665.25,
        iccid="",
        sim_card_group="",
        tags=(),
    )
    log_action(event_log, mended)
    event = json.loads(stream.getvalue())
    del event["timestamp"]
    assert event == {
        "event": "problem_mended",
        "level": "info",
        "account": "default",
        "sim_card_id": "s-1",
        "concern": "connectivity",
        "action_id": "a-1",
        "action_type": "enable",
        "opened_at": "2026-08-01T12:01:05.250+00:00",
        "duration_seconds": 60.25,
        "iccid": None,
        "sim_card_group": None,
        "tags": None,
        "attempts": 2,
    }


def test_what_is_not_known_is_null(open_one: Open, failure: Failure) -> None:
    """An action without times, or with times that are no dates, is told all the same."""
    event_log, stream = open_one()
    log_action(event_log, failure(created_at=None, updated_at=1e18, duration_seconds=None))
    event = json.loads(stream.getvalue())
    assert (event["created_at"], event["updated_at"]) == (None, "1e+18")
    assert event["duration_seconds"] is None


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (LogLevel.DEBUG, ["poll_recovered", "sim_card_action_failed", "warned", "poll_failed"]),
        (LogLevel.INFO, ["poll_recovered", "sim_card_action_failed", "warned", "poll_failed"]),
        (LogLevel.WARNING, ["sim_card_action_failed", "warned", "poll_failed"]),
        (LogLevel.ERROR, ["poll_failed"]),
    ],
)
def test_levels_hold_for_all(
    open_one: Open, level: LogLevel, told: list[str], failure: Failure
) -> None:
    """What is less severe is left out; libraries speak from warnings upwards only."""
    event_log, stream = open_one(level=level)
    event_log.poll_recovered("default")
    log_action(event_log, failure())
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).info("chatter")
    logging.getLogger("httpx").warning("warned")
    event_log.poll_failed("default", Cause.AUTH, "refused")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == told


def test_each_mistake_of_a_reload_is_told(open_one: Open) -> None:
    """A refused configuration is one event for each of its mistakes."""
    event_log, stream = open_one()
    event_log.reload_refused(["a: is wrong", "b: is wrong"])
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(each["event"], each["problem"]) for each in told] == [
        ("configuration_refused", "a: is wrong"),
        ("configuration_refused", "b: is wrong"),
    ]


@pytest.mark.parametrize(
    ("tell", "expected"),
    [
        pytest.param(
            lambda event_log: event_log.started("http://localhost:1", ["a", "b"]),
            {
                "event": "started",
                "level": "info",
                "address": "http://localhost:1",
                "accounts": "a,b",
            },
            id="started",
        ),
        pytest.param(
            lambda event_log: event_log.stopped(),
            {"event": "stopped", "level": "info"},
            id="stopped",
        ),
        pytest.param(
            lambda event_log: event_log.reloaded(),
            {"event": "configuration_reloaded", "level": "info"},
            id="reloaded",
        ),
        pytest.param(
            lambda event_log: event_log.not_found("a", 3),
            {"event": "actions_not_found", "level": "warning", "account": "a", "count": 3},
            id="not found",
        ),
        pytest.param(
            lambda event_log: event_log.baseline_taken("a", 7),
            {"event": "baseline_taken", "level": "info", "account": "a", "in_progress": 7},
            id="baseline",
        ),
    ],
)
def test_other_events_have_their_fields(
    open_one: Open, tell: Callable[[EventLog], None], expected: dict[str, object]
) -> None:
    """Each event is told by its name, with what belongs to it and nothing else."""
    event_log, stream = open_one()
    tell(event_log)
    event = json.loads(stream.getvalue())
    event.pop("timestamp")
    assert event == expected
