"""The exporter's own log: what happened, as structured events, one a line.

It must not decide what is worth telling, how a line looks, or wait until it is written.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from structlog.typing import FilteringBoundLogger

from exporter.config import LogLevel
from exporter.domain import Event
from exporter.errors import Cause
from exporter.metrics.self_metrics import HandshakeCause
from exporter.sinks import log_events
from exporter.sinks.log_events import LogEvent
from exporter.sinks.writer import LogWriter
from exporter.sync.progress import Progress

_LEVELS = {each: logging.getLevelNamesMapping()[each.value.upper()] for each in LogLevel}


class EventLog:
    """Logs what happened. For any thread."""

    def __init__(
        self,
        logger: FilteringBoundLogger,
        writer: LogWriter,
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        """Let ``logger`` return the lines of events (None below its level), and write them.

        ``before_each`` is called before a line is written.
        """
        self._logger = logger
        self.writer = writer
        self._before_each = before_each

    def action_line(self, event: Event) -> str | None:
        """Return the line of an action with its whole reason, for `LogSink` to write."""
        kind = log_events.ACTION_EVENTS[event.event_type]
        values = {
            **msgspec.structs.asdict(event),
            "created_at": _iso(event.created_at),
            "updated_at": _iso(event.updated_at),
            "opened_at": _iso(event.opened_at),
            "duration_seconds": _rounded(event.duration_seconds),
            "iccid": event.iccid or None,
            "sim_card_group": event.sim_card_group or None,
            "tags": ",".join(event.tags) or None,
            "bulk_id": event.action_id,
        }
        if event.members is not None:
            values |= msgspec.structs.asdict(event.members)
        return self._line(kind, **{name: values[name] for name in kind.fields})

    def poll_failed(self, account: str, cause: Cause, error: str) -> None:
        """Tell that an account cannot be polled any more, or for another cause than before."""
        self._write(log_events.POLL_FAILED, account=account, cause=cause.value, error=error)

    def poll_recovered(self, account: str) -> None:
        """Tell that an account can be polled again."""
        self._write(log_events.POLL_RECOVERED, account=account)

    def crashed(self, account: str, error: BaseException) -> None:
        """Tell of a defect of this program, with its trace."""
        self._write(log_events.INTERNAL_ERROR, account=account, exc_info=error)

    def not_found(self, account: str, count: int) -> None:
        """Tell that the API's total promises actions that its listing does not show."""
        self._write(log_events.ACTIONS_NOT_FOUND, account=account, count=count)

    def totals_missing(self, account: str) -> None:
        """Tell that the API does not say how many actions there are, which the gauges go by."""
        self._write(log_events.TOTALS_MISSING, account=account)

    def sweep_given_up(self, account: str, error: str) -> None:
        """Tell that a list which drifted cannot be read again for now."""
        self._write(log_events.SWEEP_GIVEN_UP, account=account, error=error)

    def list_order(self, account: str, action_type: str, status: str, order: str) -> None:
        """Tell how a list is sorted; one without order costs requests."""
        self._write(
            log_events.LIST_ORDER_FOUND,
            logging.WARNING if order == "none" else None,
            account=account,
            action_type=action_type or "all",
            status=status or "all",
            order=order,
        )

    def baseline_taken(self, account: str, in_progress: int) -> None:
        """Tell that an account was polled for the first time."""
        self._write(log_events.BASELINE_TAKEN, account=account, in_progress=in_progress)

    def catching_up(self, account: str, progress: Progress) -> None:
        """Tell how far a poll is that reads many actions."""
        left = progress.seconds_left
        self._write(
            log_events.CATCHING_UP,
            account=account,
            stage=progress.stage,
            done=progress.done,
            total=progress.total,
            seconds_left=None if left is None else round(left),
        )

    def lookup_failed(self, account: str, error: str) -> None:
        """Tell that SIM cards of an account cannot be looked up."""
        self._write(log_events.SIM_CARD_LOOKUP_FAILED, account=account, error=error)

    def lookup_recovered(self, account: str) -> None:
        """Tell that they can again."""
        self._write(log_events.SIM_CARD_LOOKUP_RECOVERED, account=account)

    def bulks_failed(self, account: str, error: str) -> None:
        """Tell that bulk actions of an account cannot be read."""
        self._write(log_events.BULK_LOOKUP_FAILED, account=account, error=error)

    def bulks_recovered(self, account: str) -> None:
        """Tell that they can again."""
        self._write(log_events.BULK_LOOKUP_RECOVERED, account=account)

    def delivery_failed(self, account: str, sink: str, error: str) -> None:
        """Tell that a sink takes no events of an account."""
        self._write(log_events.DELIVERY_FAILED, account=account, sink=sink, error=error)

    def delivery_recovered(self, account: str, sink: str) -> None:
        """Tell that a sink takes the events of an account again."""
        self._write(log_events.DELIVERY_RECOVERED, account=account, sink=sink)

    def alertmanager_failed(self, target: str, address: str, error: str) -> None:
        """Tell that an Alertmanager takes no alerts."""
        self._write(log_events.ALERTMANAGER_FAILED, target=target, address=address, error=error)

    def alertmanager_recovered(self, target: str, address: str) -> None:
        """Tell that an Alertmanager takes alerts again."""
        self._write(log_events.ALERTMANAGER_RECOVERED, target=target, address=address)

    def alert_refused(self, target: str, labels: Mapping[str, str], error: str) -> None:
        """Tell that an Alertmanager refuses a single alert, given by its labels."""
        self._write(
            log_events.ALERT_REFUSED,
            target=target,
            alertname=labels.get("alertname"),
            account=labels.get("account"),
            sim_card_id=labels.get("sim_card_id"),
            error=error,
        )

    def alertmanager_config(self, mistakes: Iterable[str]) -> None:
        """Tell that the file with Alertmanager's HTTP settings changed, as `web_config` does."""
        found = tuple(mistakes)
        for mistake in found:
            self._write(log_events.ALERTMANAGER_CONFIGURATION_REFUSED, problem=mistake)
        if not found:
            self._write(log_events.ALERTMANAGER_CONFIGURATION_RELOADED)

    def state_began_anew(self, file: str) -> None:
        """Tell that the state database is gone: every account begins at 0."""
        self._write(log_events.STATE_BEGAN_ANEW, file=file)

    def state_went_back(self, file: str, commits: int) -> None:
        """Tell that an older copy of the state database is in its place."""
        self._write(log_events.STATE_WENT_BACK, file=file, commits=commits)

    def state_exposed(self, file: str) -> None:
        """Tell that other users may read the state database."""
        self._write(log_events.STATE_EXPOSED, file=file, advice=f"chmod o= {file}*")

    def state_log_large(self, file: str, size: int) -> None:
        """Tell that a program which reads the state database keeps its log from being emptied."""
        self._write(log_events.STATE_LOG_LARGE, file=file, bytes=size)

    def lease_acquired(self, account: str, epoch: int, holder_before: str) -> None:
        """Tell that this process polls an account from now on, and who did before, if anybody."""
        fields: dict[str, object] = {"from": holder_before or None}
        self._write(log_events.LEASE_ACQUIRED, None, account=account, epoch=epoch, **fields)

    def lease_released(self, account: str, epoch: int, reason: str) -> None:
        """Tell that this process let an account go, and why."""
        self._write(log_events.LEASE_RELEASED, account=account, epoch=epoch, reason=reason)

    def lease_lost(self, account: str, epoch: int, reason: str) -> None:
        """Tell that this process may not poll an account any more, and why."""
        self._write(log_events.LEASE_LOST, account=account, epoch=epoch, reason=reason)

    def leases_unavailable(self, error: str) -> None:
        """Tell that leases cannot be read or renewed."""
        self._write(log_events.LEASES_UNAVAILABLE, error=error)

    def leases_available(self) -> None:
        """Tell that they can again."""
        self._write(log_events.LEASES_AVAILABLE)

    def ledger_replaced(self, reason: str) -> None:
        """Tell that the ledger in the database is an older one, or another."""
        self._write(log_events.LEDGER_REPLACED, reason=reason)

    def started(self, address: str, accounts: Iterable[str]) -> None:
        """Tell that the exporter serves."""
        self._write(log_events.STARTED, address=address, accounts=",".join(accounts))

    def stopped(self) -> None:
        """Tell that the exporter stopped in order."""
        self._write(log_events.STOPPED)

    def stop_forced(self, seconds: float) -> None:
        """Tell that the exporter did not stop in order in time, and wait until that is written."""
        self._write(log_events.STOP_FORCED, seconds=seconds)
        self.writer.flush().result()

    def reloaded(self) -> None:
        """Tell that the configuration was read again and holds."""
        self._write(log_events.CONFIGURATION_RELOADED)

    def reload_refused(self, mistakes: Iterable[str]) -> None:
        """Tell that a new configuration is wrong; the old one goes on."""
        for mistake in mistakes:
            self._write(log_events.CONFIGURATION_REFUSED, problem=mistake)

    def web_config(self, mistakes: Iterable[str]) -> None:
        """Tell that the web configuration changed: its mistakes, or that it holds now."""
        found = tuple(mistakes)
        for mistake in found:
            self._write(log_events.WEB_CONFIGURATION_REFUSED, problem=mistake)
        if not found:
            self._write(log_events.WEB_CONFIGURATION_RELOADED)

    def connections_limited(self, limit: int) -> None:
        """Tell that more connections want in than may be open: idle ones are closed for them."""
        self._write(log_events.CONNECTIONS_LIMITED, limit=limit)

    def tls_handshake_failed(self, client: str, cause: HandshakeCause, error: str) -> None:
        """Tell that a client, given by its address, could not set up TLS."""
        self._write(log_events.TLS_HANDSHAKE_FAILED, client=client, cause=cause.value, error=error)

    async def flush(self, seconds: float) -> None:
        """Wait until all that was logged is written, for at most ``seconds``."""
        written = asyncio.wrap_future(self.writer.flush())
        await asyncio.wait({written}, timeout=seconds)
        written.cancel()

    def _write(self, event: LogEvent, level: int | None = None, **fields: object) -> None:
        self._before_each()
        line = self._line(event, level, **fields)
        if line is not None:
            self.writer.write(line)

    def _line(self, event: LogEvent, level: int | None = None, **fields: object) -> str | None:
        line: str | None = self._logger.log(level or _LEVELS[event.level], event.name, **fields)
        return line


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
