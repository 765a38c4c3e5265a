"""The journal: one event a line on stderr, for people and for log stores.

It words and writes what happened; it must not decide what is worth telling, nor keep state.
Values of known secrets are struck out of every line, whoever logs it: the last line of defence
behind not logging them in the first place.
"""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from exporter.config import LogFormat, LogLevel
from exporter.domain import Event
from exporter.errors import Cause
from exporter.metrics.self_metrics import HandshakeCause
from exporter.sinks.repeat_filter import RepeatFilter

NAME = "exporter"
"""The logger of the journal among those of the libraries."""

REDACTED = "[secret]"

ESCAPE = "\x1b"
"""The character that begins the colors of a terminal."""

QUIET_LIBRARIES = ("apscheduler", "asyncio", "httpcore", "httpx", "uvicorn")
"""Loggers that are heard from warnings upwards: what they do is told by the journal itself."""


class EventLog:
    """Tells of what happened, as structured log events."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        """Write to ``logger``."""
        self._log = logger

    def action(self, event: Event) -> None:
        """Tell of one action: failed, interrupted or stuck, with its whole reason."""
        self._log.warning(
            event.event_type.value,
            account=event.account,
            action_id=event.action_id,
            sim_card_id=event.sim_card_id,
            action_type=event.action_type,
            status=event.status,
            reason=event.reason,
            reason_class=event.reason_class,
            created_at=_iso(event.created_at),
            updated_at=_iso(event.updated_at),
            duration_seconds=_rounded(event.duration_seconds),
        )

    def poll_failed(self, account: str, cause: Cause, error: str) -> None:
        """Tell that an account cannot be polled any more, or for another cause than before."""
        self._log.error("poll_failed", account=account, cause=cause.value, error=error)

    def poll_recovered(self, account: str) -> None:
        """Tell that an account can be polled again."""
        self._log.info("poll_recovered", account=account)

    def crashed(self, account: str, error: BaseException) -> None:
        """Tell of a defect of this program, with its trace."""
        self._log.error("internal_error", account=account, exc_info=error)

    def not_found(self, account: str, count: int) -> None:
        """Tell that the API's total promises actions that its listing does not show."""
        self._log.warning("actions_not_found", account=account, count=count)

    def totals_missing(self, account: str) -> None:
        """Tell that the API does not say how many actions there are, which the gauges go by."""
        self._log.warning("totals_missing", account=account)

    def sweep_given_up(self, account: str, error: str) -> None:
        """Tell that a list which drifted cannot be read again for now."""
        self._log.warning("sweep_given_up", account=account, error=error)

    def list_order(self, account: str, action_type: str, status: str, order: str) -> None:
        """Tell how a list is sorted; one without order costs requests."""
        self._log.log(
            logging.WARNING if order == "none" else logging.INFO,
            "list_order_found",
            account=account,
            action_type=action_type or "all",
            status=status or "all",
            order=order,
        )

    def baseline_taken(self, account: str, in_progress: int) -> None:
        """Tell that an account was polled for the first time."""
        self._log.info("baseline_taken", account=account, in_progress=in_progress)

    def state_began_anew(self, file: str) -> None:
        """Tell that the state database is gone: every account begins at 0."""
        self._log.warning("state_began_anew", file=file)

    def state_went_back(self, file: str, commits: int) -> None:
        """Tell that an older copy of the state database is in its place."""
        self._log.warning("state_went_back", file=file, commits=commits)

    def state_exposed(self, file: str) -> None:
        """Tell that other users may read the state database."""
        self._log.warning("state_exposed", file=file, advice=f"chmod o= {file}*")

    def state_log_large(self, file: str, size: int) -> None:
        """Tell that a program which reads the state database keeps its log from being emptied."""
        self._log.warning("state_log_large", file=file, bytes=size)

    def started(self, address: str, accounts: Iterable[str]) -> None:
        """Tell that the exporter serves."""
        self._log.info("started", address=address, accounts=",".join(accounts))

    def stopped(self) -> None:
        """Tell that the exporter stopped in order."""
        self._log.info("stopped")

    def stop_forced(self, seconds: float) -> None:
        """Tell that the exporter did not stop in order in time: something hangs."""
        self._log.error("stop_forced", seconds=seconds)

    def reloaded(self) -> None:
        """Tell that the configuration was read again and holds."""
        self._log.info("configuration_reloaded")

    def reload_refused(self, problems: Iterable[str]) -> None:
        """Tell that a new configuration is wrong; the old one goes on."""
        for problem in problems:
            self._log.error("configuration_refused", problem=problem)

    def web_config(self, problems: Iterable[str]) -> None:
        """Tell that the web configuration changed: its mistakes, or that it holds now."""
        wrong = tuple(problems)
        for problem in wrong:
            self._log.error("web_configuration_refused", problem=problem)
        if not wrong:
            self._log.info("web_configuration_reloaded")

    def connections_limited(self, limit: int) -> None:
        """Tell that more connections want in than may be open: idle ones are closed for them."""
        self._log.warning("connections_limited", limit=limit)

    def tls_handshake_failed(self, client: str, cause: HandshakeCause, error: str) -> None:
        """Tell that a client, given by its address, could not set up TLS."""
        self._log.debug("tls_handshake_failed", client=client, cause=cause.value, error=error)


