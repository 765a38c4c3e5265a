"""Set up the whole chain: simulators, the exporter, Prometheus, Alertmanager, and who is told.

Rules and routes are the shipped ones, with every duration divided. What is waited for is a
condition with a deadline, never a length of time.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_stack.programs import reserve_port
from demo_stack.receiver import Notification, NotificationReceiver
from demo_stack.stack import Stack, StackSettings
from exporter.cli.rule_files import Changes, plain_rules, write_groups
from tests.support.forking import Forked, ForkServer
from tests.support.loopback import NO_TLS
from tests.support.waiting import DEADLINE, eventually

FASTER = 60.0
"""A minute of the rules is a second here."""

SECONDS = 1.0
"""Between two scrapes, and between two polls: of the rules, a minute."""

KEY = "KEY-simulated"
QUIET = {"rate": "0", "bulk-every": "0", "stuck-at-start": "0", "history": "100"}
SOON = Changes(
    alerts={
        "TelnyxSimCardProblems": {"keep_firing_for": "5m"},
        "TelnyxSimFailureRatioHigh": {"keep_firing_for": "5m"},
        "TelnyxSimActionsStuck": {"keep_firing_for": "1m"},
    }
)
"""What is set of the rules: an hour without flapping would be a minute for each test."""

CALM = {"failed": "0", "interrupted": "0", "stuck": "0", "duration": "0.2"}


class Chain:
    """The chain at work; every account has a simulator of its own."""

    def __init__(
        self, folder: Path, undo: ExitStack, forks: ForkServer, accounts: Sequence[str]
    ) -> None:
        """Start all of it; ``undo`` ends it."""
        self._forks = forks
        self.notes: list[Notification] = []
        self._folder = folder
        self._undo = undo
        self._stop = threading.Event()
        self.http = undo.enter_context(httpx.Client(trust_env=False, verify=NO_TLS, timeout=5))
        receiver = undo.enter_context(closing(NotificationReceiver(self.notes.append)))
        self._simulators = {name: self._simulate(name) for name in accounts}
        self.exporter_port = reserve_port("the exporter", 0)
        ports = reserve_port("Prometheus", 0), reserve_port("Alertmanager", 0)
        rules = folder / "shipped.yml"
        rules.write_text(write_groups(list(plain_rules().changed(SOON))), encoding="utf-8")
        plan = StackSettings(
            receiver.url, *ports, faster=FASTER, scrape_interval=SECONDS, rules_file=rules
        )
        self.stack = undo.enter_context(closing(Stack(folder, plan, self._stop)))
        self.exporter = self.export()
        self.stack.set_targets(f"127.0.0.1:{self.exporter_port}")
        eventually(lambda: len(self.ask("count_over_time(telnyx_up[1m]) >= 3")) == len(accounts))

    def control(self, account: str, what: str, **body: object) -> dict[str, Any]:
        """Tell the simulator of an account to do something; return its answer."""
        url = f"{self._simulators[account]}/_simulator/{what}"
        answer: dict[str, Any] = self.http.post(url, json=body).raise_for_status().json()
        return answer

    def create(self, account: str, action_type: str, count: int = 1) -> list[str]:
        """Let actions begin, and return their ids; nothing happens to them by itself."""
        body = {"action_type": action_type, "count": count}
        ids: list[str] = self.control(account, "actions", **body)["ids"]
        return ids

    def end(self, account: str, action_id: str, status: str, reason: str | None = None) -> None:
        """Let an action end."""
        self.control(account, f"actions/{action_id}", status=status, reason=reason)

    def retry(self, account: str, action_id: str) -> str:
        """Let an action of the same type and SIM card begin, and return its id."""
        url = f"{self._simulators[account]}/v2/sim_card_actions/{action_id}"
        answer = self.http.get(url, headers={"Authorization": f"Bearer {KEY}"}).raise_for_status()
        action = answer.json()["data"]
        body = {key: action[key] for key in ("action_type", "sim_card_id")}
        (retry_id,) = self.control(account, "actions", **body)["ids"]
        return str(retry_id)

    def export(self) -> Forked:
        """Start the exporter of all accounts, for the first time or again."""
        file = self._folder / "config.yaml"
        settings = {
            "accounts": [
                {"name": name, "api_key": KEY, "base_url": f"{url}/v2"}
                for name, url in self._simulators.items()
            ],
            "poll": {"interval": f"{SECONDS:g}s", "audit_interval": "1h", "rate_limit": 1000},
            "stuck_after": {"default": "15s", "set_public_ip": "1s"},
            "state": {"url": f"sqlite:///{self._folder / 'state.db'}"},
            "web": {"listen_address": f"127.0.0.1:{self.exporter_port}"},
        }
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        url = f"http://127.0.0.1:{self.exporter_port}"
        return self._run("exporter", f"{url}/-/ready", "run", "--config.file", str(file))

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask Prometheus; return what an instant query finds."""
        url = f"{self.stack.prometheus}/api/v1/query"
        found: list[dict[str, Any]] = self.http.get(url, params={"query": query}).json()["data"][
            "result"
        ]
        return found

    def alerts(self, name: str, **labels: str) -> list[dict[str, Any]]:
        """Ask Alertmanager; return the alerts that it has with that name and these labels."""
        every = self.http.get(f"{self.stack.alertmanager}/api/v2/alerts").json()
        wanted = {"alertname": name, **labels}.items()
        return [each for each in every if wanted <= each["labels"].items()]

    def silenced_by(self, silent: Mapping[str, str], loud: Mapping[str, str]) -> bool:
        """Tell whether there are alerts as ``silent`` and each is silenced by one as ``loud``."""
        causes = {each["fingerprint"] for each in self.alerts(**loud)}
        silenced = [each["status"]["inhibitedBy"] for each in self.alerts(**silent)]
        return bool(silenced) and all(causes & set(each) for each in silenced)

    def titles(self, *words: str) -> list[str]:
        """Return who was told what, of the messages with all these words in their title."""
        told = [f"{each.receiver}: {each.title}" for each in list(self.notes)]
        return [each for each in told if all(word in each for word in words)]

    def told(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts with this status and these labels that the webhook was told of."""
        every = [alert for note in list(self.notes) for alert in note.alerts]
        fits = (each for each in every if labels.items() <= each["labels"].items())
        return [each for each in fits if each["status"] == status]

    def note(self, *words: str) -> Notification:
        """Wait for a message with all these words in its title, and return the first."""

        def find() -> Notification | None:
            fits = (each for each in list(self.notes) if all(word in each.title for word in words))
            return next(fits, None)

        return eventually(find) or pytest.fail("there is none")

    def _simulate(self, name: str) -> str:
        port = reserve_port("a simulator", 0)
        options = (f"--{option}={value}" for option, value in (QUIET | CALM).items())
        url = f"http://127.0.0.1:{port}"
        ready = f"{url}/_simulator/record"
        self._run(
            f"simulator-{name}",
            ready,
            "simulate",
            f"--web.listen-address=127.0.0.1:{port}",
            *options,
        )
        return url

    def _run(self, name: str, ready: str, *words: str) -> Forked:
        """Start our own program and wait until it answers."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as out:
            streams = {"stdout": out.fileno(), "stderr": out.fileno()}
            program = self._forks.start(*words, cwd=self._folder, env=os.environ, **streams)
        self._undo.callback(end, program)

        def answers() -> bool:
            assert program.poll() is None, log.read_text(encoding="utf-8")
            with suppress(httpx.TransportError):
                return self.http.get(ready).status_code == httpx.codes.OK
            return False

        eventually(answers)
        return program


def end(program: Forked) -> None:
    """End a program in order."""
    program.send_signal(signal.SIGTERM)
    program.wait(DEADLINE)


@pytest.fixture(scope="module")
def start_chain(tmp_path_factory: pytest.TempPathFactory, forks: ForkServer) -> Callable[..., Any]:
    """Give what starts a chain that watches these accounts, and ends it with the context."""

    @contextmanager
    def run(*accounts: str) -> Iterator[Chain]:
        with ExitStack() as undo:
            yield Chain(tmp_path_factory.mktemp("chain"), undo, forks, accounts)

    return run


@pytest.fixture(scope="module")
def until() -> Callable[..., Any]:
    """Give what waits for a condition (`eventually`)."""
    return eventually


@pytest.fixture(scope="module")
def shipped() -> dict[str, dict[str, Any]]:
    """Give the shipped alerts by their names."""
    return {rule["alert"]: rule for rule in plain_rules().rules if "alert" in rule}
