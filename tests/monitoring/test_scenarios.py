"""Fleets over hours and days: which alerts fire, how often, and who is woken.

Promtool evaluates the shipped rules over the series of each fleet; the shipped Alertmanager example
then says which of the alerts notify. Expected alerts are written as ``Name[@account][:type]``, with
the number of times that they begin to fire; what is not listed must not fire.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo_stack.stack import ALERTMANAGER, RULES
from exporter.cli.rule_files import plain_rules
from exporter.domain import CONCERNS
from tests.monitoring.fleet import Account, Action, Exporter, Replica, Traffic, series
from tests.monitoring.inhibition import notifications

SEVERITIES = {
    rule["alert"]: rule["labels"]["severity"] for rule in plain_rules().rules if "alert" in rule
}
HOUR = 60
DAY = 24 * HOUR
FUNDS = {("failed", "insufficient_funds"): 1.0}
NETWORK = ("failed", "network")
INTERRUPTED = {("interrupted", "none"): 1.0}
PAGER = "telnyx-sim-pager"
NOTHING: Mapping[str, int] = {}
BROKEN = {"CardProblems:connectivity": 1, "CardProblemsGrowing:connectivity": 1}
FAILING = {**BROKEN, "FailureRatioHigh:enable": 1}
STUCK = {"CardProblems:connectivity": 1, "ActionsStuck:enable": 1}
HANGING = {**BROKEN, **STUCK, "BacklogGrowing:enable": 1, "HardlyAnyCompletes": 1}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, the alerts that have to fire, and how many pages they make."""

    name: str
    exporter: Exporter
    minutes: int
    alerts: Mapping[str, int] = field(default_factory=dict)
    pages: int = 0
    resolves: bool = False
    """Nothing fires any more at the end."""


def flow(
    per_hour: float,
    hours: tuple[float, float],
    shares: Mapping[tuple[str, str], float] | None = None,
    *,
    sim_card: int = 0,
    action_type: str = "enable",
    **more: Any,
) -> Traffic:
    """Return traffic between two hours."""
    during = round(hours[0] * HOUR), round(hours[1] * HOUR)
    return Traffic(action_type, per_hour, during, shares or {}, first_sim_card=sim_card, **more)


def one(traffic: Sequence[Traffic], actions: Sequence[Action] = (), **more: Any) -> Exporter:
    """Return an exporter of one account, ``eu``."""
    return Exporter([Account("eu", traffic, actions, **more)])


def turns(per_hour: float, hours: float, **bad: Any) -> Exporter:
    """Return a fleet that is well for three hours, then not."""
    well = flow(per_hour, (0, 3))
    return one([well, flow(per_hour, (3, hours), sim_card=100_000, **bad)])


def hanging(count: int, start: int, first: int = 1) -> list[Action]:
    """Return actions that begin one a minute and never end."""
    return [Action(start + number, "enable", first + number) for number in range(count)]


def failing() -> list[Scenario]:
    """Return fleets of all sizes in which nothing completes any more, for one reason or another."""
    rates = [(600, 5), (60, 5), (15, 6), (7.5, 7)]
    found = [
        Scenario(f"{rate} an hour fail", turns(rate, hours, shares=FUNDS), hours * HOUR, FAILING, 1)
        for rate, hours in rates
    ]
    found += [
        Scenario(
            "600 an hour are interrupted",
            turns(600, 5, shares=INTERRUPTED),
            5 * HOUR,
            FAILING,
            1,
        ),
        Scenario(
            "A tenth fails and the rest is interrupted",
            turns(600, 5, shares={NETWORK: 0.1, ("interrupted", "none"): 0.9}),
            5 * HOUR,
            FAILING,
            1,
        ),
        Scenario(
            "A few an hour fail",
            one([flow(3, (0, 6)), flow(3, (6, 14), FUNDS, sim_card=1000)]),
            14 * HOUR,
            {"CardProblems:connectivity": 1, "HardlyAnyCompletes": 1},
            1,
        ),
    ]
    for rate, hours in ((600, 7), (60, 7)):
        fleet = turns(rate, hours, hang=1)
        found.append(Scenario(f"{rate} an hour hang", fleet, hours * HOUR, HANGING, 1))
    ips: dict[str, Any] = {"action_type": "set_public_ip"}
    failing = [flow(6, (0, 2), **ips), flow(8, (2, 9), FUNDS, sim_card=5000, **ips)]
    fleet = one([*failing, flow(300, (0, 4)), flow(300, (4, 9), hang=1, sim_card=10_000)])
    ip_alerts = {"FailureRatioHigh:set_public_ip": 1, "CardProblems:public_ip": 1}
    ip_alerts |= {"CardProblemsGrowing:public_ip": 1}
    name = "One type fails, and later all of another one hang"
    found.append(Scenario(name, fleet, 9 * HOUR, {**HANGING, **ip_alerts}, 1))
    return found


