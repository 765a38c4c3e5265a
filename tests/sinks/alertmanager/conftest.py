"""Feed the sink with made-up snapshots, and start what it sends to: real ones and odd ones."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_stack.programs import Program, reserve_port, start
from demo_stack.receiver import Notification, NotificationReceiver
from exporter.clock import SystemClock
from exporter.config import Alertmanager
from exporter.domain import Problem, ProblemStatus, ResolvedProblem, SimCard
from exporter.ledger.snapshot import AccountSnapshot, SnapshotOptions, empty_snapshot
from exporter.sinks.alertmanager.http_config import HttpConfigReloader
from exporter.sinks.alertmanager.names import Names
from exporter.sinks.alertmanager.sink import AlertmanagerSink
from tests.log_stream import LogStream, open_log
from tests.web.tls.conftest import Authority

DEADLINE = 30.0
PAGE = "http://exporter.example.org:10874"
OPTIONS = SnapshotOptions((), (), {}, 900.0, ())

ALONE = ("--cluster.listen-address=",)
ROUTE = {
    "receiver": "webhook",
    "group_by": ["..."],
    "group_wait": "100ms",
    "group_interval": "200ms",
    "repeat_interval": "24h",
}


def a_problem(number: int = 1, **changes: Any) -> Problem:
    """Return a problem; the higher the number, the later it opened."""
    values: dict[str, Any] = {
        "sim_card_id": f"sim-{number}",
        "concern": "connectivity",
        "status": ProblemStatus.FAILED,
        "opened_at": 1_785_585_605.0 + number,
        "attempts": 1,
        "action_id": f"action-{number}",
        "action_type": "enable",
        "reason": "SIM card is blocked",
        "reason_class": "sim_blocked",
        "started_at": 1_785_585_600.0,
        "retrying": False,
        "changed_at": 1_785_585_605.0,
    }
    return Problem(**{**values, **changes})


def a_snapshot(
    *problems: Problem,
    resolved: Sequence[ResolvedProblem] = (),
    cards: Sequence[SimCard] = (),
    name: str = "fleet",
) -> AccountSnapshot:
    """Return the snapshot of an account with these problems."""
    return replace(
        empty_snapshot(name, OPTIONS),
        readable=True,
        baselined=True,
        problems=problems,
        resolved_problems=tuple(resolved),
        sim_cards={card.id: card for card in cards},
    )


class Rig:
    """A sink, the snapshots that it sees, and what it logged."""

    def __init__(self) -> None:
        """Begin without accounts and targets; nothing runs yet."""
        self.snapshots: dict[str, AccountSnapshot] = {}
        self.clock = SystemClock()
        self._stream = LogStream()
        self.log, _ = open_log(self._stream)
        self._pacer = threading.Event()
        self.names: dict[str, list[str]] = {}
        self.hanging: set[str] = set()
        self.asked: list[str] = []
        self.lookups = Names(self.clock, self._resolve)
        self.sink = self._built()

    def _built(self, *, shared: bool = False) -> AlertmanagerSink:
        return AlertmanagerSink(
            self.clock, self.log, self.snapshots.values, self._resolve, shared=shared
        )

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        assert port
        self.asked.append(host)
        if host in self.hanging:
            await asyncio.Event().wait()
        return self.names[host]

    def show(self, snapshot: AccountSnapshot) -> None:
        """Publish a snapshot of its account."""
        self.snapshots[snapshot.name] = snapshot

    def configure(
        self, *targets: str, accounts: Sequence[str] = ("fleet",), http: bool = True, **more: Any
    ) -> None:
        """Configure the sink, for the first time or again."""
        settings = Alertmanager.model_validate({"resend_interval": 1.0, **more, "targets": targets})
        file = settings.config_file
        path = None if file is None else Path(file)
        reloader = HttpConfigReloader(path, settings.targets, {}) if http else None
        self.sink.configure(settings, reloader, accounts, PAGE)

    def start_again(self, *, shared: bool = False) -> None:
        """Replace the sink, which was stopped, by one that knows nothing, as a restart does."""
        self.sink = self._built(shared=shared)

    def stats(self, target: str) -> tuple[int, int]:
        """Return how many alerts were sent, and how many failed."""
        stats = self.sink.stats()[target]
        return stats.sent, stats.errors

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds; a look takes as long as the thread of the log needs."""
        async with asyncio.timeout(DEADLINE):
            while not await asyncio.to_thread(holds):
                await asyncio.to_thread(self._pacer.wait, 0.02)

    def errors(self) -> list[dict[str, Any]]:
        """Return the log events of that level, such as defects."""
        lines = (json.loads(line) for line in self._stream.getvalue().splitlines())
        return [event for event in lines if event["level"] == "error"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of that name."""
        lines = (json.loads(line) for line in self._stream.getvalue().splitlines())
        return [event for event in lines if event["event"] == name]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Give a sink, which is stopped at the end."""
    built = Rig()
    yield built
    await built.sink.stop(1.0)


@pytest.fixture(scope="session")
def authority(
    program_path: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Authority:
    """Give a certificate authority; a test that uses it is marked ``program("openssl")``."""
    made = Authority(program_path("openssl"), tmp_path_factory.mktemp("authority"))
    made.found()
    return made


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """Give a maker of problems (`a_problem`)."""
    return a_problem


@pytest.fixture
def snapshot() -> Callable[..., AccountSnapshot]:
    """Give a maker of snapshots (`a_snapshot`)."""
    return a_snapshot


class Server:
    """A receiver of alerts that answers as it is told, on a free port of loopback."""

    def __init__(self) -> None:
        """Answer 200 to everything."""
        self.requests: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.answer: Callable[[list[dict[str, Any]]], tuple[int, str]] = lambda _: (200, "")
        self.headers: dict[str, str] = {}
        self.arrived = asyncio.Condition()
        self.server: asyncio.Server | None = None
        self.url = ""

    async def open(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> str:
        """Listen; return the URL."""
        self.server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        port = self.server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{port}"
        return self.url

    async def close(self) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()

    def alerts(self) -> list[dict[str, Any]]:
        """Return all alerts of all requests."""
        return [alert for _, alerts in self.requests for alert in alerts]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds after a request."""
        async with asyncio.timeout(DEADLINE), self.arrived:
            await self.arrived.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().strip().split("\r\n")
                headers = {
                    name.lower(): value for name, value in (each.split(": ", 1) for each in rest)
                }
                headers["line"] = line
                alerts = json.loads(await reader.readexactly(int(headers["content-length"])))
                status, body = self.answer(alerts)
                more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                more += f"Content-Length: {len(body)}\r\n"
                writer.write(f"HTTP/1.1 {status} X\r\n{more}\r\n{body}".encode())
                await writer.drain()
                async with self.arrived:
                    self.requests.append((headers, alerts))
                    self.arrived.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Give a receiver that is told what to answer; the test opens it."""
    built = Server()
    yield built
    await built.close()


class Receiver:
    """Who is notified by the real Alertmanagers, and these."""

    def __init__(self, folder: Path, program: str, undo: ExitStack) -> None:
        """Listen for notifications; no Alertmanager runs yet."""
        self.notes: list[tuple[str, str]] = []
        self._folder, self._program, self._undo = folder, program, undo
        self._changed = asyncio.Condition()
        self._loop = asyncio.get_running_loop()
        self._receiver = undo.enter_context(closing(NotificationReceiver(self._note)))

    def _note(self, note: Notification) -> None:
        asyncio.run_coroutine_threadsafe(self._add(note), self._loop).result(DEADLINE)

    async def _add(self, note: Notification) -> None:
        async with self._changed:
            for alert in note.body["alerts"]:
                labels = alert["labels"]
                which = labels.get("sim_card_id", labels["alertname"])
                if "status" in labels:
                    which += f" {labels['status']}"
                self.notes.append((alert["status"], which))
            self._changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds after a notification."""
        async with asyncio.timeout(DEADLINE), self._changed:
            await self._changed.wait_for(holds)

    async def told(self, *notes: tuple[str, str]) -> None:
        """Wait until these were notified, and hold that nothing else was."""
        await self.until(lambda: set(notes) <= set(self.notes))
        assert sorted(self.notes) == sorted(notes)

    async def start(
        self, *options: str, port: int = 0, name: str = "am", route: Any = ROUTE, **config: Any
    ) -> tuple[str, Program]:
        """Start an Alertmanager; return its URL and the process."""
        file = self._folder / f"{name}.yml"
        receivers = [
            {"name": "webhook", "webhook_configs": [{"url": f"{self._receiver.url}/webhook"}]}
        ]
        settings = {"route": route, "receivers": receivers, **config}
        file.write_text(json.dumps(settings), encoding="utf-8")
        port = port or reserve_port("Alertmanager", 0)
        alone = () if any("cluster" in each for each in options) else ALONE
        command = (
            self._program,
            f"--config.file={file}",
            f"--storage.path={self._folder / name}",
            f"--web.listen-address=127.0.0.1:{port}",
            *alone,
            *options,
        )
        program = start(name, command, self._folder)
        self._undo.callback(program.stop)
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(self._wait, url, program)
        return url, program

    def _wait(self, url: str, program: Program) -> None:
        with httpx.Client(trust_env=False, timeout=5, verify=False) as http:  # noqa: S501 # loopback
            pacer = threading.Event()
            for _ in range(int(DEADLINE * 20)):
                program.check()
                try:
                    http.get(f"{url}/-/ready")
                except httpx.TransportError:
                    pacer.wait(0.05)
                else:
                    return


@pytest.fixture
async def receiver(tmp_path: Path, program_path: Callable[[str], str]) -> AsyncIterator[Receiver]:
    """Give who is notified; a test that uses it is marked ``program("alertmanager")``."""
    with ExitStack() as undo:
        built = Receiver(tmp_path, program_path("alertmanager"), undo)
        try:
            yield built
        finally:
            # Handlers of notifications wait for this loop.
            await asyncio.to_thread(undo.pop_all().close)
