"""`problems --live`: what the list of Telnyx tells alone, by the truth of a simulated account."""

import csv
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from exporter.domain import Status
from exporter.simulator.faults import FaultSettings
from exporter.simulator.settings import ListOrder, SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.cli.conftest import served
from tests.support.simulation import QUIET, ManualClock

Invoke = Callable[..., Result]

HOUR = 3600.0
TYPES = ("enable", "disable", "set_public_ip", "enable_voice", "a_new_type")


def live(invoke: Invoke, file: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the problems that the command prints as JSON."""
    result = invoke("problems", "--live", "--format", "json", "--config.file", file, *words)
    assert result.exit_code == code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("order", ListOrder)
def test_they_are_those_of_the_account(
    invoke: Invoke, write: Callable[..., str], order: ListOrder
) -> None:
    """Whatever the order of the list; of few SIM cards, to which much happens."""
    clock = ManualClock(time.time() - 30 * 24 * HOUR)
    world = replace(QUIET, sim_cards=12, order=order)
    simulator = Simulator(SimulatorSettings(world=world), clock)
    chance = random.Random(order)  # noqa: S311 # nothing to guess
    running: list[str] = []
    for _ in range(300):
        clock.advance(chance.uniform(0, HOUR))
        simulator.tick()
        running += simulator.world.create(action_type=chance.choice(TYPES))
        if len(running) > 5:
            ended = running.pop(chance.randrange(len(running)))
            status = chance.choice((Status.COMPLETED, Status.FAILED, Status.INTERRUPTED))
            simulator.world.finish(ended, status, "SIM card is blocked")
            if status is Status.INTERRUPTED and chance.random() < 0.5:
                simulator.world.finish(ended, Status.COMPLETED)
    with served(simulator) as url:
        patient = write(url, poll={"page_size": 30}, stuck_after={"default": "90d"})
        found = live(invoke, patient)
    truth = {
        (card, concern): (action.id, action.status)
        for (card, concern), action in simulator.world.record().problems.open.items()
    }
    assert len(truth) > 5
    told = {
        (each["sim_card_id"], each["concern"]): (each["action_id"], each["status"])
        for each in found
    }
    assert told == truth
    assert [each["opened_at"] for each in found] == sorted(each["opened_at"] for each in found)


@pytest.fixture
def broken() -> Simulator:
    """Give an account of five SIM cards: failed twice, interrupted, mended, tried again, stuck."""
    clock = ManualClock(time.time() - 48 * HOUR)
    simulator = Simulator(SimulatorSettings(world=QUIET), clock)
    cards = [simulator.world.sim_cards.card(number).id for number in range(5)]
    for step, (card, action_type, status) in enumerate(
        (
            (0, "enable", Status.FAILED),
            (0, "enable", Status.FAILED),
            (1, "set_public_ip", Status.INTERRUPTED),
            (2, "enable", Status.FAILED),
            (2, "disable", Status.COMPLETED),
            (3, "enable", Status.FAILED),
            (3, "enable", None),
            (4, "enable", None),
        )
    ):
        # The last five are of today.
        clock.now = time.time() - (40 if step < 3 else 8) * HOUR + step * HOUR
        simulator.tick()
        (action,) = simulator.world.create(action_type=action_type, sim_card_id=cards[card])
        if status is not None:
            simulator.world.finish(action, status, "Insufficient funds." if card else "other words")
    clock.now = time.time()
    return simulator


@pytest.fixture
def file(broken: Simulator, write: Callable[..., str]) -> Any:
    """Serve that account; give a configuration for it."""
    with served(broken) as url:
        yield write(url, stuck_after={"default": "30m"}, poll={"page_size": 3})


def test_each_has_all_that_is_known(invoke: Invoke, file: str, broken: Simulator) -> None:
    """Attempts and retries among it; how long an action may take is said by the settings."""
    cards = {broken.world.sim_cards.card(number).id: number for number in range(5)}
    found = {cards[each["sim_card_id"]]: each for each in live(invoke, file)}
    shown = {
        card: (each["status"], each["attempts"], each["retrying"], each["reason_class"])
        for card, each in found.items()
    }
    assert shown == {
        0: ("failed", 2, False, "other"),
        1: ("interrupted", 1, False, "insufficient_funds"),
        3: ("stuck", 1, False, ""),
        4: ("stuck", 0, False, ""),
    }


@pytest.mark.parametrize(
    ("words", "cards"),
    [
        ("--concern connectivity", {0, 3, 4}),
        ("--status interrupted", {1}),
        ("--reason-class insufficient_funds", {1}),
        ("--sim-card-id {0}", {0}),
        ("--account account-0 --status stuck", {3, 4}),
        ("--since 1d", {3, 4}),
        ("--since 1d --status failed", set()),
    ],
)
def test_filters(invoke: Invoke, file: str, broken: Simulator, words: str, cards: set[int]) -> None:
    """As of the ledger; --since leaves out what was created before."""
    ids = [broken.world.sim_cards.card(number).id for number in range(5)]
    found = live(invoke, file, *words.format(*ids).split())
    assert {ids.index(each["sim_card_id"]) for each in found} == cards


def test_a_retry_that_is_not_stuck(
    invoke: Invoke, broken: Simulator, write: Callable[..., str]
) -> None:
    """It says that the problem is being worked on."""
    with served(broken) as url:
        file = write(url, stuck_after={"default": "30d"})
        found = live(invoke, file, "--sim-card-id", broken.world.sim_cards.card(3).id)
    assert [(each["status"], each["retrying"]) for each in found] == [("failed", True)]


def test_every_format_says_what_it_is(invoke: Invoke, file: str) -> None:
    """On standard error; failures of the last day are below the table."""
    command = ("problems", "--live", "--config.file", file)
    table = invoke(*command, "--limit", "2")
    assert table.exit_code == 0
    text = " ".join(table.stdout.split())
    assert "2 SIM card problems" in text
    assert "Failures of the last day by reason" in text
    assert "insufficient_funds" in text
    assert "There are more than 2 problems" in table.stderr
    found = invoke(*command, "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(found.stdout)))) == 4
    for each in (table, found):
        assert "failures of long ago count as well" in each.stderr
    assert not list(Path(tempfile.gettempdir()).glob("telnyx-sim-problems-*"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--live --iccid 89", "--iccid: Telnyx's actions do not tell it"),
        ("--live --sim-card-group Fleet", "--sim-card-group: Telnyx's actions"),
        ("--live --tag x", "--tag: Telnyx's actions"),
        ("--live --since soon", "--since: 'soon' is not a time"),
        ("--live --concern enable", "its concern is connectivity"),
        ("--since 30d", "--since: the ledger tells of all open problems"),
    ],
)
def test_what_cannot_be_told_is_refused(
    invoke: Invoke, write: Callable[..., str], words: str, text: str
) -> None:
    """With what to do."""
    result = invoke("problems", "--config.file", write("https://api.telnyx.com/v2"), *words.split())
    assert result.exit_code == 2
    assert text in result.stderr


def test_what_is_missing_is_no_success(invoke: Invoke, write: Callable[..., str]) -> None:
    """What was read is printed."""
    world, faults = replace(QUIET, history=25), FaultSettings(page_depth=10)
    with served(Simulator(SimulatorSettings(world=world, faults=faults), time.time)) as url:
        command = ("problems", "--live", "--config.file", write(url, poll={"page_size": 5}))
        result = invoke(*command, "--format", "json")
    assert result.exit_code == 1
    assert "account 'account-0': 15 actions that Telnyx counts could not be read" in result.stderr
    lines = result.stdout.splitlines()
    assert lines
    assert all(json.loads(line)["sim_card_id"] for line in lines)


def test_a_key_that_is_refused_is_one_line(
    invoke: Invoke, broken: Simulator, write: Callable[..., str]
) -> None:
    """Without the key."""
    with served(broken) as url:
        file = write(url, key="KEY-of-somebody-else")
        result = invoke("problems", "--live", "--config.file", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("account 'account-0': ")
    assert "401" in result.stderr
    assert "somebody" not in result.stderr


def test_an_account_that_hides_repairs_says_so(
    invoke: Invoke, broken: Simulator, write: Callable[..., str]
) -> None:
    """Its problems are not guessed."""
    with served(broken) as url:
        account = {"name": "fleet", "api_key": "KEY-simulated", "base_url": url}
        file = write(accounts=[account | {"statuses": ["failed"]}])
        result = invoke("problems", "--live", "--config.file", file)
    assert result.exit_code == 0
    assert "No SIM card problems." in result.stdout
    assert "account 'fleet': problems are not tracked for connectivity" in result.stderr