def mending() -> list[Scenario]:
    """Return what passes, and what is quiet but not mended."""
    return [
        Scenario(
            "It fails for two hours, then completes again",
            one(
                [
                    flow(600, (0, 3)),
                    flow(600, (3, 5), FUNDS, sim_card=10_000, mended_after=120),
                    flow(600, (5, 9), sim_card=20_000),
                ]
            ),
            9 * HOUR,
            FAILING,
            1,
            resolves=True,
        ),
        Scenario(
            "It fails for two hours, then nothing is started",
            one([flow(600, (0, 3)), flow(600, (3, 5), FUNDS, sim_card=10_000)]),
            14 * HOUR,
            FAILING,
            1,
        ),
        Scenario(
            "From one stuck action to 41",
            one([flow(60, (0, 8), sim_card=1000)], hanging(1, 10) + hanging(40, 180, 100)),
            8 * HOUR,
            {**STUCK, **BROKEN, "ActionsStuck:enable": 1},
        ),
        Scenario(
            "Ninety break besides a hundred that were broken before",
            one(
                [
                    flow(6000, (0, 1 / 60), {NETWORK: 1.0}, sim_card=50_000),
                    flow(4000, (0, 8), sim_card=100_000),
                    flow(5400, (5, 5 + 1 / 60), {NETWORK: 1.0}, sim_card=60_000),
                ]
            ),
            8 * HOUR,
            FAILING,
            1,
        ),
        Scenario(
            "Three are stuck, and the API is away eight minutes an hour",
            one(
                [flow(60, (0, 7), sim_card=1000)],
                hanging(3, 5),
                api_away=[(hour * HOUR + 20, hour * HOUR + 28) for hour in range(1, 7)],
            ),
            7 * HOUR,
            STUCK,
        ),
        Scenario(
            "Three are stuck, and the exporter is down for three hours",
            Exporter(
                [Account("eu", [flow(60, (0, 8), sim_card=1000)], hanging(3, 5))],
                [Replica([(180, 360)])],
            ),
            8 * HOUR,
            {**STUCK, "ExporterDown": 1},
            1,
        ),
    ]


def backlogs() -> list[Scenario]:
    """Return backlogs that grow fast, slowly, and not."""
    steady = flow(600, (0, 7), sim_card=100_000)
    grows = {**STUCK, **BROKEN, "BacklogGrowing:enable": 1}
    return [
        Scenario(
            f"The backlog grows by {rate / 60:g} a minute",
            one([steady, flow(rate, (0, 7), hang=1)]),
            7 * HOUR,
            grows,
        )
        for rate in (60, 1200)
    ] + [
        Scenario(
            "A bulk action takes half an hour",
            one([steady, flow(180_000, (3, 3 + 1 / 60), duration=30)]),
            7 * HOUR,
        ),
        Scenario(
            "Of a large bulk action a few fail first",
            one([flow(60, (0, 3)), flow(6000, (3, 3.5), {NETWORK: 0.004}, sim_card=10_000)]),
            4 * HOUR,
            BROKEN,
        ),
        Scenario(
            "The failures of a bulk action are seen first",
            one(
                [
                    flow(60, (0, 3)),
                    flow(297_000, (3, 3 + 1 / 60), duration=30, sim_card=10_000),
                    flow(3000, (3, 3 + 1 / 60), {NETWORK: 1.0}, duration=1, sim_card=90_000),
                ]
            ),
            5 * HOUR,
            BROKEN,
        ),
    ]


def harmless() -> list[Scenario]:
    """Return what nobody has to be woken for."""
    superseded = {("failed", "superseded"): 4 / 24}
    blocked = {("failed", "sim_blocked"): 1.0}
    return [
        Scenario(
            "Four of 24 an hour are superseded",
            one([flow(24, (0, 8), superseded, mended_after=1)]),
            8 * HOUR,
        ),
        Scenario(
            "A script retries one blocked SIM card",
            one([flow(20, (0, 8), sim_card=100), flow(22, (3, 5), blocked, sim_cards=1)]),
            8 * HOUR,
            {"CardProblems:connectivity": 1},
        ),
        Scenario(
            "A script retries one of several SIM cards that were broken before",
            one(
                [
                    flow(40, (0, 10), sim_card=100),
                    flow(600, (0, 0.05), {NETWORK: 1.0}, sim_card=50_000),
                    flow(22, (7, 9), blocked, sim_cards=1, sim_card=50_000),
                ]
            ),
            10 * HOUR,
            {"CardProblems:connectivity": 1, "FailureRatioHigh:enable": 1},
            1,
        ),
        Scenario(
            "One interruption every twenty minutes, mended soon",
            one([flow(60, (0, 6), sim_card=1000), flow(3, (0, 6), INTERRUPTED, mended_after=8)]),
            6 * HOUR,
            {"CardProblems:connectivity": 1},
        ),
    ]


