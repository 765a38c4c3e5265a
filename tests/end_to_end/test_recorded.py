"""Holds all that users see against what was recorded of it, in the files of ``recorded/``.

Names, types, labels and values of metrics, log events with their keys and values, the answers
of each endpoint, commands with their options and exit codes, places of mistakes: what other
programs depend on. Sentences are not recorded. Whoever changes one of these on purpose writes
the files anew, and looks at the difference before it is committed:

    RECORD_ANEW=1 .venv/bin/python -m pytest tests/end_to_end/test_recorded.py
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.recording import Names, changes, compare
from tests.end_to_end.relay import Relay, Row, relay_to

PROGRAM = str(Path(sys.executable).with_name("telnyx-sim-exporter"))
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
POLLS = "telnyx_exporter_polls_total"
RELOADED = "telnyx_exporter_config_last_reload_successful"
PATIENCE = 60.0
"""Seconds for a command from its start to its end, where other tests run beside it."""


class Story:
    """A simulated account in which what a test says happens, and nothing else."""

    def __init__(self, simulator: Any, relay: Relay) -> None:
        """Begin now."""
        self.names = Names(int(time.time()))
        self.relay = relay
        self._simulator = simulator
        self._numbers = count(1)

    def begin(self, action_type: str, age: int | None = None) -> str:
        """Let an action be in progress, from now on or since before the start; return its id.

        ``age`` is in seconds before the start.
        """
        made = self._simulator.post(
            "/_simulator/actions",
            {
                "action_type": action_type,
                "created_at": None if age is None else self.names.start - age,
            },
        )
        (action_id,) = made.json()["ids"]
        shown = self._simulator.get(
            f"/v2/sim_card_actions/{action_id}", authorization="Bearer KEY-simulated"
        )
        number = next(self._numbers)
        if age is not None:
            self.names.ages.add(age)
        self.names.texts[action_id] = f"<action-{number}>"
        self.names.texts[shown.json()["data"]["sim_card_id"]] = f"<sim-{number}>"
        return str(action_id)

    def end(self, action_id: str, status: str, reason: str | None = None) -> None:
        """Let an action enter a status."""
        body = {"status": status, "reason": reason}
        self._simulator.post(f"/_simulator/actions/{action_id}", body)

    def happen(
        self, action_type: str, age: int | None, status: str, reason: str | None = None
    ) -> str:
        """Let an action begin and enter a status; return its id."""
        action_id = self.begin(action_type, age)
        self.end(action_id, status, reason)
        return action_id


@pytest.fixture
def story(simulate: Callable[..., Any]) -> Iterator[Story]:
    """Give a story whose account is empty."""
    simulator = simulate("--seed", "7", "--history", "0")
    with relay_to(simulator.url) as relay:
        yield Story(simulator, relay)


@pytest.fixture
def configure(tmp_path: Path, story: Story) -> Callable[..., Path]:
    """Give a writer of configurations; ``name`` is of the file, its state, and its API's path."""

    def write(name: str, *, form: str = "json", **changes: object) -> Path:
        url = f"{story.relay.url}/{name}-"
        settings = {
            "accounts": [
                account("fleet", f"{url}fleet/v2"),
                {
                    **account("limited", f"{url}limited/v2"),
                    "action_types": ["enable", "disable"],
                    "statuses": ["in-progress", "failed"],
                },
                {
                    **account("refused", f"{url}refused/v2", key="KEY-revoked"),
                    "action_types": ["enable"],
                    "statuses": ["interrupted"],
                },
            ],
            "poll": {"interval": "1h", "audit_interval": "1h", "rate_limit": 1000},
            "stuck_after": {"default": "15m", "set_public_ip": "3h"},
            "reasons": [{"class": "card_lost", "match": "(?i)reported (lost|missing)"}],
            "state": {"url": f"sqlite:///{name}.db"},
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"format": form},
            **changes,
        }
        file = tmp_path / f"{name}.yaml"
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        return file

    return write


