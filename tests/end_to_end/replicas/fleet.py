"""Replicas that share a ledger and poll accounts of one simulator, held against its record.

All accounts are polled at the same simulator, so each has to count exactly what its record says.
It starts, asks and compares; which fault to cause, it must not know.
"""

import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import httpx

from exporter.scheduling.lease_rules import TTL
from tests.support.loopback import NO_TLS
from tests.support.postgresql import PASSWORD

ACCOUNTS = ("a", "b", "c", "d")

HANDOVER = TTL / 2
"""Seconds by which no lease has expired yet that was renewed just now: so it was let go."""

PATIENCE = 40.0
"""Seconds within which all is as it was before a fault, once that is over."""

PAUSE = 0.5
FEED_EVERY = 0.3
"""Seconds between new actions while a fault lasts."""

_SAMPLE = re.compile(r'(telnyx_\w+)\{account="(\w+)"(?:,action_type="(\w+)")?.*\} (\S+)')
_COUNTED = re.compile(r"telnyx_sim_card_actions_(created|completed|failed|interrupted)_total")
_SECRETS = (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""))


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one replica exposes: by account, but ``unheld``, which has no label.

    ``up`` and ``counted`` are of the accounts whose domain series it serves; ``counted`` has what
    happened by name and action type, without zeros.
    """

    text: str
    up: Mapping[str, float]
    held: Mapping[str, float]
    lost: Mapping[str, float]
    takeovers: Mapping[str, float]
    unheld: float
    counted: Mapping[str, Mapping[str, Counter[str]]]

    @classmethod
    def of(cls, text: str) -> "Scrape":
        """Read an exposition."""
        values: dict[str, dict[str, float]] = {}
        counted: dict[str, dict[str, Counter[str]]] = {}
        unheld = re.search(r"^telnyx_exporter_accounts_unheld (\S+)$", text, re.MULTILINE)
        assert unheld is not None, text
        for line in text.splitlines():
            sample = _SAMPLE.fullmatch(line)
            if sample is None:
                continue
            name, account, action_type, value = sample.groups()
            if (what := _COUNTED.fullmatch(name)) is not None:
                by_name = counted.setdefault(account, {})
                by_name.setdefault(what[1], Counter())[action_type] += int(float(value))
            else:
                values.setdefault(name, {})[account] = float(value)
        return cls(
            text,
            up=values.get("telnyx_up", {}),
            held=values["telnyx_exporter_account_held"],
            lost=values["telnyx_exporter_lease_lost_total"],
            takeovers=values["telnyx_exporter_lease_takeovers_total"],
            unheld=float(unheld[1]),
            counted={
                account: {what: +counts for what, counts in by_name.items()}
                for account, by_name in counted.items()
            },
        )


@dataclass
class Fleet:
    """The replicas; ``live`` are those that are expected to run, ``runs`` all that ever did.

    ``url`` is the state URL, ``accounts`` are those that each replica polls unless told otherwise.
    """

    folder: Path
    command: Callable[..., Any]
    simulator: Any
    url: str
    password_file: str
    accounts: Collection[str] = ACCOUNTS
    runs: list[Any] = field(default_factory=list)
    live: list[Any] = field(default_factory=list)

    def configure(self, number: int, *, state_url: str | None = None, **changes: object) -> Path:
        """Write the configuration of a replica; ``changes`` replace settings."""
        settings = {
            "accounts": self.polled(self.accounts),
            "poll": {"interval": "1s", "audit_interval": "15s", "rate_limit": 1000},
            # The simulator's record does not tell what is stuck.
            "stuck_after": {"default": "30d"},
            "state": {"url": state_url or self.url, "password_file": self.password_file},
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"format": "json"},
            **changes,
        }
        file = self.folder / f"replica-{number}.yaml"
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        return file

    def polled(self, names: Collection[str]) -> list[dict[str, str]]:
        """Return the settings of accounts of the simulator."""
        base_url = f"{self.simulator.url}/v2"
        return [{"name": n, "api_key": "KEY-simulated", "base_url": base_url} for n in names]

    def launch(self, file: Path, **how: Any) -> Any:
        """Start a replica that need not get far; it counts as one that runs, but is not waited for.

        ``how`` is for the starter: words of a program before it, variables, a folder.
        """
        run = self.command("run", "--config.file", str(file), **how)
        self.runs.append(run)
        return run

    def start(self, number: int, *, file: Path | None = None, **how: Any) -> Any:
        """Start a replica and wait until it serves; ``how`` as for `launch`."""
        run = self.launch(file or self.configure(number), **how)
        run.url = run.wait_for(r'"address": "(http://[^"]+)"')[1]
        self.live.append(run)
        return run

    def stand_by(self, number: int, **how: Any) -> Any:
        """Start a replica, and wait until it sees that others poll; ``how`` as for `launch`."""
        run = self.start(number, **how)
        self.wait(lambda: self.scrape(run).unheld == 0)
        return run

    def handed_over(self, holder: Any, other: Any) -> float:
        """Stop a holder in order; the other replica then has all accounts.

        Returns how many seconds later the last of them was the other's, which polls them.
        """
        before = len(other.events("lease_acquired"))
        # A replica that has been there for a while is given its share.
        shared = {name for name, held in self.scrape(other).held.items() if held}
        begun = datetime.now(UTC)
        assert holder.end(signal.SIGTERM) == 0
        self.gone(holder)
        self.wait(lambda: self.polls(other))

        def all_acquired() -> bool:
            acquired = other.events("lease_acquired")[before:]
            return shared | {each["account"] for each in acquired} == set(self.accounts)

        self.wait(all_acquired)
        acquired = other.events("lease_acquired")[before:]
        last = max(datetime.fromisoformat(each["timestamp"]) for each in acquired)
        return (last - begun).total_seconds()

    def gone(self, run: Any) -> None:
        """Take note that a replica is not expected to serve any more."""
        self.live.remove(run)

    def scrape(self, run: Any) -> Scrape:
        """Scrape a replica."""
        return Scrape.of(run.get("/metrics").raise_for_status().text)

    def wait(self, condition: Callable[[], object], within: float = PATIENCE) -> float:
        """Wait until a condition is true, or assertions in it hold; returns how long that took."""
        begun, pacer = monotonic(), threading.Event()
        while True:
            try:
                assert condition()
            except (AssertionError, httpx.TransportError) as exc:
                if monotonic() - begun > within:
                    exc.add_note(self.last_lines())
                    raise
            else:
                return monotonic() - begun
            pacer.wait(PAUSE)

    def hold(self, seconds: float, meanwhile: Callable[[], object] = lambda: True) -> None:
        """Let a fault last for some seconds, through which a condition has to hold."""
        end, pacer = monotonic() + seconds, threading.Event()
        while monotonic() < end:
            assert meanwhile()
            pacer.wait(PAUSE)

    def polls(self, run: Any, accounts: Collection[str] | None = None) -> bool:
        """Tell whether a replica polls these accounts (all of them), and with success."""
        up = self.scrape(run).up
        return all(up.get(name) == 1 for name in (self.accounts if accounts is None else accounts))

    def last_lines(self) -> str:
        """Return what each run logged last, but for what happened to actions."""
        return "\n\n".join(
            "\n".join([line for line in run.err if '"sim_card_id"' not in line][-15:])
            for run in self.runs
        )

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.url.rpartition("/")[2].partition("?")[0]

    def up(self) -> dict[str, float]:
        """Scrape all replicas: the last poll of each account by whoever polls it."""
        found: dict[str, float] = {}
        for run in self.live:
            found |= self.scrape(run).up
        return found

    def all_up(self) -> bool:
        """Tell whether each account is polled, and with success."""
        return self.up() == dict.fromkeys(self.accounts, 1)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of a name, of all replicas that ever ran."""
        return [each for run in self.runs for each in run.events(name)]

    @contextmanager
    def fed(self) -> Iterator[None]:
        """Create actions all the time."""
        ended = threading.Event()
        failed: list[Exception] = []

        def feed() -> None:
            try:
                with httpx.Client(trust_env=False, verify=NO_TLS, timeout=5) as http:
                    while not ended.wait(FEED_EVERY):
                        body = {"count": 2, "lives": True}
                        url = f"{self.simulator.url}/_simulator/actions"
                        http.post(url, json=body).raise_for_status()
            except httpx.HTTPError as exc:
                failed.append(exc)

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert not failed

    def counted(self) -> int:
        """Return how many actions were counted as created so far, by all accounts."""
        accounts = (each for run in self.live for each in self.scrape(run).counted.values())
        return sum(each["created"].total() for each in accounts)

    def settled(self) -> bool:
        """Assert that each account is served by one replica, and that its counters are exact."""
        assert self.simulator.get("/_simulator/record").json()["in_flight"] == 0
        recorded = self.simulator.recorded()
        scrapes = [self.scrape(run) for run in self.live]
        for account in self.accounts:
            serving = [each for each in scrapes if account in each.up]
            assert len(serving) == 1, account
            assert serving[0].up[account] == 1, account
            assert serving[0].counted[account] == recorded, account
            assert sum(each.held.get(account, 0) for each in scrapes) == 1, account
        assert [each.unheld for each in scrapes] == [0] * len(scrapes)
        assert all(run.get("/-/ready").status_code == 200 for run in self.live)
        return True

    def told(self) -> Counter[tuple[str, str, str]]:
        """Return how often the logs tell of what ended badly: by account, action and event."""
        return Counter(
            (each["account"], each["action_id"], name)
            for run in self.runs
            for name in ("sim_card_action_failed", "sim_card_action_interrupted")
            for each in run.events(name)
        )

    def told_all(self, times: int) -> bool:
        """Assert that the logs tell of each action that ended badly, at most ``times``."""
        recorded, told = self.simulator.recorded(), self.told()
        for account in self.accounts:
            for status in ("failed", "interrupted"):
                event = f"sim_card_action_{status}"
                logged = {key for key in told if key[0] == account and key[2] == event}
                assert len(logged) == recorded[status].total() > 0, (account, status)
        assert max(told.values()) <= times
        return True

    def check(self, *, times: int = 1) -> None:
        """Wait until all has settled, and assert that all of it is exact; then stop the replicas.

        An action may be in the logs several ``times`` if a process or the database was killed.
        """
        self.wait(self.settled)
        self.wait(lambda: self.told_all(times))
        for run in self.live:
            pages = {path: run.get(path) for path in ("/", "/-/ready", "/api/v1/problems")}
            assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(
                pages, 200
            )
            shown = [self.scrape(run).text, *(page.text for page in pages.values())]
            assert not [text for text in shown if secret(text)]
        for run in self.live:
            assert run.end() == 0
        self.told_all(times)
        lines = [line for run in self.runs for line in (*run.out, *run.err)]
        assert not [line for line in lines if secret(line) or "Traceback" in line]
        assert not [each for run in self.runs for each in run.events("internal_error")]


def secret(text: str) -> bool:
    """Tell whether the database's password is in a text, however it is written."""
    return any(secret in text for secret in _SECRETS)
