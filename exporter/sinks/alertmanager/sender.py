"""Sends alerts to one Alertmanager: its queue, batches, retries, and what it refuses.

It must not know why an alert is sent, and holds up nobody: `put` returns at once.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urljoin

import httpx
import msgspec

from exporter.clock import Clock
from exporter.errors import DeliveryError, ExporterError
from exporter.sanitize import one_line, redacted
from exporter.sinks.alertmanager.alerts import Alert, Labels, is_of
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.sinks.alertmanager.names import Names
from exporter.telnyx.proxy import LAST_PORT
from exporter.telnyx.trust import explain_refusal
from exporter.version import __version__

API = "/api/v2/alerts"

BATCH = 64
"""Alerts in one request, as Prometheus sends them."""

QUEUE = 10_000
"""Alerts that wait for one Alertmanager, unless more are active at a time."""

TIMEOUT = 10.0
"""Seconds that a request may take."""

FIRST_RETRY = 1.0
LAST_RETRY = 30.0
"""Seconds until a failed request is tried again; doubled each time, up to the second."""

REFUSALS = 16
"""Refused alerts in a row that make a defect of the receiver, and not of the alerts."""

_BODY = 4096
"""Bytes of an answer that are read."""

_SHOWN = 200
_REDIRECTS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}
_KEEPS_BODY = {307, 308}
_BY_CONTENT = {400, 413, 422}
_BY_KEY = {401, 403, 407}


@dataclass(slots=True)
class TargetStats:
    """What became of the alerts for one target, of all its addresses."""

    sent: int = 0
    errors: int = 0
    last_success: float = 0.0


class SenderLog(Protocol):
    """Who writes down how sending goes."""

    def alertmanager_failed(self, target: str, address: str, error: str) -> None:
        """Write down that an Alertmanager takes no alerts."""

    def alertmanager_recovered(self, target: str, address: str) -> None:
        """Write down that it does again."""

    def alert_refused(self, target: str, labels: Mapping[str, str], error: str) -> None:
        """Write down that it refuses a single alert."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""


class _ContentRefusedError(DeliveryError):
    """The content of a request was refused."""