def account(name: str, url: str, key: str = "KEY-simulated") -> dict[str, object]:
    """Return the settings of an account."""
    return {"name": name, "api_key": key, "base_url": url}


def pause(row: Row) -> None:
    """Give an action a status that nobody knows."""
    row["status"]["value"] = "paused"


def bare(row: Row) -> None:
    """Give the status of an action as a bare string."""
    row["status"] = row["status"]["value"]


def malform(row: Row) -> None:
    """Take away the id of an action."""
    del row["id"]


def past(story: Story) -> tuple[str, str]:
    """Fill the account with what is there before the baseline; return what is still to end.

    Every age is far from the bounds of its bucket in the histogram of durations.
    """
    story.happen("enable", 90_000, "completed")
    story.happen("enable", 80_000, "failed", "Data limit exceeded.")
    story.happen("disable", 70_000, "interrupted", "Superseded by a newer action.")
    story.happen("set_standby", 60_000, "completed")
    story.begin("enable", 7200)
    story.begin("set_public_ip", 7300)
    story.relay.changes[story.begin("remove_public_ip", 7400)] = pause
    story.relay.changes[story.happen("enable", 50_000, "completed")] = malform
    return story.begin("enable_voice", 2401), story.begin("swap_esim", 2402)


def present(story: Story, of_before: tuple[str, str]) -> str:
    """Let happen what is counted; return what is interrupted and may go on.

    What is older than the baseline is not counted as created.
    """
    story.end(of_before[0], "completed")
    story.end(of_before[1], "failed", "Unexpected error, reference 7f3c.")
    story.happen("enable", 402, "completed")
    story.happen("enable", 403, "failed", "The data limit was exceeded.")
    story.happen("enable", 404, "failed", "The SIM card was reported lost.")
    story.happen("enable", 405, "failed")
    story.happen("disable", 1203, "failed", "The SIM card does not belong to a SIM card group.")
    story.happen("disable", 1204, "interrupted", "The action was cancelled by a user.")
    story.relay.changes[story.happen("disable", 1206, "failed", "Left out.")] = bare
    story.relay.changes[story.happen("disable", 1207, "completed")] = malform
    story.relay.changes[story.happen("set_standby", 1208, "failed", "x")] = pause
    story.begin("disable", 1209)
    story.begin("disable_voice", 410)
    story.begin("enable")
    story.happen("enable", None, "completed")
    story.happen("disable", None, "failed", "Insufficient funds.")
    story.happen("new_type", None, "interrupted", "Maintenance at the carrier.")
    return story.happen("enable", 1205, "interrupted", "Network timeout at the carrier.")


def future(story: Story, of_before: str) -> None:
    """Let happen what is found last."""
    story.end(of_before, "completed")
    story.happen("disable_voice", 61, "interrupted", "")
    story.happen("enable", 62, "failed", "It\nsays \"no\" = 'ü' \x1b[31m\\")


