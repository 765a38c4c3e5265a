"""Call the command line as a user does, and serve a simulated account to it."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter.cli.main import main
from exporter.domain import Status
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.forking import ForkServer
from tests.support.simulation import QUIET

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
NETWORK = (
    *(spelled for name in PROXIES for spelled in (name, name.lower())),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"),
)

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Give a caller of the command line, without a key.

    What this machine says of proxies and certificates is left out.
    """
    monkeypatch.chdir(tmp_path)  # where the state file goes by default
    env = dict.fromkeys(("TELNYX_API_KEY", *NETWORK))
    return lambda *words, **more: CliRunner().invoke(main, words, env={**env, **more})


@pytest.fixture
def simulator() -> Simulator:
    """Give an account in which one action is in progress and one has failed, two hours ago."""
    clock = time.time() - 7200
    simulator = Simulator(SimulatorSettings(world=QUIET), lambda: clock)
    failed, _ = simulator.world.create(2, action_type="enable")
    simulator.world.finish(failed, Status.FAILED, "SIM card is blocked")
    return simulator


@pytest.fixture
def api(simulator: Simulator) -> Iterator[str]:
    """Serve that account; give its URL."""
    with served(simulator) as url:
        yield url


@contextmanager
def served(simulator: Simulator) -> Iterator[str]:
    """Serve an account on a thread; gives its URL."""
    url: Future[str] = Future()
    stopping: Future[Callable[[], object]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stopping.set_result(lambda: loop.call_soon_threadsafe(stop.set))
        async with serving(simulator) as base_url:
            url.set_result(base_url)
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        yield url.result(timeout=10)
    finally:
        stopping.result(timeout=10)()
        thread.join(timeout=10)


def on_terminal(forks: ForkServer, folder: Path, *words: str, columns: int = 80) -> str:
    """Return what a command writes to a terminal, standard error among it."""
    master, slave = os.openpty()
    # Of a dumb terminal, the width would not be asked.
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    with open(master, "rb", buffering=0) as terminal:  # noqa: PTH123 # no path
        try:
            done = forks.start(*words, cwd=folder, env=env, stdout=slave, stderr=slave)
        finally:
            os.close(slave)
        written = b""
        with suppress(OSError):  # its other end is closed
            while part := terminal.read(4096):
                written += part
    assert done.wait(30) == 0, written
    return written.decode().replace("\r\n", "\n")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Give a writer of configuration files; it returns the path."""

    def file(*urls: str, key: str = "KEY-simulated", **sections: object) -> str:
        accounts = [
            {"name": f"account-{number}", "api_key": key, "base_url": url}
            for number, url in enumerate(urls)
        ]
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps({"accounts": accounts, **sections}), encoding="utf-8")
        return str(path)

    return file
