"""Hold the table of log events to what the journal writes."""

import inspect
import re
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from exporter.domain import Event, EventType
from exporter.errors import Cause
from exporter.sinks.event_log import EventLog
from tests.docs.documents import names, page, section, table

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
    )


@pytest.fixture
def logged() -> list[tuple[str, str, set[str]]]:
    """Let a journal tell of everything it can, and give name, level and fields of each event."""
    capture = LogCapture()
    journal = EventLog(
        structlog.wrap_logger(
            None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
    )
    values: dict[str, Any] = {
        "account": "a",
        "action_type": "all",
        "accounts": ["a"],
        "address": "http://127.0.0.1",
        "cause": Cause.AUTH,
        "client": "192.0.2.1:1",
        "count": 1,
        "commits": 1,
        "error": "e",
        "file": "state.db",
        "in_progress": 1,
        "limit": 1,
        "order": "newest",
        "problems": ["p"],
        "seconds": 8.0,
        "size": 1,
        "status": "all",
    }
    for event_type in EventType:
        journal.action(an_event(event_type))
    for name, method in inspect.getmembers(journal, inspect.ismethod):
        if not name.startswith("_") and name != "action":
            method(*(values[parameter] for parameter in inspect.signature(method).parameters))
    journal.web_config([])  # another event than with mistakes
    return [
        (each["event"], each["log_level"], each.keys() - {"event", "log_level"})
        for each in capture.entries
    ]


def test_log_events_are_those_of_the_code(logged: list[tuple[str, str, set[str]]]) -> None:
    """Every event of the journal is listed with its level, and no other."""
    shown = {(name, level) for cell, level, _ in table(LOG) for name in names(cell)}
    assert shown == {(name, level) for name, level, _ in logged}


def test_fields_of_actions_are_those_of_the_code(logged: list[tuple[str, str, set[str]]]) -> None:
    """The fields that the log lines of actions carry are listed."""
    text = re.search(r"The first three carry (.*?)\. ", LOG, re.DOTALL)
    assert text is not None
    fields = set(names(text[1]))
    assert [found for name, _, found in logged if name in set(EventType)] == [fields] * 3
