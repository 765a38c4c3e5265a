"""Hold the catalogue of log events, from which the documentation is written, to what is logged."""

import inspect
import re
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from exporter.domain import BulkCounts, Event, EventType
from exporter.errors import Cause
from exporter.sinks.event_log import EventLog
from exporter.sinks.log_events import ACTION_FIELDS, LOG_EVENTS
from exporter.sinks.writer import LogWriter
from exporter.sync.progress import Progress, Stage
from tests.docs.documents import names, page, section, table
from tests.log_stream import LogStream

LOG = section(page("operations"), "Log")


def an_event(event_type: EventType) -> Event:
    """Make an event of a kind."""
    return Event(
        event_type=event_type,
        account="a",
        action_id="b",
        sim_card_id="c",
        action_type="enable",
        status="failed",
        reason="r",
        reason_class="other",
        created_at=1.0,
        updated_at=2.0,
        duration_seconds=1.0,
        members=BulkCounts(),
    )


@pytest.fixture
def logged() -> list[tuple[str, str, tuple[str, ...]]]:
    """Let a log tell of everything it can, and give name, level and fields of each event."""
    capture = LogCapture()
    logger = structlog.wrap_logger(
        None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    event_log = EventLog(logger, LogWriter(LogStream()))
    values: dict[str, Any] = {
        "account": "a",
        "action_type": "all",
        "accounts": ["a"],
        "address": "http://127.0.0.1",
        "cause": Cause.AUTH,
        "client": "192.0.2.1:1",
        "count": 1,
        "commits": 1,
        "epoch": 2,
        "error": "e",
        "file": "state.db",
        "holder_before": "host-1",
        "in_progress": 1,
        "progress": Progress(1, Stage.CATCH_UP, 1, 2, 1.0),
        "labels": {"alertname": "x", "account": "a", "sim_card_id": "s"},
        "limit": 1,
        "order": "newest",
        "reason": "expired",
        "mistakes": ["p"],
        "seconds": 8.0,
        "sink": "log",
        "size": 1,
        "status": "all",
        "target": "http://alertmanager.example.org:9093",
    }
    for event_type in EventType:
        event_log.action_line(an_event(event_type))
    for name, method in inspect.getmembers(event_log, inspect.ismethod):
        if not name.startswith("_") and name not in {"action_line", "flush"}:
            method(*(values[parameter] for parameter in inspect.signature(method).parameters))
    event_log.web_config([])  # another event than with mistakes
    event_log.alertmanager_config([])
    return [
        (
            each["event"],
            each["log_level"],
            tuple(
                "exception" if field == "exc_info" else field
                for field in each
                if field not in {"event", "log_level"}
            ),
        )
        for each in capture.entries
    ]


def test_the_catalogue_has_what_is_logged(logged: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Every event is there with its level and its fields, and no other."""
    assert sorted(logged) == sorted(
        (each.name, each.level.value, each.fields) for each in LOG_EVENTS
    )


def test_the_table_has_every_event() -> None:
    """Each event of the catalogue is listed with its level and its meaning."""
    shown = [(names(cell), level, meaning) for cell, level, meaning in table(LOG)]
    assert shown == [((each.name,), each.level.value, each.help) for each in LOG_EVENTS]


def test_fields_of_actions_are_listed() -> None:
    """The first three events of the table carry them."""
    text = re.search(r"The first three carry (.*?)\. ", LOG, re.DOTALL)
    assert text is not None
    assert names(text[1]) == ACTION_FIELDS
    assert [each.fields for each in LOG_EVENTS[:3]] == [ACTION_FIELDS] * 3
