"""`actions`: from a real state file, and of a simulated Telnyx."""

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from exporter.domain import Action, BulkAction, BulkCounts, SimCard, Status
from exporter.ledger.reasons import Reasons
from exporter.ledger.rules import observe
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork
from exporter.simulator.faults import FaultSettings
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.cli.conftest import on_terminal, served
from tests.support.forking import ForkServer
from tests.support.simulation import QUIET

Invoke = Callable[..., Result]

HOUR = 3600.0
ID = "6b14e151-8493-4fa1-8664-1cc4e6d14158"
BULK = "47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9"
PARTLY = "9f0e1a52-6c1d-4d0b-8d5c-0a8f7f1f2b3c"
"""A bulk action of which one member is known, and one is not."""

REASON = "[bold]SIM card[/bold] is blocked"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Keep a ledger open, as its exporter does."""
    store = SqliteStore(Database(f"sqlite:///{tmp_path / 'telnyx-sim-exporter.db'}"))
    now = time.time()
    for account in ("account-0", "gone"):
        state = store.load(account)
        unit = UnitOfWork(account, Reasons.with_configured(()), str, now)
        for number, status in enumerate(("failed", "completed", "interrupted", "in-progress")):
            action = Action(
                id=f"{account}-{number}",
                sim_card_id=ID if number == 0 else f"sim-{number}",
                action_type="set_public_ip" if number == 1 else "enable",
                status=status,
                reason={0: REASON, 2: "=1+1"}.get(number),
                created_at=now - (1 + number) * HOUR,
                updated_at=now - 60,
            )
            unit.apply(observe(None, action, history=False, now=now), new_row=True)
        for number, bulk_id in enumerate((BULK, PARTLY)):
            counts = BulkCounts(1 + number, 0, 0)
            unit.bulks[bulk_id] = BulkAction(
                bulk_id, "bulk_set_public_ips", now, now, now, now, None, counts, members_page=0
            )
            unit.bulk_members[bulk_id] = (f"{account}-0",)
        unit.baseline_at = now
        unit.sim_cards["sim-2"] = SimCard("sim-2", "8988", "", "Fleet", ("a", "b"))
        store.commit(state.account_id, unit, {})
    yield store
    store.close()


@pytest.fixture
def ids(invoke: Invoke, write: Callable[..., str]) -> Callable[..., list[str]]:
    """Give what lists the ids that the command finds, beside a running exporter without a key."""
    file = write("https://api.telnyx.com/v2", key="${NOT_SET}")

    def found(*words: str) -> list[str]:
        result = invoke("actions", "--config.file", file, "--format", "json", *words)
        assert (result.exit_code, result.stderr) == (0, "")
        return [json.loads(line)["action_id"][-1] for line in result.stdout.splitlines()]

    return found


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", "0123"),
        ("--status interrupted", "2"),
        ("--account account-0 --action-type enable", "023"),
        (f"--sim-card-id {ID}", "0"),
        (f"--sim-card-id {ID.upper()}", "0"),
        (f"--bulk-id {BULK.upper()}", "0"),
        ("--iccid 8988", "2"),
        ("--reason-class sim_blocked", "0"),
        ("--since 150m", "01"),
        ("--until 150m --status in-progress", "3"),
        ("--until 2001-01-01T00:00:00Z", ""),
    ],
)
def test_filters(ids: Callable[..., list[str]], words: str, found: str) -> None:
    """Each leaves what it names, the newest first; of configured accounts only."""
    assert ids(*words.split()) == list(found)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("bulk_id", "rows"), [(PARTLY, 1), (ID, 0)])
def test_it_says_that_members_of_a_bulk_action_are_missing(
    invoke: Invoke, write: Callable[..., str], bulk_id: str, rows: int
) -> None:
    """Beside the output, which has those that are known."""
    file = write("https://api.telnyx.com/v2")
    command = ("actions", "--config.file", file, "--format", "json", "--bulk-id", bulk_id)
    result = invoke(*command)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, rows)
    assert result.stderr == (
        "Not all members of this bulk action are known; use --live to ask Telnyx for them\n"
    )


@pytest.mark.usefixtures("store")
def test_a_table_fits_the_terminal_or_is_whole(invoke: Invoke, write: Callable[..., str]) -> None:
    """In a pipe each action is one line; texts that look like markup are shown as such."""
    file = write("https://api.telnyx.com/v2")
    result = invoke("actions", "--config.file", file, COLUMNS="40")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "4 SIM card actions" in result.stdout
    (line,) = (each for each in result.stdout.splitlines() if ID in each)
    assert re.search(rf"enable failed .* {ID} .* sim_blocked {re.escape(REASON)}", line)
    assert "account-0-0" not in result.stdout
    wide = invoke("actions", "--config.file", file, "--wide", "--limit", "1")
    assert "account-0-0" in wide.stdout
    assert wide.stderr == "There are more than 1 actions; raise --limit, or narrow the filters\n"
    nothing = invoke("actions", "--config.file", file, "--sim-card-id", "x")
    assert nothing.stdout == "No actions.\n"


@pytest.mark.usefixtures("store")
def test_csv_is_for_spreadsheets(invoke: Invoke, write: Callable[..., str]) -> None:
    """With a header also where there is nothing, and nothing in it is a formula."""
    file = write("https://api.telnyx.com/v2")
    result = invoke("actions", "--config.file", file, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["status"] for row in rows] == ["failed", "completed", "interrupted", "in-progress"]
    assert (rows[2]["reason"], rows[2]["tags"]) == ("'=1+1", '["a", "b"]')
    none = invoke("actions", "--config.file", file, "--format", "csv", "--sim-card-id", "x")
    assert none.stdout.startswith("account,sim_card_id,iccid")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--status", "fialed"), "--status: unknown value 'fialed'; did you mean failed?"),
        (("--status", "a,b"), "--status: 'a,b' has characters that no status has"),
        (("--action-type", "enalbe"), "unknown value 'enalbe'; did you mean enable?"),
        (("--since", "yesterday"), "--since: 'yesterday' is not a time"),
        (("--account", ""), "--account: is empty"),
        (("--bulk-id", ""), "--bulk-id: is empty"),
        (("--live", "--iccid", "x"), "--iccid: Telnyx cannot list actions by it"),
        (("--limit", "0"), "--limit: must be a whole number"),
    ],
)
def test_a_wrong_flag_is_named(
    invoke: Invoke, write: Callable[..., str], words: tuple[str, ...], text: str
) -> None:
    """With what to do."""
    result = invoke("actions", "--config.file", write("https://api.telnyx.com/v2"), *words)
    assert result.exit_code == 2
    assert text in result.stderr


@pytest.mark.usefixtures("store")
def test_a_type_of_the_settings_is_no_misspelt_one(
    invoke: Invoke, write: Callable[..., str]
) -> None:
    """However near it is to another one."""
    file = write(accounts=[{"name": "account-0", "api_key": "KEY", "action_types": ["enabled"]}])
    result = invoke("actions", "--config.file", file, "--action-type", "enabled")
    assert (result.exit_code, result.stdout) == (0, "No actions.\n")


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        ("", ["failed", "in-progress"]),
        ("--status failed", ["failed"]),
        ("--status interrupted", []),
        ("--action-type disable", []),
        ("--reason-class sim_blocked", ["failed"]),
        ("--since 1h", []),
        ("--since 3h --limit 1", ["in-progress"]),
        ("--bulk-id 00000000-0000-0000-0000-000000000000", []),
    ],
)
def test_live_asks_telnyx(
    invoke: Invoke, api: str, write: Callable[..., str], words: str, statuses: list[str]
) -> None:
    """Without a state; what Telnyx cannot filter by is filtered here."""
    command = ("actions", "--live", "--format", "json", "--config.file", write(api))
    result = invoke(*command, *words.split())
    assert result.exit_code == 0, result.stderr
    found = sorted(json.loads(line)["status"] for line in result.stdout.splitlines())
    assert found in (statuses, ["failed"] if "--limit" in words else statuses)
    assert ("more than 1" in result.stderr) is ("--limit" in words)


def test_live_says_why_telnyx_cannot_be_asked(
    invoke: Invoke, api: str, write: Callable[..., str]
) -> None:
    """In one line, without the key."""
    file = write(api, key="KEY-of-somebody-else")
    result = invoke("actions", "--live", "--config.file", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "401" in result.stderr
    assert "somebody" not in result.stderr
    assert "account 'account-0': " in result.stderr


@pytest.mark.parametrize(
    ("limits", "words", "statuses"),
    [
        ({"action_types": ["enable", "disable"]}, "", ["failed", "in-progress"]),
        ({"action_types": ["disable"]}, "", []),
        ({"action_types": ["disable"]}, "--action-type enable", []),
        ({"statuses": ["failed", "completed"]}, "", ["failed"]),
        ({"statuses": ["completed"]}, "--status failed", []),
    ],
)
def test_live_shows_what_the_account_has(
    invoke: Invoke,
    api: str,
    write: Callable[..., str],
    limits: dict[str, list[str]],
    words: str,
    statuses: list[str],
) -> None:
    """As from the ledger: no other types and statuses than those of the settings."""
    account = {"name": "fleet", "api_key": "KEY-simulated", "base_url": api, **limits}
    file = write(accounts=[account])
    command = ("actions", "--live", "--format", "json", "--config.file", file, *words.split())
    result = invoke(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(json.loads(line)["status"] for line in result.stdout.splitlines()) == statuses


@pytest.mark.parametrize(
    ("faults", "words", "rows", "text"),
    [
        (
            FaultSettings(page_depth=10),
            (),
            10,
            "account 'account-0': 15 actions that Telnyx counts could not be read\n",
        ),
        (
            FaultSettings(filters_ignored=1),
            ("--bulk-id", ID),
            0,
            "account 'account-0': Telnyx ignores the filter of --bulk-id",
        ),
        (FaultSettings(truncated=1), (), 0, "account 'account-0': "),
    ],
    ids=["too-deep", "ignored", "truncated"],
)
def test_live_says_what_is_missing(
    invoke: Invoke,
    write: Callable[..., str],
    faults: FaultSettings,
    words: tuple[str, ...],
    rows: int,
    text: str,
) -> None:
    """And of which account: what was read is printed, but it is no success."""
    world = replace(QUIET, history=25)
    simulator = Simulator(SimulatorSettings(world=world, faults=faults), time.time)
    with served(simulator) as url:
        file = write(url, poll={"page_size": 5})
        command = ("actions", "--live", "--format", "json", "--config.file", file)
        result = invoke(*command, *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(text)
    assert len(result.stdout.splitlines()) == rows


def test_a_terminal_obeys_no_foreign_text(
    forks: ForkServer, invoke: Invoke, write: Callable[..., str], tmp_path: Path
) -> None:
    """A reason is escaped there, and exact in a pipe; no row stands on the line of the progress."""
    simulator = Simulator(SimulatorSettings(world=QUIET), time.time)
    reason = "\x1b]0;title\x07 \x9b2J"
    for each in simulator.world.create(2, action_type="enable"):
        simulator.world.finish(each, Status.FAILED, reason)
    with served(simulator) as url:
        words = ("actions", "--config.file", write(url, poll={"page_size": 1}), "--live")
        written = on_terminal(forks, tmp_path, *words, "--format", "csv")
        piped = invoke(*words, "--format", "csv").stdout
    assert reason in piped
    assert reason not in written
    assert r"\u001b]0;title\u0007 \u009b2J" in written
    shown = "\r\x1b[Kaccount-0: 1 of 2 actions read"
    _, found, after = written.partition(shown)
    assert found
    assert after.startswith("\r\x1b[Kaccount-0,")