class Sender:
    """Sends to one address of a target; an empty ``address``: to whichever of its name answers."""

    def __init__(  # one for each thing that it needs
        self,
        target: str,
        address: str,
        stats: TargetStats,
        config: Callable[[], Awaitable[HttpConfig]],
        names: Names,
        clock: Clock,
        log: SenderLog,
    ) -> None:
        """Start; ``config`` returns the settings that are in effect."""
        self._target, self._address = target, address
        self._stats = stats
        self._config = config
        self._names = names
        self._clock = clock
        self._log = log
        self._pending: dict[Labels, Alert] = {}
        self._batch: dict[Labels, Alert] = {}
        self._most, self._valid_for = QUEUE, 240.0
        self._probe = False
        self._refused: set[Labels] = set()
        self._waiting = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures = 0
        self._reported = False
        self._client: tuple[HttpConfig, str, httpx.AsyncClient] | None = None
        self._task = asyncio.ensure_future(self._run())

    @property
    def failing(self) -> bool:
        """Tell whether the last request failed."""
        return self._failures > 0

    def put(self, alerts: Iterable[Alert], *, valid_for: float, most: int) -> None:
        """Send alerts soon; one that waits keeps its place and gets its newer state.

        Without any, an empty request shows whether alerts would be accepted.
        An active one ends ``valid_for`` seconds after it was sent, unless it is sent again. Above
        ``most`` waiting alerts the oldest are dropped.
        """
        self._valid_for, self._most = valid_for, most
        # One that waits keeps its place: a slow target would else get the first ones for ever.
        self._pending |= {alert.labels: alert for alert in alerts}
        self._drop_oldest()
        self._probe = not self._pending
        self._idle.clear()
        self._waiting.set()

    def forget(self, account: str) -> None:
        """Send no more of what waits of an account: what it says may soon be wrong."""
        for waiting in (self._pending, self._batch):
            for labels in [each.labels for each in waiting.values() if is_of(each, account)]:
                del waiting[labels]

    async def settle(self) -> None:
        """Wait until nothing waits any more."""
        await self._idle.wait()

    async def close(self) -> None:
        """End at once."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._close_client()

    def _drop_oldest(self) -> None:
        surplus = len(self._pending) - self._most
        for labels in [*self._pending][: max(0, surplus)]:
            del self._pending[labels]
        self._stats.errors += max(0, surplus)

    async def _run(self) -> None:
        while True:
            if not self._pending and not self._probe:
                self._idle.set()
                self._waiting.clear()
                await self._waiting.wait()
            try:
                accepted = await self._send_some()
            except Exception as exc:  # noqa: BLE001 # a defect here must not end the sending
                self._failed(exc)
                wait = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
                await self._clock.sleep(wait)
            else:
                if accepted:
                    self._succeeded()

    async def _send_some(self) -> bool:
        """Send the alerts that wait longest; tell whether a request was accepted.

        Raises DeliveryError; then they still wait.
        """
        if not self._pending:
            await self._post(())
            self._probe = False
            self._stats.last_success = self._clock.now()
            return True
        suspect = next(iter(self._pending)) in self._refused
        batch = self._batch = {}
        for labels, alert in self._pending.items():
            # One that was refused before goes alone, so that the others need not be split.
            if len(batch) < (1 if suspect else BATCH) and (labels in self._refused) == suspect:
                batch[labels] = alert
        for labels in batch:
            del self._pending[labels]
        try:
            return await self._deliver([*batch.values()])
        except BaseException:
            self._pending = batch | self._pending  # a newer state stays
            self._drop_oldest()
            raise

    async def _deliver(self, batch: Sequence[Alert]) -> bool:
        """Send a batch; one that is refused is split until the odd alerts are found.

        Tells whether a request was accepted.
        """
        accepted = False
        parts = [batch]
        refused = 0
        while parts:
            part = parts.pop()
            try:
                await self._post(part)
            except _ContentRefusedError as exc:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                    continue
                refused += 1
                if refused > REFUSALS:
                    self._stats.errors += sum(map(len, parts))
                    raise DeliveryError(str(exc)) from exc
                self._refuse(part[0], str(exc))
            except DeliveryError:
                self._stats.errors += len(part)
                raise
            else:
                accepted = True
                self._stats.sent += len(part)
                self._stats.last_success = self._clock.now()
                self._refused.difference_update(each.labels for each in part)
        return accepted

    def _refuse(self, alert: Alert, error: str) -> None:
        self._stats.errors += 1
        if alert.labels not in self._refused:
            if len(self._refused) >= self._most:
                self._refused.clear()
            self._refused.add(alert.labels)
            self._log.alert_refused(self._target, dict(alert.labels), error)

    async def _post(self, alerts: Sequence[Alert]) -> None:
        """Send one request. Raises DeliveryError."""
        config = await self._config()
        now = self._clock.now()
        body = msgspec.json.encode([_wire(each, now, self._valid_for) for each in alerts])
        try:
            async with asyncio.timeout(TIMEOUT):
                status, text = await self._ask(config, body)
        except TimeoutError:
            raise DeliveryError(f"no answer within {TIMEOUT:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
            raise DeliveryError(explain_failure(exc, self._target, config)) from exc
        if httpx.codes.is_success(status):
            return
        words = explain_status(status, text, config)
        raise _ContentRefusedError(words) if status in _BY_CONTENT else DeliveryError(words)

    async def _ask(self, config: HttpConfig, body: bytes) -> tuple[int, str]:
        url = f"{self._target}{API}"
        for _ in range(_REDIRECTS):
            response = await self._opened_response(config, url, body)
            try:
                text = b""
                async for chunk in response.aiter_raw():
                    text += chunk
                    if len(text) > _BODY:
                        break
            finally:
                await response.aclose()
            location = response.headers.get("location")
            if response.status_code not in _KEEPS_BODY or not location:
                return response.status_code, text.decode("utf-8", "replace")
            if not config.follow_redirects:
                return response.status_code, "a redirect, and follow_redirects is false"
            try:
                there = httpx.URL(urljoin(url, location))
                sound = there.scheme in {"http", "https"} and bool(there.host)
            except (ValueError, httpx.InvalidURL):
                sound = False
            if not sound or not 0 < (there.port or 1) <= LAST_PORT:
                raise DeliveryError("redirect to an invalid URL; check the target")
            url = str(there)
        raise DeliveryError("too many redirects; check the target")

    async def _opened_response(self, config: HttpConfig, url: str, body: bytes) -> httpx.Response:
        """Send the request to the first address that can be connected to, of a proxy if need be."""
        named = httpx.URL(url)
        proxy = config.proxies.get(self._target)
        hop = named if proxy is None else httpx.URL(proxy.url)
        host, port = hop.raw_host.decode("ascii"), hop.port or DEFAULT_PORTS[hop.scheme]
        addresses: Sequence[str] = (self._address,)
        if proxy is not None or not self._address or not self._is_own(named):
            addresses = await self._names.addresses(host, port)
        if proxy is not None and hop.scheme == "https":
            addresses = ("",)  # its certificate can only be verified with the name connected to
        for number, address in enumerate(addresses, 1):
            client = await self._opened(config, "" if proxy is None else address)
            request = self._request(config, client, named, address if proxy is None else "", body)
            if len(addresses) > 1:  # one that does not answer must leave time for the next
                request.extensions["timeout"]["connect"] = TIMEOUT / (len(addresses) + 1)
            try:
                response = await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                self._names.prefer(host, port, address)
                return response
        raise DeliveryError("there is no address to connect to; check the target")

    def _request(
        self,
        config: HttpConfig,
        client: httpx.AsyncClient,
        named: httpx.URL,
        address: str,
        body: bytes,
    ) -> httpx.Request:
        """Build the request; the credentials go to the host of the target only."""
        own = self._is_own(named)
        headers = {"content-type": "application/json", "host": named.netloc.decode("ascii")}
        if own and config.authorization:
            headers["authorization"] = config.authorization
        sni = config.server_name if own else ""
        connected = named
        if address and address != named.host:
            # The certificate is verified with the name, though the address is connected to.
            connected = named.copy_with(host=address)
            sni = sni or named.raw_host.decode("ascii")
        extensions = {"sni_hostname": sni} if sni else {}
        return client.build_request(
            "POST", connected, content=body, headers=headers, extensions=extensions
        )

    def _is_own(self, url: httpx.URL) -> bool:
        target = httpx.URL(self._target)
        return (url.scheme, url.raw_host, url.port) == (
            target.scheme,
            target.raw_host,
            target.port,
        )

    async def _opened(self, config: HttpConfig, proxy_address: str) -> httpx.AsyncClient:
        wanted = (config, proxy_address)
        if self._client is None or self._client[:2] != wanted:
            await self._close_client()
            found = config.proxies.get(self._target)
            proxy = None if found is None else httpx.Proxy(found.url)
            if proxy is not None and proxy_address:
                proxy.url = proxy.url.copy_with(host=proxy_address)
            client = httpx.AsyncClient(
                headers={
                    "accept": "application/json",
                    "accept-encoding": "identity",
                    "user-agent": f"telnyx-sim-exporter/{__version__}",
                },
                timeout=TIMEOUT,
                follow_redirects=False,
                trust_env=False,
                proxy=proxy,
                verify=config.trust,
            )
            self._client = (*wanted, client)
        return self._client[2]

    async def _close_client(self) -> None:
        if self._client is not None:
            *_, client = self._client
            self._client = None
            await client.aclose()

    def _failed(self, exc: Exception) -> None:
        self._failures += 1
        if self._reported:
            return
        self._reported = True
        if isinstance(exc, ExporterError):
            self._log.alertmanager_failed(self._target, self._address, str(exc))
        else:
            self._log.crashed("all", exc)

    def _succeeded(self) -> None:
        self._failures = 0
        if self._reported:
            self._reported = False
            self._log.alertmanager_recovered(self._target, self._address)


def explain_failure(exc: Exception, target: str, config: HttpConfig) -> str:
    """Return in one line why a request to a target failed, without secrets."""
    refused: BaseException | None = exc
    while refused is not None and not isinstance(refused, ssl.SSLCertVerificationError):
        refused = refused.__cause__ or refused.__context__
    if refused is not None:
        return explain_refusal(
            refused,
            strict=False,
            unknown_issuer="set tls_config.ca_file in alertmanager.config_file to its CA",
            other_host="check the target, or set tls_config.server_name",
        )
    if target in config.proxies:
        variable = config.proxies[target].variable
        return f"connection through the proxy in {variable} failed ({type(exc).__name__})"
    return one_line(f"connection failed: {str(exc) or type(exc).__name__}")[:_SHOWN]


def explain_status(status: int, text: str, config: HttpConfig) -> str:
    """Return in one line what the answer of a target says that is no success, without secrets."""
    shown = one_line(redacted(text, config.secrets)).strip()[:_SHOWN]
    words = f"HTTP {status}{': ' if shown else ''}{shown}"
    if status in _BY_KEY:
        words += "; check basic_auth or authorization in alertmanager.config_file"
    elif status == httpx.codes.NOT_FOUND:
        words += "; check the path of the target"
    return words


def _wire(alert: Alert, now: float, valid_for: float) -> dict[str, object]:
    """Return an alert as the API takes it, whatever the clock says that dated its problem."""
    end = now + valid_for if alert.resolved_at is None else min(alert.resolved_at, now)
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _time(max(0.0, min(alert.starts_at, end, now))),
        "endsAt": _time(max(0.0, end)),
        **({"generatorURL": alert.url} if alert.url else {}),
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