def test_a_story_is_shown_as_recorded(
    story: Story,
    configure: Callable[..., Path],
    start: Callable[..., Any],
    command: Callable[..., Any],
    until: Callable[..., Any],
    free_port: int,
    tmp_path: Path,
) -> None:
    """Expositions, logs and answers over a baseline, a restart, faults and reloads are the same."""
    names = story.names
    names.texts[str(tmp_path)] = "<folder>"

    def serving(running: Any) -> Any:
        running.url = running.wait_for(r'"address": "(http://[^"]+)"')[1]
        return running

    def exposition(running: Any, **headers: str) -> list[str]:
        return names.exposition(running.get("/metrics", **headers).text)

    waiting = past(story)
    configure("run")
    first = serving(start(PROGRAM, "run", "--config.file", "run.yaml"))
    until(lambda: first.total(POLLS) == 3)
    baseline = exposition(first)
    compare("baseline.txt", baseline)
    assert first.end(signal.SIGTERM) == 0
    compare("baseline.jsonl", names.json_log(first.err))

    interrupted = present(story, waiting)
    story.relay.throttled["run-fleet"] = 1
    second = serving(command("run", "--config.file", "run.yaml"))
    until(lambda: second.total(POLLS) == 3)
    text = exposition(second)
    compare("baseline-to-run.txt", changes(baseline, text))
    compare("text-to-openmetrics.txt", changes(text, exposition(second, accept=OPENMETRICS)))
    compare("http.txt", answers(names, second))
    compare("probe.txt", probed(start, second.url, f"http://127.0.0.1:{free_port}/"))

    configure("run", poll={"interval": "often"}, colour="red")
    bad = second.http.post(f"{second.url}/-/reload")
    assert second.total(RELOADED) == 0
    mend(configure("run"))
    good = second.post("/-/reload")
    until(lambda: second.total("telnyx_up") == 3)
    assert second.total(RELOADED) == 1
    shown = (("bad", bad), ("good", good), ("GET /-/ready", second.get("/-/ready")))
    compare("reload.txt", [line for what, each in shown for line in names.answer(what, each)])
    assert second.end(signal.SIGTERM) == 0
    compare("run.jsonl", names.json_log(second.err))

    future(story, interrupted)
    configure("run", form="logfmt")
    mend(configure("lost"))
    (tmp_path / "run.db").chmod(0o644)
    (tmp_path / "lost.db.lock").write_bytes((tmp_path / "run.db.lock").read_bytes())
    story.relay.totals_unknown.add("lost-limited")
    once = command("once", "--config.file", "run.yaml")
    lost = command("once", "--config.file", "lost.yaml", "--format", "table")
    assert once.end(signal.SIGCONT, PATIENCE) == 1
    compare("run-to-once.txt", changes(text, names.exposition("\n".join(once.out))))
    compare("once.log", names.logfmt_log(once.err))
    assert lost.end(signal.SIGCONT, PATIENCE) == 0
    assert lost.out
    compare("lost.jsonl", names.json_log(lost.err))


def mend(file: Path) -> None:
    """Give the account whose key is refused the key that is not."""
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["accounts"][2]["api_key"] = "KEY-simulated"
    file.write_text(json.dumps(settings), encoding="utf-8")


def answers(names: Names, running: Any) -> list[str]:
    """Ask everything that can be asked, with what cannot; a key is refused, so it is not ready."""
    plain = {"accept-encoding": "identity"}
    asked: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("GET", "/", {}),
        ("HEAD", "/", {}),
        ("POST", "/", {}),
        ("GET", "/metrics", {}),
        ("HEAD", "/metrics", {}),
        ("GET", "/metrics", plain),
        ("GET", "/metrics", {"accept": OPENMETRICS}),
        ("GET", "/metrics", {"accept": "application/json"}),
        ("POST", "/metrics", {}),
        ("GET", "/metrics/", {}),
        ("GET", "/-/healthy", {}),
        ("GET", "/-/ready", {}),
        ("GET", "/-/reload", {}),
        ("POST", "/-/reload", {"origin": "https://elsewhere.example.org"}),
        ("GET", "/nothing", {}),
    )
    return [
        line
        for method, path, headers in asked
        for line in names.answer(
            " ".join((method, path, *(f"{name}={value}" for name, value in headers.items()))),
            running.http.request(method, f"{running.url}{path}", headers=headers),
        )
    ]


def probed(start: Callable[..., Any], alive: str, dead: str) -> list[str]:
    """Probe what lives, what does not, and what cannot be probed."""
    urls = {
        "healthy": f"{alive}/-/healthy",
        "not ready": f"{alive}/-/ready",
        "dead": dead,
        "no URL": "ftp://127.0.0.1/",
    }
    probes = {
        what: start(sys.executable, "-m", "exporter.probe", url) for what, url in urls.items()
    }
    shown = []
    for what, probe in probes.items():
        code = probe.end(signal.SIGCONT)
        shown += outcome((what,), code, "\n".join(probe.out), "\n".join(probe.err))
    return shown