def outages() -> list[Scenario]:
    """Return what happens to the exporter and to what it asks."""
    away = [Account(f"a{each}", [flow(10, (0, 6))], api_away=[(120, 240)]) for each in range(5)]
    fails = Traffic("enable", 400, (180, 255), FUNDS, first_sim_card=9000)
    each_away = {f"{name}@a{each}": 1 for name in ("PollFailing", "DataStale") for each in range(5)}
    restarts = Account("eu", [flow(60, (0, 5))], first_poll=5)
    four_of_five = {minute: "timeout" for minute in range(5 * HOUR) if minute % 5}
    found = [
        Scenario(
            "It restarts every four minutes before its first poll has ended",
            Exporter([restarts], [Replica(restarts=range(4, 5 * HOUR, 4))]),
            5 * HOUR,
            {"ExporterRestarting": 1, "DataStale": 1},
            1,
        ),
        Scenario(
            "Four of five polls fail",
            one([flow(60, (0, 5))], failing=four_of_five),
            5 * HOUR,
            {"PollFailing": 1},
        ),
        Scenario(
            "An account is dropped from the configuration",
            one([flow(60, (0, 8))], hanging(1, 10, 5001), configured=[(0, 180)]),
            8 * HOUR,
            {**STUCK, "AccountGone": 1},
            1,
        ),
        Scenario(
            "An account is added, and its first poll takes long",
            one([flow(60, (4, 8))], configured=[(240, 480)], first_poll=15),
            8 * HOUR,
        ),
        Scenario(
            "Telnyx is away for all accounts",
            Exporter(away),
            6 * HOUR,
            {"AllPollsFailing": 1, "AllDataStale": 1, **each_away},
            1,
        ),
    ]
    for renamed in (False, True):
        account = Account("eu", [flow(600, (0, 3)), fails, flow(600, (4.5, 8), sim_card=20_000)])
        fleet = Exporter([account], [Replica([(180, 260)], renamed=renamed)])
        name = f"500 fail while the exporter is down{', and another pod takes over' * renamed}"
        found.append(Scenario(name, fleet, 8 * HOUR, {**FAILING, "ExporterDown": 1}, 1))
    night = Traffic("enable", 180, (130, 590), FUNDS, first_sim_card=90_000)
    account = Account("eu", [flow(300, (0, 2)), night, flow(60, (10, 13), sim_card=20_000)])
    name = "All fail while the exporter is down for eight hours"
    fleet = Exporter([account], [Replica([(120, 600)])])
    found.append(Scenario(name, fleet, 13 * HOUR, {**FAILING, "ExporterDown": 1}, 1))
    return found


def storms() -> list[Scenario]:
    """Return one cause behind many alerts."""
    types = tuple(CONCERNS)
    flows = [flow(30, (0, 2), action_type=each, sim_card=i * 1000) for i, each in enumerate(types)]
    flows += [
        flow(30, (2, 4), FUNDS, action_type=each, sim_card=(i + 50) * 1000)
        for i, each in enumerate(types)
    ]
    concerns = set(CONCERNS.values())
    names = [
        f"{name}:{each}" for name in ("CardProblems", "CardProblemsGrowing") for each in concerns
    ]
    return [
        Scenario(
            "The account is out of funds, with eight action types",
            one(flows),
            5 * HOUR,
            {**dict.fromkeys(names, 1), **{f"FailureRatioHigh:{each}": 1 for each in types}},
            1,
        ),
        Scenario(
            "Five accounts fail at once",
            Exporter(
                [
                    Account(f"a{i}", [flow(60, (0, 3)), flow(60, (3, 5), FUNDS, sim_card=1000)])
                    for i in range(5)
                ]
            ),
            5 * HOUR,
            {
                f"{name}@a{i}{about}": 1
                for i in range(5)
                for name, about in (
                    ("CardProblems", ":connectivity"),
                    ("CardProblemsGrowing", ":connectivity"),
                    ("FailureRatioHigh", ":enable"),
                )
            },
            1,
        ),
    ]


THREE = (Replica(), Replica(), Replica())


