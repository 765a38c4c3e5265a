"""`problems`: from a real state file, whether its exporter runs or not."""

import csv
import fcntl
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from exporter.domain import Action, SimCard
from exporter.ledger.problem_tracking import note_problems
from exporter.ledger.reasons import Reasons
from exporter.ledger.rules import observe
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork
from tests.cli.conftest import on_terminal
from tests.support.forking import ForkServer

Invoke = Callable[..., Result]

REASON = "[bold]SIM card[/bold] is <blocked>\nby Telnyx"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Keep a ledger open, as its exporter does: two failures and a SIM card that has names."""
    store = SqliteStore(Database(f"sqlite:///{tmp_path / 'telnyx-sim-exporter.db'}"))
    now = time.time()
    for account, cards in {"account-0": ("sim-1", "sim-2"), "gone": ("sim-3",)}.items():
        state = store.load(account)
        unit = UnitOfWork(account, Reasons.with_configured(()), str, now)
        for number, card in enumerate(cards):
            action = Action(
                id=f"{account}-{number}",
                sim_card_id=card,
                action_type="enable" if card == "sim-1" else "set_public_ip",
                status="failed",
                reason=REASON if card == "sim-1" else "=1+1",
                created_at=now - 100 + number,
                updated_at=now - 50,
            )
            unit.apply(observe(None, action, history=False, now=now), new_row=True)
        unit.sim_cards["sim-1"] = SimCard("sim-1", "8988", "", "Fleet", ("a", "b"))
        note_problems(unit, state, SnapshotOptions((), (), {}, 900.0, ()), lambda *_, **__: {})
        store.commit(state.account_id, unit, {})
    yield store
    store.close()


@pytest.mark.usefixtures("store")
def test_a_table_of_problems_and_reasons(invoke: Invoke, write: Callable[..., str]) -> None:
    """Beside a running exporter, without its key; texts that look like markup are shown as such."""
    file = write("https://api.telnyx.com/v2", key="${NOT_SET}")
    result = invoke("problems", "--config.file", file, COLUMNS="250")
    assert (result.exit_code, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    assert "2 SIM card problems" in text
    for words in ("sim-1", "8988", "Fleet", "a, b", "connectivity", "1 failed", "sim_blocked"):
        assert words in text
    assert r"[bold]SIM card[/bold] is <blocked>\nby Telnyx" in text
    assert "Failures of the last day by reason" in text
    assert "sim-3" not in text, "an account that is not configured"


ID = "6b14e151-8493-4fa1-8664-1cc4e6d14158"
ICCID = "89310410106543789301"
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
"""What makes a terminal show text in bold or in color."""


@pytest.fixture
def wide(store: SqliteStore) -> None:
    """Add a SIM card of a usual ID and ICCID, in a group of a long name, for a long reason."""
    state = store.load("account-0")
    now = time.time()
    unit = UnitOfWork("account-0", Reasons.with_configured(()), str, now)
    action = Action(
        id="long",
        sim_card_id=ID,
        action_type="a_type_of_action_that_nobody_knows",
        status="failed",
        reason="word " * 90 + "end" + "x" * 100_000,
        created_at=now - 90,
        updated_at=now - 50,
    )
    unit.apply(observe(None, action, history=False, now=now), new_row=True)
    unit.sim_cards[ID] = SimCard(ID, ICCID, "", "A group " * 30, ("tag " * 30,))
    note_problems(unit, state, SnapshotOptions((), (), {}, 900.0, ()), lambda *_, **__: {})
    store.commit(state.account_id, unit, {})


@pytest.mark.usefixtures("wide")
def test_a_pipe_has_no_width(invoke: Invoke, write: Callable[..., str]) -> None:
    """Nothing is broken over lines, whatever COLUMNS says."""
    result = invoke("problems", "--config.file", write("https://api.telnyx.com/v2"), COLUMNS="40")
    (line,) = (each for each in result.stdout.splitlines() if "A group" in each)
    assert ("A group " * 30).strip() in line
    assert len([each for each in result.stdout.splitlines() if "word word endxxx" in each]) == 2
    assert ID in result.stdout
    assert ICCID in result.stdout
    assert "x" * 500 not in result.stdout


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 160])
@pytest.mark.parametrize("accounts", [1, 2])
@pytest.mark.parametrize("command", ["problems", "actions"])
def test_a_table_fits_the_terminal(
    forks: ForkServer,
    write: Callable[..., str],
    tmp_path: Path,
    command: str,
    accounts: int,
    columns: int,
) -> None:
    """IDs stay whole where there is room: they are there to be copied, as are concerns."""
    file = write(*["https://api.telnyx.com/v2"] * accounts)
    written = on_terminal(forks, tmp_path, command, "--config.file", file, columns=columns)
    text = SEQUENCE.sub("", written)
    assert max(map(len, text.splitlines())) <= columns, text
    if command == "problems" and columns >= 100:
        for word in (ID, ICCID, "connectivity", "failed", "sim_blocked"):
            assert re.search(rf"\b{word}\b", text), text


@pytest.mark.usefixtures("wide")
def test_a_wide_table_is_not_folded(
    forks: ForkServer, write: Callable[..., str], tmp_path: Path
) -> None:
    """Each problem is one line, with the ID of the action that failed."""
    file = write("https://api.telnyx.com/v2")
    text = on_terminal(forks, tmp_path, "problems", "--config.file", file, "--wide", columns=40)
    (line,) = (each for each in text.splitlines() if "A group" in each)
    for words in (ID, ICCID, "A group " * 29, "1 failed", "word " * 90 + "end", " long "):
        assert words in line


@pytest.mark.usefixtures("store")
def test_json_is_one_problem_a_line(invoke: Invoke, write: Callable[..., str]) -> None:
    """With the URL of its page, if users reach it anywhere; nothing else, also where none is."""
    file = write("https://api.telnyx.com/v2", web={"external_url": "https://example.org/x/"})
    command = ("problems", "--config.file", file, "--format", "json")
    first, second = (json.loads(line) for line in invoke(*command).stdout.splitlines())
    assert (first["sim_card_id"], second["sim_card_id"]) == ("sim-1", "sim-2")
    assert first["reason"] == REASON
    assert first["url"] == "https://example.org/x/sim-cards/sim-1"
    assert (first["iccid"], first["sim_card_group"], first["tags"]) == ("8988", "Fleet", ["a", "b"])
    assert invoke(*command, "--status", "stuck").stdout == ""


@pytest.mark.usefixtures("store")
def test_csv_is_read_by_a_spreadsheet(invoke: Invoke, write: Callable[..., str]) -> None:
    """Only the problems: one table; nothing in it is a formula."""
    file = write("https://api.telnyx.com/v2")
    result = invoke("problems", "--config.file", file, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline="")))
    assert [(row["sim_card_id"], row["reason"]) for row in rows] == [
        ("sim-1", REASON),
        ("sim-2", "'=1+1"),
    ]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "cards"),
    [
        (["--account", "account-0"], ["sim-1", "sim-2"]),
        (["--concern", "public_ip"], ["sim-2"]),
        (["--status", "stuck"], []),
        (["--reason-class", "sim_blocked"], ["sim-1"]),
        (["--sim-card-id", "sim-2"], ["sim-2"]),
        (["--iccid", "8988"], ["sim-1"]),
        (["--sim-card-group", "Fleet"], ["sim-1"]),
        (["--tag", "b"], ["sim-1"]),
        (["--limit", "1"], ["sim-1"]),
        (["--limit", "10001"], ["sim-1", "sim-2"]),
        (["--limit", "9" * 18], ["sim-1", "sim-2"]),
    ],
)
def test_filters(
    invoke: Invoke, write: Callable[..., str], words: list[str], cards: list[str]
) -> None:
    """Each leaves what it names, and none at all is no failure."""
    file = write("https://api.telnyx.com/v2")
    result = invoke("problems", "--config.file", file, "--format", "json", *words)
    assert result.exit_code == 0
    found = [json.loads(line)["sim_card_id"] for line in result.stdout.splitlines()]
    assert found == cards
    assert ("more than 1 problems" in result.stderr) is (words == ["--limit", "1"])
    assert invoke("problems", "--config.file", file, *words).exit_code == 0


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--account", "nobody"], "--account: unknown value 'nobody'; use one of account-0"),
        (["--status", "completed"], "'completed' is not one of 'failed', 'interrupted', 'stuck'"),
        (["--reason-class", "x\ny"], r"--reason-class: unknown value 'x\ny'; use one of"),
        (["--concern", "enable"], "--concern: 'enable' is an action type"),
        (["--limit", "0"], "--limit: must be a whole number from 1, of at most 18 digits"),
        (["--limit", "-1"], "--limit: must be a whole number from 1, of at most 18 digits"),
        (["--limit", "9" * 5000], "--limit: must be a whole number from 1, of at most 18 digits"),
        (["--iccid", ""], "--iccid: is empty; leave it out for all"),
        (["--format", "xml"], "Invalid value for '--format'"),
    ],
)
def test_wrong_usage(
    invoke: Invoke, write: Callable[..., str], words: list[str], message: str
) -> None:
    """Exit code 2, and what can be given instead."""
    result = invoke("problems", "--config.file", write("https://api.telnyx.com/v2"), *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_without_a_configuration_the_default_file_is_read(invoke: Invoke, store: Any) -> None:
    """No key is needed; of an account that is not named default there is nothing."""
    store.load("default")
    result = invoke("problems")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "No SIM card problems." in result.stdout
    assert "No failures within the last day." in result.stdout


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("sqlite://", "state.url: the state is kept in the memory of the exporter"),
        ("sqlite:///nowhere.db", "state database nowhere.db does not exist; check state.url"),
        ("sqlite:///text.db", "state database text.db: file is not a database"),
    ],
)
def test_a_state_that_cannot_be_read_is_one_line(
    invoke: Invoke, write: Callable[..., str], tmp_path: Path, state: str, message: str
) -> None:
    """Exit code 1."""
    (tmp_path / "text.db").write_text("text" * 1000)
    file = write("https://api.telnyx.com/v2", state={"url": state})
    result = invoke("problems", "--config.file", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_lock_of_an_exporter_is_left_alone(
    invoke: Invoke, write: Callable[..., str], store: Any, tmp_path: Path
) -> None:
    """Who reads neither needs it nor breaks it."""
    file = write("https://api.telnyx.com/v2")
    assert invoke("problems", "--config.file", file).exit_code == 0
    with (
        (tmp_path / "telnyx-sim-exporter.db.lock").open("rb") as lock,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert len(store.load("account-0").problems) == 2


@pytest.mark.parametrize(
    ("account", "note"),
    [
        ({}, ""),
        (
            {"statuses": ["failed"]},
            "note: accounts[0]: problems are not tracked for connectivity, public_ip, voice",
        ),
        (
            {"action_types": ["enable", "enable_voice", "disable_voice"]},
            "note: accounts[0]: problems are not tracked for connectivity, because",
        ),
    ],
)
def test_check_config_names_what_is_not_watched(
    invoke: Invoke, tmp_path: Path, account: dict[str, Any], note: str
) -> None:
    """As a note: the configuration is valid."""
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"accounts": [{"api_key": "KEY-simulated", **account}]}))
    result = invoke("check-config", str(file))
    assert result.exit_code == 0
    assert "valid, 1 account(s)" in result.stdout
    assert note in result.stdout
    assert ("note:" in result.stdout) is bool(note)
