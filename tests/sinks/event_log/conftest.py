"""Journals that write into memory, and what there is to tell."""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from exporter.config import LogFormat, LogLevel
from exporter.domain import Event, EventType
from exporter.sinks.event_log import QUIET_LIBRARIES, EventLog, open_event_log

SECRET = "KEY0123456789abcdef_SECRET"
FORMS = [LogFormat.JSON, LogFormat.LOGFMT, LogFormat.CONSOLE]

Open = Callable[..., tuple[EventLog, io.StringIO]]


@pytest.fixture
def open_one() -> Iterator[Open]:
    """Give an opener of journals on streams in memory; logging is as before in the end."""
    loggers = [logging.getLogger(name) for name in ("", *QUIET_LIBRARIES)]
    before = [(each, each.level, list(each.handlers)) for each in loggers]

    def make(
        form: LogFormat = LogFormat.JSON,
        level: LogLevel = LogLevel.INFO,
        secrets: Iterable[str] = (),
        stream: io.StringIO | None = None,
    ) -> tuple[EventLog, io.StringIO]:
        into = io.StringIO() if stream is None else stream
        return open_event_log(level=level, form=form, stream=into, secrets=lambda: secrets), into

    yield make
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def failure() -> Callable[..., Event]:
    """Give a maker of events of a failure."""

    def make(reason: str = "SIM card is blocked", **changes: Any) -> Event:
        values: dict[str, Any] = {
            "event_type": EventType.FAILED,
            "account": "default",
            "action_id": "a-1",
            "sim_card_id": "s-1",
            "action_type": "enable",
            "status": "failed",
            "reason": reason,
            "reason_class": "sim_blocked",
            "created_at": 1_785_585_605.0,
            "updated_at": 1_785_585_665.25,
            "duration_seconds": 60.250_049,
        }
        return Event(**{**values, **changes})

    return make