def days() -> list[Scenario]:
    """Return days that are calm, or nearly."""
    soon: dict[str, Any] = {"mended_after": 20}
    return [
        Scenario(
            "A calm day of 100,000 SIM cards, of which 0.5 % fail",
            one([flow(4000, (0, 24), {NETWORK: 0.005}, seed=7, mended_after=30)]),
            DAY,
            {"CardProblems:connectivity": 1},
        ),
        Scenario(
            "A tenth of 60 an hour fails",
            one([flow(60, (0, 24), {NETWORK: 0.1}, seed=3, **soon)]),
            DAY,
            {"CardProblems:connectivity": 1, "FailureRatioHigh:enable": 2},
            1,
        ),
        Scenario(
            "An eighth of 60 an hour fails",
            one([flow(60, (0, 24), {NETWORK: 0.12}, seed=5, **soon)]),
            DAY,
            {"CardProblems:connectivity": 1, "FailureRatioHigh:enable": 1},
            1,
        ),
        Scenario(
            "One of three replicas is down nearly all day",
            Exporter([Account("eu", [flow(60, (0, 24))])], [Replica([(20, DAY - 20)]), *THREE[1:]]),
            DAY,
            {"ReplicaDown": 1},
            resolves=True,
        ),
    ]


KILLS = tuple(range(200, 300, 20))
"""When a replica is killed that is back ten minutes later, each time another one."""


def killed(number: int) -> Replica:
    """Return one of three replicas that are killed in turn."""
    return Replica([(each, each + 10) for each in KILLS[number::3]])


def replicas() -> list[Scenario]:
    """Return what happens to three replicas that share a ledger."""
    well = [Account(f"a{each}", [flow(60, (0, 8))]) for each in range(3)]
    fails = [flow(600, (0, 3)), flow(600, (3, 5), FUNDS, sim_card=10_000)]
    four_of_five = {minute: "timeout" for minute in range(6 * HOUR) if minute % 5}
    names = ("CardProblems@a0:connectivity", "ActionsStuck@a0:enable")
    stuck = Account("a0", [flow(60, (0, 8), sim_card=1000)], hanging(3, 5))
    return [
        Scenario("Two stand by", Exporter([well[0]], THREE), 8 * HOUR),
        *(
            Scenario(
                f"The holder is killed {after} minutes after all began to fail",
                Exporter([Account("eu", fails)], [Replica([(180 + after, 220)]), *THREE[1:]]),
                7 * HOUR,
                {**FAILING, "ReplicaDown": 1} if after < 30 else FAILING,
                1,
            )
            for after in (0, 12, 35)
        ),
        Scenario(
            "Replicas are killed in turn while Telnyx fails three of four polls",
            Exporter(
                [Account("eu", [flow(60, (0, 6))], failing=four_of_five)],
                [killed(each) for each in range(3)],
            ),
            6 * HOUR,
            {"PollFailing": 1},
        ),
        Scenario(
            "Replicas are killed in turn while three actions are stuck",
            Exporter([stuck, *well[1:]], [killed(each) for each in range(3)]),
            8 * HOUR,
            dict.fromkeys(names, 1),
        ),
        Scenario(
            "Rolling restarts, as other pods, of which the first polls take long",
            Exporter(
                [Account(f"a{each}", [flow(60, (0, 8))], first_poll=8) for each in range(3)],
                [
                    Replica(
                        stopped=[(at + each, at + each + 2) for at in (120, 180, 240)], renamed=True
                    )
                    for each in (0, 3, 6)
                ],
            ),
            8 * HOUR,
        ),
        Scenario(
            "The database is away for two hours",
            Exporter([stuck, *well[1:]], THREE, database_away=[(120, 240)]),
            8 * HOUR,
            {
                **dict.fromkeys(names, 1),
                **{f"{name}@a{i}": 1 for name in ("AccountUnheld", "DataStale") for i in range(3)},
            },
            1,
        ),
        Scenario(
            "All are down for an hour",
            Exporter(well, [Replica([(120, 180)])] * 3),
            6 * HOUR,
            {"ExporterDown": 3},
            1,
            resolves=True,
        ),
        Scenario(
            "Telnyx is away for all accounts, whoever polls them",
            Exporter(
                [
                    Account(f"a{each}", [flow(10, (0, 6))], api_away=[(120, 240)])
                    for each in range(3)
                ],
                [Replica(), Replica([(150, 155)]), Replica(stopped=[(170, 172)])],
            ),
            6 * HOUR,
            {
                "AllPollsFailing": 1,
                "AllDataStale": 1,
                **{f"{name}@a{i}": 1 for name in ("PollFailing", "DataStale") for i in range(3)},
            },
            1,
        ),
        Scenario(
            "An account is dropped from the configuration of all",
            Exporter([Account("eu", [flow(60, (0, 8))], configured=[(0, 180)]), *well[1:]], THREE),
            8 * HOUR,
            {"AccountGone": 1},
            1,
        ),
    ]