EVERY_KEY = """\
accounts:
  - {name: a, api_key: KEY0123, base_url: "http://127.0.0.1:1/v2", action_types: [enable]}
  - {name: b, api_key_file: b.key, statuses: [failed, interrupted]}
poll: {interval: 30s, audit_interval: 1h, request_timeout: 5s, page_size: 100, concurrency: 2,
       rate_limit: 0.5, tls_strict: true}
stuck_after: {default: 1h, enable: 30m}
reasons: [{class: card_lost, match: lost}]
state: {url: "sqlite:///other.db", retention: 7d}
web: {listen_address: ["127.0.0.1:1", ":2"], config_file: web.yml, route_prefix: /telnyx,
      external_url: "https://example.org/telnyx/",
      external_links: [{name: Dashboards, url: "https://example.org/d"}]}
log: {level: warn, format: console}
"""

EVERY_MISTAKE = """\
accounts:
  - {name: "", api_key: [], base_url: "ftp://a", action_types: 1, statuses: [done]}
  - {name: b, api_key: KEY0123, api_key_file: b.key}
poll:
  {interval: often, audit_interval: 1, request_timeout: 0s, page_size: 251, concurrency: 0,
  rate_limit: 0, tls_strict: maybe}
stuck_after: {default: long, enable: 30}
reasons: [{class: "Card lost", match: "("}]
state: {url: "mysql://a", retention: 7}
web: {listen_address: nowhere, config_file: 1, external_url: a, route_prefix: 1,
  external_links: [{name: "", url: "javascript:a"}]}
log: {level: loud, format: xml}
colour: red
"""

WEB = """\
tls_server_config: {cert_file: missing.crt, key_file: missing.key}
basic_auth_users: {a: plain}
"""

COMMANDS = (
    ("--version",),
    ("--help",),
    ("nothing",),
    ("run", "--nothing"),
    ("once", "--format", "xml"),
    ("check-config",),
    *((each, "--help") for each in ("run", "once", "check-config", "demo", "doctor", "simulate")),
    ("run", "--config.file", "missing.yaml"),
    ("run",),
    ("check-config", "every-key.yaml"),
    ("check-config", "every-mistake.yaml"),
    ("check-config", "wrong-web.yaml"),
    ("simulate", "--failed", "2"),
)


def test_commands_are_as_recorded(tmp_path: Path) -> None:
    """Commands, their options, exit codes, and the places of mistakes are the same."""
    for file, text in (
        ("web.yml", "{}"),
        ("wrong-web.yml", WEB),
        ("b.key", "KEY0123456789"),
        ("every-key.yaml", EVERY_KEY),
        ("every-mistake.yaml", EVERY_MISTAKE),
        ("wrong-web.yaml", EVERY_KEY.replace("web.yml", "wrong-web.yml")),
    ):
        (tmp_path / file).write_text(text)
    done = subprocess.run(  # noqa: S603 # our own program
        [sys.executable, str(Path(__file__).with_name("command_lines.py"))],
        cwd=tmp_path,
        input="".join(f"{json.dumps(words)}\n" for words in COMMANDS),
        env={name: value for name, value in os.environ.items() if name != "TELNYX_API_KEY"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert re.fullmatch(r"telnyx-sim-exporter, version \S+\n", answers[0][1])
    shown = []
    for words, answer in zip(COMMANDS, answers, strict=True):
        shown += outcome(words, *answer)
    compare("commands.txt", shown)


def outcome(words: tuple[str, ...], code: int, out: str, err: str) -> list[str]:
    """Return the exit code, where it spoke, and of what was said the commands, options, places."""
    where = [name for name, said in (("stdout", out), ("stderr", err)) if said]
    names = re.findall(r"^  (?:-\w, )?(--[\w.-]+(?:/--[\w.-]+)?|[a-z-]+(?=  ))", out, re.MULTILINE)
    places = re.findall(r"^(\S+\.ya?ml(?::\d+)?: [\w.\[\]-]+):", err, re.MULTILINE)
    called = " ".join(words)
    return [f"{called}: {code}, on {' and '.join(where)}", *(f"    {w}" for w in names + places)]
