"""`history`: against a real server of a simulated account, with and without a state."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from exporter.domain import Status
from exporter.metrics.render import number
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.cli.conftest import on_terminal, served
from tests.support.forking import Forked, ForkServer
from tests.support.simulation import QUIET

Invoke = Callable[..., Result]
WORK_FILE = "telnyx-sim-history-account-0.db"
MANAGED_ID = "7f3c1c1e-52b7-4b52-9c2f-0f4a3c6f8d10"


def change(folder: Path, statement: str) -> None:
    """Change the work file, as if something else had been read."""
    with closing(sqlite3.connect(folder / WORK_FILE)) as database, database:
        database.execute(statement)


def test_a_report_of_what_failed(invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """It needs no state of the exporter, and leaves none but its work file."""
    result = invoke("history", "--config.file", write(api))
    assert (result.exit_code, result.stderr) == (0, "")
    words = " ".join(result.stdout.split())
    assert "SIM card actions of account-0 2 actions" in words
    assert "sim_blocked SIM card is blocked" in words
    assert sorted(each.name for each in Path().iterdir()) == ["config.yaml", WORK_FILE]


def test_csv_of_every_action(invoke: Invoke, write: Callable[..., str], api: str) -> None:
    """One header, whatever the number of accounts; into a file, too."""
    words = ("history", "--config.file", write(api, api), "--format", "csv")
    result = invoke(*words)
    rows = list(csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline="")))
    assert sorted((row["account"], row["status"], row["reason_class"]) for row in rows) == [
        (account, *rest)
        for account in ("account-0", "account-1")
        for rest in (("failed", "sim_blocked"), ("in-progress", ""))
    ]
    assert invoke(*words, "--output", "out/actions.csv").exit_code == 1
    assert invoke(*words, "--output", "actions.csv", "--work-dir", ".").exit_code == 0
    assert Path("actions.csv").read_bytes() == result.stdout_bytes
    one = invoke(*words, "--account", "account-1")
    assert len(one.stdout.splitlines()) == 3


def test_what_was_read_is_used_again(
    invoke: Invoke, write: Callable[..., str], simulator: Simulator, api: str
) -> None:
    """Telnyx is not asked again, unless that is wanted, or more of the history."""
    words = ("history", "--config.file", write(api))
    assert invoke(*words, "--since", "30d").exit_code == 0
    simulator.key = "KEY-refuses"
    result = invoke(*words, "--since", "7d", "--format", "csv")
    assert result.exit_code == 0
    assert "using what was read at" in result.stderr
    assert len(result.stdout.splitlines()) == 3
    for more in (["--since", "60d"], ["--since", "30d", "--again"], []):
        again = invoke(*words, *more)
        assert again.exit_code == 1
        assert "HTTP 401" in again.stderr
        assert f"{WORK_FILE}: run the same command again to go on from there" in again.stderr


def test_a_terminal_obeys_no_foreign_text(
    forks: ForkServer,
    invoke: Invoke,
    write: Callable[..., str],
    simulator: Simulator,
    api: str,
    tmp_path: Path,
) -> None:
    """A reason is escaped there, and exact in a pipe."""
    reason = "\x1b]0;title\x07 \x9b2J"
    (action,) = simulator.world.create(1, action_type="enable")
    simulator.world.finish(action, Status.FAILED, reason)
    words = ("history", "--config.file", write(api), "--format", "csv")
    assert reason in invoke(*words).stdout
    written = on_terminal(forks, tmp_path, *words)
    assert reason not in written
    assert r"\u001b]0;title\u0007 \u009b2J" in written
    assert written.count("\naccount-0,") == 3, "one for each line"


@pytest.mark.parametrize(
    ("words", "anew"),
    [([], True), (["--format", "csv"], True), (["--until", "3h"], False)],
)
def test_what_was_read_long_ago_is_read_anew(
    invoke: Invoke, write: Callable[..., str], api: str, words: list[str], *, anew: bool
) -> None:
    """Unless only what was there before is wanted."""
    command = ("history", "--config.file", write(api), *words)
    assert invoke(*command).exit_code == 0
    change(
        Path(),
        "UPDATE meta SET value = CAST(CAST(value AS REAL) - 7200 AS TEXT)"
        " WHERE name = 'finished_at'",
    )
    assert ("using what was read" in invoke(*command).stderr) is not anew
    assert "using what was read" in invoke(*command).stderr


@pytest.mark.parametrize("finished", [True, False])
def test_accounts_are_never_mixed(
    invoke: Invoke,
    write: Callable[..., str],
    simulator: Simulator,
    api: str,
    *,
    finished: bool,
) -> None:
    """What was read with another key, or of another managed account, is dropped."""
    words = ("history", "--format", "csv", "--config.file")
    assert invoke(*words, write(api)).exit_code == 0
    if not finished:
        change(Path(), "DELETE FROM meta WHERE name = 'finished_at'")
        change(Path(), "UPDATE lists SET state = json_set(state, '$.done', json('false'))")
    assert b"KEY-" not in Path(WORK_FILE).read_bytes()
    simulator.key = "KEY-other"
    (action,) = simulator.world.create(1, action_type="disable")
    simulator.world.finish(action, Status.FAILED, "Another account")
    change(Path(), "UPDATE actions SET id = 'of-the-first-account-' || id")
    other = invoke(*words, write(api, key="KEY-other"))
    assert other.exit_code == 0, other.stderr
    assert "another API key, or of another managed account" in other.stderr
    assert "Another account" in other.stdout
    assert "of-the-first-account" not in other.stdout
    managed = json.loads(Path("config.yaml").read_text(encoding="utf-8"))
    managed["accounts"][0]["managed_account_id"] = MANAGED_ID
    Path("config.yaml").write_text(json.dumps(managed), encoding="utf-8")
    assert "another API key" in invoke(*words, "config.yaml").stderr


def test_the_past_ends_where_the_counters_begin(
    invoke: Invoke, write: Callable[..., str], api: str
) -> None:
    """So there have to be some: the state says when they began, or the command line."""
    file = write(api)
    words = ("history", "--config.file", file, "--format", "openmetrics", "--output", "past.om")
    without = invoke(*words)
    assert without.exit_code == 1
    assert "does not exist" in without.stderr
    assert "start the exporter first" in without.stderr
    assert "--baseline" in without.stderr
    assert not Path(WORK_FILE).exists()

    assert invoke("once", "--config.file", file).exit_code == 0
    before = Path("telnyx-sim-exporter.db").read_bytes()
    result = invoke(*words, "--instance", "exporter:10874", "--label", "cluster=a b")
    assert result.exit_code == 0, result.stderr
    assert Path("telnyx-sim-exporter.db").read_bytes() == before, "it changes nothing"
    lines = Path("past.om").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "# EOF"
    value, end = lines[-2].split(" ")[-2:]
    assert float(value) == 0
    assert time.time() - 120 < int(end) < time.time() - 55
    assert "the past ends at" in result.stderr
    assert "Create the blocks after" in result.stderr
    labels = 'account="account-0",action_type="enable",cluster="a b",instance="exporter:10874"'
    assert any(labels in line and 'job="telnyx-sim-exporter"' in line for line in lines)


def test_a_baseline_by_hand(
    invoke: Invoke, write: Callable[..., str], api: str, tmp_path: Path
) -> None:
    """As /metrics prints it; of one account, which is named."""
    words = ("history", "--config.file", write(api), "--format", "openmetrics")
    assert invoke(*words[:3]).exit_code == 0
    change(
        tmp_path, "UPDATE actions SET created_at = created_at - 600, updated_at = updated_at - 600"
    )
    at = time.time() - 30  # on our clock; that of the API is two hours behind
    result = invoke(*words, "--baseline", number(at))
    assert result.exit_code == 0, result.stderr
    assert 'telnyx_sim_card_actions_created_total{account="account-0"' in result.stdout
    ends = [line for line in result.stdout.splitlines() if line.endswith(f" {int(at) - 60}")]
    assert ends
    assert {line.split(" ")[-2] for line in ends} == {"0.0"}
    several = invoke(*words[:2], write(api, api), *words[3:], "--baseline", "5m")
    assert several.exit_code == 2
    assert "name it with --account" in several.stderr
    future = invoke(*words[:2], write(api), *words[3:], "--baseline", f"{time.time() + 999:.0f}")
    assert future.exit_code == 1
    assert "run this again" in future.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--account", "nobody"], "account-0"),
        (["--since", "yesterday"], "30d"),
        (["--since", "2026-08-01T00:00:00"], "time zone"),
        (["--until", "60d", "--since", "30d"], "--until"),
        (["--job", "x"], "openmetrics"),
        (["--baseline", "5m"], "openmetrics"),
        (["--format", "openmetrics", "--label", "x"], "NAME=VALUE"),
        (["--format", "openmetrics", "--label", "account=x"], "already"),
        (["--format", "openmetrics", "--label", "__x=x"], "NAME=VALUE"),
        (["--work-dir", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage(
    invoke: Invoke, write: Callable[..., str], words: list[str], named: str
) -> None:
    """It is said before anything is asked or written."""
    result = invoke("history", "--config.file", write("http://127.0.0.1:1/v2"), *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert not list(Path().glob("*.db"))


@pytest.mark.parametrize("since", ["30d", "2026-08-01T00:00:00Z", "2026-08-01T00:00:00+02:00"])
def test_times_are_written_in_several_ways(
    invoke: Invoke, write: Callable[..., str], api: str, since: str
) -> None:
    """As a duration before now, or as a date and time with its zone."""
    result = invoke("history", "--config.file", write(api), "--since", since)
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_broken_off_goes_on(
    forks: ForkServer, write: Callable[..., str], tmp_path: Path, how: signal.Signals
) -> None:
    """However the process ends: no page is asked for twice, but those that were on their way."""
    simulator = Simulator(SimulatorSettings(world=replace(QUIET, history=600)), time.time)

    def run(poll: dict[str, object]) -> Forked:
        file = write(url, poll={"page_size": 10, "concurrency": 2, **poll})
        words = ("history", "--config.file", file, "--format", "csv", "--output", "actions.csv")
        nowhere = subprocess.DEVNULL
        return forks.start(*words, cwd=tmp_path, env=os.environ, stdout=nowhere, stderr=nowhere)

    with served(simulator) as url:
        first = run({"rate_limit": 30})
        end = time.monotonic() + 20
        while len(simulator.requests) < 20:
            assert time.monotonic() < end
            threading.Event().wait(0.01)
        first.send_signal(how)
        assert first.wait(20) == (-how if how is signal.SIGKILL else 128 + how)
        assert not (tmp_path / "actions.csv").exists()
        assert run({"rate_limit": 1000}).wait(20) == 0
    asked = Counter(dict(each.query)["page[number]"] for each in simulator.requests)
    # Two were on their way, and the last page is full: one more shows that it is the last.
    assert sum(asked.values()) <= 60 + 2 + 1
    assert max(asked.values()) <= 2
    rows = (tmp_path / "actions.csv").read_text(encoding="utf-8").splitlines()
    assert len(set(rows)) == 601