SCENARIOS = [
    *(*failing(), *mending(), *backlogs(), *harmless()),
    *(*outages(), *storms(), *days(), *replicas()),
]
LASTING = (5, 7, 9, 14, 24)
"""Hours: the scenarios between two of them are evaluated together.

Promtool takes as long for the rules themselves as for the series of some scenarios, and evaluates a
file as long as its longest scenario lasts.
"""

STEP = 5
"""Minutes between two evaluations: five at most, as far as Prometheus looks back for a sample."""


def labels_of(key: str, number: int) -> dict[str, str]:
    """Return the labels of an alert that is written as in this module's docstring."""
    found = re.fullmatch(r"(\w+)(?:@(\w+))?(?::(\w+))?", key)
    assert found is not None
    name, account, about = found.groups()
    alert = f"TelnyxSim{name}"
    labels = {"alertname": alert, "severity": SEVERITIES[alert], "namespace": f"s{number}"}
    if not name.startswith(("All", "Exporter", "Replica")):
        labels["account"] = account or "eu"
    if about:
        labels["concern" if about in CONCERNS.values() else "action_type"] = about
    return labels


def sample(labels: Mapping[str, str], value: int) -> dict[str, Any]:
    """Return an expected sample of promtool."""
    pairs = ", ".join(f'{name}="{text}"' for name, text in labels.items())
    return {"labels": f"{{{pairs}}}", "value": value}


@pytest.mark.program("promtool")
@pytest.mark.parametrize("hours", LASTING)
def test_alerts_fire_as_often_as_they_should(
    program_path: Callable[[str], str], tmp_path: Path, hours: int
) -> None:
    """Each alert begins to fire as often as expected, and no other does.

    With the shipped relabelling of the series of accounts, and without for one replica.
    """
    above = max((each for each in LASTING if each < hours), default=0)
    every = [*((each, True) for each in SCENARIOS), *((each, False) for each in outages())]
    chosen = [pair for pair in every if above * HOUR < pair[0].minutes <= hours * HOUR]
    inputs, checks = [], []
    for number, (scenario, relabelled) in enumerate(chosen):
        namespace = f"s{number}"
        inputs += series(scenario.exporter, scenario.minutes, namespace, relabelled=relabelled)
        firing = f'ALERTS{{alertstate="firing", namespace="{namespace}"}}'
        begins = f"({firing} unless {firing} offset {STEP}m)[{scenario.minutes}m:{STEP}m]"
        labels = "alertname, severity, namespace, account, action_type, concern"
        expected = [sample(labels_of(key, number), count) for key, count in scenario.alerts.items()]
        checks.append(
            {
                "expr": f"sum by ({labels}) (count_over_time({begins}))",
                "eval_time": f"{scenario.minutes - 1}m",
                "exp_samples": expected,
            }
        )
        if scenario.resolves:
            end = f"{scenario.minutes - 1}m"
            checks.append({"expr": firing, "eval_time": end, "exp_samples": []})
    case = {
        "name": f"{hours} hours",
        "interval": "1m",
        "input_series": inputs,
        "promql_expr_test": checks,
    }
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}m", "tests": [case]}
    file = tmp_path / "scenarios.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    command = (program_path("promtool"), "test", "rules", str(file))
    env = {**os.environ, "GOMAXPROCS": "1"}  # it computes one by one, and others need the cores
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - our own file
    names = "\n".join(f"s{number}: {each.name}" for number, (each, _) in enumerate(chosen))
    assert run.returncode == 0, f"{run.stdout}{run.stderr}\n{names}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_one_cause_is_one_page(scenario: Scenario) -> None:
    """Of all alerts of a scenario, routes and inhibition let so many pages through.

    Here they all fire at once; the chain of real programs shows them in time.
    """
    config = yaml.load(ALERTMANAGER.read_text("utf-8"), Loader=yaml.CSafeLoader)
    firing = [{"job": "telnyx-sim-exporter", **labels_of(key, 0)} for key in scenario.alerts]
    for each in firing:
        if each["alertname"].startswith(("TelnyxSimExporter", "TelnyxSimReplica")):
            each["instance"] = "10.0.0.1:10874"
    pages = [each for each in notifications(config, firing) if each.receiver == PAGER]
    assert len(pages) == scenario.pages