def open_event_log(
    *, level: LogLevel, form: LogFormat, stream: TextIO, secrets: Callable[[], Iterable[str]]
) -> EventLog:
    """Set up logging of the whole process to ``stream``, and return the journal.

    Libraries log through the same handler, from warnings upwards, and one line of a kind a second.
    ``secrets`` returns the values that are struck out, asked for at each line.
    """
    console = form is LogFormat.CONSOLE or (form is LogFormat.AUTO and stream.isatty())
    colors = console and stream.isatty()
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatFilter(NAME, handler))
    handler.setFormatter(
        _Formatter(
            secrets,
            kept=ESCAPE if colors else "",
            encoding=stream.encoding or "utf-8",
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(form, console=console, colors=colors),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.value.upper())
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logger: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger(NAME),
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
    )
    return EventLog(logger)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Makes the finished line: one line, whatever foreign text is in it, and without secrets."""

    def __init__(
        self, secrets: Callable[[], Iterable[str]], *, kept: str, encoding: str, **options: Any
    ) -> None:
        super().__init__(**options)
        self._secrets = secrets
        self._kept = kept
        self._encoding = encoding

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets():
            if secret:
                line = line.replace(secret, REDACTED)
        return one_line(line, kept=self._kept, encoding=self._encoding)


def one_line(text: str, *, kept: str = "", encoding: str = "utf-8") -> str:
    """Escape line breaks and other control characters as JSON does, but for those ``kept``.

    What ``encoding`` does not have is escaped too, so that a line of JSON stays one.
    """
    if text.isprintable() and _fits(text, encoding):
        return text
    return "".join(
        letter
        if (letter.isprintable() or letter in kept) and _fits(letter, encoding)
        else json.dumps(letter)[1:-1]
        for letter in text
    )


def _fits(text: str, encoding: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _renderers(form: LogFormat, *, console: bool, colors: bool) -> list[Processor]:
    """Return what makes one line of an event."""
    # Before all else: the console's own way prints local variables, keys among them.
    trace = structlog.processors.format_exc_info
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, sort_keys=False)
        return [trace, _without_colors, renderer] if colors else [trace, renderer]
    if form is LogFormat.JSON:
        return [trace, structlog.processors.JSONRenderer(ensure_ascii=False)]
    order = ["timestamp", "level", "event"]
    return [trace, structlog.processors.LogfmtRenderer(key_order=order)]


def _without_colors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what would switch colors: on a terminal only our own may."""
    return {
        key: value.replace(ESCAPE, one_line(ESCAPE)) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _rounded(seconds: float | None) -> float | None:
    """Round to milliseconds, which is all that the API tells."""
    return None if seconds is None else round(seconds, 3)


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(at)
