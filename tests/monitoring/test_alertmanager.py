"""The example for Alertmanager: it holds, sends everything to the right place, and reads well."""

import html
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import yaml

from exporter.cli.rule_files import objective_rules, plain_rules
from exporter.domain import CONCERNS
from tests.monitoring.inhibition import (
    Labels,
    groups,
    inhibits,
    is_inhibited,
    matches,
    notifications,
)
from tests.support.loopback import NO_TLS
from tests.support.waiting import eventually

FILES = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files"
CONFIG = FILES / "alertmanager" / "alertmanager.yaml"
TEMPLATE = FILES / "alertmanager" / "telnyx-sim-exporter.tmpl"
ALERTS = {
    rule["alert"]: rule
    for rule in (*plain_rules().rules, *objective_rules().rules)
    if "alert" in rule
}
RECEIVERS = {
    "critical": "telnyx-sim-pager",
    "warning": "telnyx-sim-ticket",
    "info": "telnyx-sim-mail",
}
PAGER = "pagerduty_configs"
PAGE = "https://sim.example.org/?account=fleet&concern=voice"
RUNBOOK = "https://example.org/runbooks/TelnyxSimFailureRatioHigh.md"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """Parse the example."""
    parsed: dict[str, Any] = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return parsed


@pytest.fixture
def amtool(program_path: Callable[[str], str]) -> Callable[..., str]:
    """Give what runs amtool, which has to succeed, and returns what it prints."""

    def run(*words: str) -> str:
        command = (program_path("amtool"), *words)
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the tests' own words
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.program("amtool")
def test_it_holds_with_its_template(amtool: Callable[..., str]) -> None:
    """Amtool accepts the example where it lies, and finds the template beside it."""
    assert "1 templates" in amtool("check-config", str(CONFIG))


@pytest.mark.program("amtool")
@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_goes_where_its_severity_says(name: str, amtool: Callable[..., str]) -> None:
    """Critical wakes somebody, warning opens a ticket, info is to be read."""
    receiver = RECEIVERS[ALERTS[name]["labels"]["severity"]]
    labels = (f"alertname={name}", f"severity={ALERTS[name]['labels']['severity']}")
    route(amtool, receiver, *labels)
    route(amtool, receiver, *labels, "account=default", "job=telnyx-sim-exporter")


@pytest.mark.program("amtool")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param("severity=critical account=lab", "telnyx-sim-chat", id="lab"),
        pytest.param("severity=warning account=lab", "telnyx-sim-chat", id="lab-warning"),
        pytest.param("severity=critical account=fleet-us", "fleet-us-pager", id="own-team"),
        pytest.param("severity=warning account=fleet-us", "telnyx-sim-ticket", id="own-ticket"),
        pytest.param("severity=info account=fleet-us", "telnyx-sim-mail", id="own-info"),
        pytest.param("severity=critical account=fleet-us2", "telnyx-sim-pager", id="alike"),
        pytest.param("severity=other", "telnyx-sim-chat", id="unknown-severity"),
        pytest.param("", "telnyx-sim-chat", id="no-severity"),
        pytest.param("alertname=HostDown severity=critical", "default", id="somebody-else"),
    ],
)
def test_accounts_and_strangers_go_their_own_way(
    labels: str, receiver: str, amtool: Callable[..., str]
) -> None:
    """An account may have its own team or none; what is not ours is left to the root."""
    route(amtool, receiver, "alertname=TelnyxSimKeyRefused", *labels.split())


@pytest.mark.program("amtool")
@pytest.mark.parametrize("name", ["TelnyxSimCardProblem", "TelnyxSimCardProblemsMany"])
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("account=default severity=warning", "telnyx-sim-ticket"),
        ("account=lab severity=warning", "telnyx-sim-chat"),
        ("account=fleet-us severity=critical", "fleet-us-pager"),
    ],
)
def test_an_alert_of_the_exporter_itself_is_routed_by_account_and_severity(
    name: str, labels: str, receiver: str, amtool: Callable[..., str]
) -> None:
    """As those of the rules; `alertmanager.labels` may raise the severity."""
    route(amtool, receiver, f"alertname={name}", *labels.split())


def route(amtool: Callable[..., str], receiver: str, *labels: str) -> None:
    """Hold an alert with these labels to one receiver; the last of a name counts."""
    given = dict(each.split("=") for each in labels)
    words = [f"{name}={value}" for name, value in given.items()]
    verify = f"--verify.receivers={receiver}"
    amtool("config", "routes", "test", f"--config.file={CONFIG}", verify, *words)


@dataclass(frozen=True, slots=True)
class Kind:
    """The severity of an alert, and the labels of its own."""

    severity: str
    labels: tuple[str, ...] = ()


BY_ACCOUNT = ("account",)
BY_TYPE = ("account", "action_type")
BY_CONCERN = ("account", "concern")
PUSHED = {
    "TelnyxSimCardProblem": Kind("warning", ("account", "concern", "sim_card_id", "status")),
    "TelnyxSimCardProblemsMany": Kind("warning", BY_ACCOUNT),
}
KINDS = {
    "TelnyxSimHardlyAnyCompletes": Kind("critical", BY_ACCOUNT),
    "TelnyxSimFailureRatioHigh": Kind("critical", BY_TYPE),
    "TelnyxSimAllDataStale": Kind("critical"),
    "TelnyxSimDataStale": Kind("critical", BY_ACCOUNT),
    "TelnyxSimKeyRefused": Kind("critical", BY_ACCOUNT),
    "TelnyxSimAccountBlocked": Kind("critical", BY_ACCOUNT),
    "TelnyxSimAccountGone": Kind("critical", BY_ACCOUNT),
    "TelnyxSimAccountUnheld": Kind("critical", BY_ACCOUNT),
    "TelnyxSimExporterAbsent": Kind("critical"),
    "TelnyxSimExporterGone": Kind("critical"),
    "TelnyxSimExporterDown": Kind("critical", ("instance",)),
    "TelnyxSimErrorBudgetBurnFast": Kind("critical", BY_ACCOUNT),
    "TelnyxSimCardProblems": Kind("warning", BY_CONCERN),
    "TelnyxSimCardProblemsGrowing": Kind("warning", BY_CONCERN),
    "TelnyxSimCardProblemsOld": Kind("warning", BY_CONCERN),
    "TelnyxSimActionsStuck": Kind("warning", BY_TYPE),
    "TelnyxSimBacklogGrowing": Kind("warning", BY_TYPE),
    "TelnyxSimBulkFailing": Kind("warning", BY_TYPE),
    "TelnyxSimBulkStalled": Kind("warning", BY_TYPE),
    "TelnyxSimAllPollsFailing": Kind("warning"),
    "TelnyxSimPollFailing": Kind("warning", BY_ACCOUNT),
    "TelnyxSimRateLimited": Kind("warning", BY_ACCOUNT),
    "TelnyxSimLedgerDrift": Kind("warning", ("account", "status")),
    "TelnyxSimCountingRestarted": Kind("warning", BY_ACCOUNT),
    "TelnyxSimConfigReloadFailed": Kind("warning", ("instance",)),
    "TelnyxSimExporterRestarting": Kind("warning", ("instance",)),
    "TelnyxSimReplicaDown": Kind("warning", ("instance",)),
    "TelnyxSimErrorBudgetBurnSlow": Kind("warning", BY_ACCOUNT),
    **PUSHED,
}
VALUES = {
    "account": ("fleet", "other"),
    "action_type": (*CONCERNS, "reset"),
    "concern": (*dict.fromkeys(CONCERNS.values()), "reset"),
    "instance": ("a:1", "b:1"),
    "sim_card_id": ("1",),
    "status": ("failed",),
}
STATES = (
    "CardProblems",
    "CardProblemsGrowing",
    "CardProblemsOld",
    "ActionsStuck",
    "BacklogGrowing",
    "BulkFailing",
    "BulkStalled",
)
BURNS = ("ErrorBudgetBurnFast", "ErrorBudgetBurnSlow")
SILENCES = {
    "HardlyAnyCompletes": {"FailureRatioHigh", *BURNS, *STATES[3:], "CardProblemsGrowing"},
    "FailureRatioHigh": {*BURNS},
    "ErrorBudgetBurnFast": {"ErrorBudgetBurnSlow"},
    "CardProblems": {"ActionsStuck"},
    "CardProblem": {"CardProblems"},
    "CardProblemsMany": {"CardProblems"},
    "AllDataStale": {"DataStale", "PollFailing", "AllPollsFailing", *STATES},
    "AllPollsFailing": {"PollFailing"},
    "DataStale": {"PollFailing", *STATES},
    "PollFailing": {*STATES},
}
"""Which alert silences which others, less those that silence all of an account or exporter."""


def short(name: str) -> str:
    """Return the name of an alert without what all names begin with."""
    return name.removeprefix("TelnyxSim")


def firing(*names: str, **labels: str) -> list[Labels]:
    """Return alerts of these names (`short`) with every value of each label that is not given."""
    found: list[Labels] = []
    for name in names:
        kind = KINDS[f"TelnyxSim{name}"]
        own = [(labels[each],) if each in labels else VALUES[each] for each in kind.labels]
        fixed = {"alertname": f"TelnyxSim{name}", "severity": kind.severity}
        if f"TelnyxSim{name}" not in PUSHED:
            fixed["job"] = "telnyx-sim-exporter"
        rest = {each: labels[each] for each in labels if each in {"cluster", "namespace"}}
        found += [
            fixed | rest | dict(zip(kind.labels, each, strict=True)) for each in product(*own)
        ]
    return found


EVERY = [each for name in KINDS for each in firing(short(name))]


def told(config: dict[str, Any], *alerts: Labels) -> list[tuple[str, str, int]]:
    """Return receiver, alert and number of alerts of each notification."""
    return sorted(
        (each.receiver, short(each.labels["alertname"]), len(each.alerts))
        for each in notifications(config, alerts)
    )


def test_the_alerts_are_those_of_the_rules() -> None:
    """What the tests below say of alerts is said of those that are shipped."""
    shipped = {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}
    assert shipped == {name: KINDS[name].severity for name in KINDS.keys() - PUSHED.keys()}


def test_every_alert_alone_is_told(config: dict[str, Any]) -> None:
    """Nothing silences itself, and each goes where its severity says."""
    wanted = {"critical": "telnyx-sim-pager", "warning": "telnyx-sim-ticket"}
    for each in EVERY:
        (note,) = notifications(config, [each])
        assert (note.receiver, note.alerts) == (wanted[each["severity"]], (each,))


def test_nothing_silences_what_silences_it(config: dict[str, Any]) -> None:
    """Not by way of others either: whatever fires together, somebody is told."""
    silenced_by = [
        {number for number, source in enumerate(EVERY) if inhibits(config, source, target)}
        for target in EVERY
    ]
    assert len([*TopologicalSorter(dict(enumerate(silenced_by))).static_order()]) == len(EVERY)


def test_each_alert_silences_what_follows_from_it_and_no_more(config: dict[str, Any]) -> None:
    """What is wrong with a whole account or exporter silences all else of it."""
    found: dict[str, set[str]] = {}
    for source, target in product(EVERY, EVERY):
        if inhibits(config, source, target):
            found.setdefault(short(source["alertname"]), set()).add(short(target["alertname"]))
    rules = {short(name): kind.labels for name, kind in KINDS.items() if name not in PUSHED}
    of_account = {name for name, labels in rules.items() if "account" in labels}
    of_target = {name for name, labels in rules.items() if "instance" in labels}
    refused = {"KeyRefused", "AccountBlocked"}
    of_all = rules.keys() - of_account - of_target - {"ExporterAbsent", "ExporterGone"}
    assert found == SILENCES | {
        "ExporterAbsent": rules.keys() - {"ExporterAbsent"},
        "ExporterGone": of_account | of_all,
        "ExporterDown": of_account | of_all | of_target - {"ExporterDown", "ReplicaDown"},
        "ReplicaDown": of_target - {"ExporterDown", "ReplicaDown"},
        "AccountGone": of_account - {"AccountGone"},
        "AccountUnheld": of_account - {"AccountGone", "AccountUnheld"},
        "KeyRefused": of_account - {"AccountGone", "AccountUnheld", *refused},
        "AccountBlocked": of_account - {"AccountGone", "AccountUnheld", *refused},
    }


def test_nothing_is_silenced_from_elsewhere(config: dict[str, Any]) -> None:
    """By another account, exporter, namespace or cluster; alerts for SIM cards know no others."""
    for source, target in product(EVERY, EVERY):
        if not inhibits(config, source, target):
            continue
        own = {each for each in ("account", "instance") if each in source}
        if source["alertname"] not in PUSHED:
            own |= {"cluster", "job"}
            own |= set() if source["alertname"] == "TelnyxSimExporterAbsent" else {"namespace"}
        if source["alertname"] == "TelnyxSimExporterDown" and "instance" not in target:
            own -= {"instance"}
        for name in own:
            assert not inhibits(config, source, {**target, name: "elsewhere"}), (source, target)


def test_stuck_actions_are_silenced_by_the_problems_of_their_concern(
    config: dict[str, Any],
) -> None:
    """Each known action type by its own concern, in its account."""
    silenced = {
        target["action_type"]: source["concern"]
        for source in firing("CardProblems", account="fleet")
        for target in firing("ActionsStuck")
        if inhibits(config, source, target)
    }
    assert silenced == CONCERNS


FUNDS = firing(
    *("HardlyAnyCompletes", "FailureRatioHigh", *BURNS, *STATES[1:2], *STATES[3:]), account="fleet"
)
"""What fires for an account that is out of funds, for each of its action types."""

TYPES = len(VALUES["action_type"])
AWAY = ("DataStale", "PollFailing", *STATES)
"""What fires for each account when none can be polled."""


@pytest.mark.parametrize(
    ("alerts", "wanted"),
    [
        pytest.param(FUNDS, [("telnyx-sim-pager", "HardlyAnyCompletes", 1)], id="out-of-funds"),
        pytest.param(
            firing("FailureRatioHigh", *BURNS, account="fleet"),
            [("telnyx-sim-pager", "FailureRatioHigh", TYPES)],
            id="many-fail",
        ),
        pytest.param(
            firing("FailureRatioHigh", action_type="enable"),
            [("telnyx-sim-pager", "FailureRatioHigh", 2)],
            id="many-fail-in-two-accounts",
        ),
        pytest.param(
            firing("AllDataStale", "AllPollsFailing", *AWAY),
            [("telnyx-sim-pager", "AllDataStale", 1)],
            id="telnyx-away",
        ),
        pytest.param(
            firing("AllPollsFailing", "PollFailing", *STATES),
            [("telnyx-sim-ticket", "AllPollsFailing", 1)],
            id="telnyx-away-at-first",
        ),
        pytest.param(
            firing(*AWAY), [("telnyx-sim-pager", "DataStale", 2)], id="accounts-not-polled"
        ),
        pytest.param(
            firing("KeyRefused", *AWAY), [("telnyx-sim-pager", "KeyRefused", 2)], id="keys-refused"
        ),
        pytest.param(
            firing("AccountBlocked", *AWAY),
            [("telnyx-sim-pager", "AccountBlocked", 2)],
            id="accounts-blocked",
        ),
        pytest.param(
            firing("AccountGone", "KeyRefused", *AWAY, account="fleet"),
            [("telnyx-sim-pager", "AccountGone", 1)],
            id="account-gone",
        ),
        pytest.param(
            firing("AccountUnheld", "KeyRefused", *AWAY),
            [("telnyx-sim-pager", "AccountUnheld", 2)],
            id="accounts-unheld",
        ),
        pytest.param(
            firing("ReplicaDown", "ExporterRestarting", instance="a:1")
            + firing("AccountUnheld", "DataStale", account="fleet"),
            [("telnyx-sim-pager", "AccountUnheld", 1), ("telnyx-sim-ticket", "ReplicaDown", 1)],
            id="replica-down",
        ),
        pytest.param(
            firing("ExporterGone", "AccountGone", "AllDataStale", "AllPollsFailing", *AWAY),
            [("telnyx-sim-pager", "ExporterGone", 1)],
            id="exporter-gone",
        ),
        pytest.param(
            firing("ExporterDown", "ExporterRestarting", "AllDataStale", "KeyRefused", *AWAY),
            [("telnyx-sim-pager", "ExporterDown", 2)],
            id="exporter-down",
        ),
        pytest.param(
            firing(*(short(name) for name in KINDS.keys() - PUSHED.keys())),
            [("telnyx-sim-pager", "ExporterAbsent", 1)],
            id="exporter-absent",
        ),
        pytest.param(
            [*FUNDS, *firing("CardProblems", "CardProblemsOld", account="fleet")],
            [
                ("telnyx-sim-pager", "HardlyAnyCompletes", 1),
                ("telnyx-sim-ticket", "CardProblems", len(VALUES["concern"])),
                ("telnyx-sim-ticket", "CardProblemsOld", len(VALUES["concern"])),
            ],
            id="a-page-silences-no-ticket-for-broken-cards",
        ),
        pytest.param(
            firing("CardProblems", "CardProblem", concern="voice"),
            [("telnyx-sim-ticket", "CardProblem", 1), ("telnyx-sim-ticket", "CardProblem", 1)],
            id="single-cards-of-two-accounts",
        ),
        pytest.param(
            [
                *firing("DataStale", namespace="a", account="fleet"),
                *firing("DataStale", namespace="b", account="fleet"),
            ],
            [("telnyx-sim-pager", "DataStale", 1), ("telnyx-sim-pager", "DataStale", 1)],
            id="two-namespaces",
        ),
        pytest.param(
            firing("DataStale", account="fleet-us") + firing("DataStale"),
            [("fleet-us-pager", "DataStale", 1), ("telnyx-sim-pager", "DataStale", 2)],
            id="own-team",
        ),
    ],
)
def test_one_cause_is_told_once(
    config: dict[str, Any], alerts: list[Labels], wanted: list[tuple[str, str, int]]
) -> None:
    """However many alerts fire for it: the rest is silenced, or comes in the same message."""
    assert told(config, *alerts) == wanted


SCENARIOS = 40
CHANGES: tuple[dict[str, str], ...] = (
    *({},) * 6,
    {"severity": "info"},
    {"severity": "other"},
    {"account": "lab"},
    {"account": "fleet-us"},
    {"alertname": "HostDown"},
)
"""What is different of some alerts, so that all routes are taken."""


ODD: dict[str, Any] = {
    "route": {
        "receiver": "rest",
        "routes": [
            {
                "matchers": ['severity = "critical"', "action_type != reset"],
                "receiver": "all",
                "group_by": ["..."],
                "continue": True,
            },
            {
                "matchers": ['account =~ "fleet.*"'],
                "group_by": ["account"],
                "routes": [{"matchers": ['concern !~ "|voice"'], "receiver": "concerns"}],
            },
        ],
    },
    "inhibit_rules": [
        {
            "source_matchers": ['alertname =~ "TelnyxSim(DataStale|PollFailing)"'],
            "target_matchers": ['alertname =~ "TelnyxSim(PollFailing|CardProblems.*)"'],
            "equal": ["account", "cluster"],
        },
        {
            "source_matchers": ['severity = "critical"', 'account = ""'],
            "target_matchers": ['severity =~ "critical|info"'],
            "equal": ["cluster", "namespace", "instance"],
        },
    ],
    "receivers": [{"name": "rest"}, {"name": "all"}, {"name": "concerns"}],
}
"""What the example does not have: a route that goes on, sources that are targets of their rule."""


@pytest.mark.program("alertmanager")
@pytest.mark.parametrize("odd", [False, True])
def test_alertmanager_reads_the_configuration_as_the_tests_do(
    config: dict[str, Any], start_alertmanager: Callable[[dict[str, Any]], str], *, odd: bool
) -> None:
    """Of alerts that fire by chance, it silences the same ones, and groups all in the same way."""
    config = ODD if odd else config
    chance = Random(15)  # noqa: S311 - no secret
    alerts: list[Labels] = []
    for number in range(SCENARIOS):
        place = {"cluster": f"c{number}"} | chance.choice(({}, {"namespace": "n"}))
        some = chance.sample(EVERY, chance.randint(1, 30))
        alerts += [{**each, **place, **chance.choice(CHANGES)} for each in some]
    alerts = [dict(each) for each in {frozenset(each.items()) for each in alerts}]
    quiet = config | {"receivers": [{"name": each["name"]} for each in config["receivers"]]}
    quiet["templates"] = []
    url = f"{start_alertmanager(quiet)}/api/v2/alerts"
    with httpx.Client(trust_env=False, verify=NO_TLS) as http:
        sent = [{"labels": each} for each in alerts]
        assert http.post(url, json=sent).status_code == httpx.codes.OK

        def groups_there() -> Grouped:
            found = http.get(f"{url}/groups").json()
            return Counter(
                (each["receiver"]["name"], pairs(each["labels"]), pairs_of(each["alerts"]))
                for each in found
            )

        def silenced_there() -> frozenset[Pairs]:
            found = http.get(url).json()
            return pairs_of(each for each in found if each["status"]["inhibitedBy"])

        ours = Counter(
            (each.receiver, pairs(each.labels), frozenset(map(pairs, each.alerts)))
            for each in groups(config, alerts)
        )
        silenced = frozenset(pairs(each) for each in alerts if is_inhibited(config, each, alerts))
        assert 0 < len(silenced) < len(alerts)

        def agree() -> bool:
            assert silenced_there() == silenced
            assert groups_there() == ours
            return True

        eventually(agree)


Pairs = frozenset[tuple[str, str]]
Grouped = Counter[tuple[str, Pairs, frozenset[Pairs]]]


def pairs(labels: Labels) -> Pairs:
    """Return labels as something that can be compared and counted."""
    return frozenset(labels.items())


def pairs_of(alerts: Iterable[dict[str, Any]]) -> frozenset[Pairs]:
    """Return the labels of the alerts of an answer."""
    return frozenset(pairs(each["labels"]) for each in alerts)


@pytest.mark.parametrize("matcher", ["", "alertname", 'alertname ~ "a"', 'a.b = "c"'])
def test_a_matcher_that_is_none_is_refused(matcher: str) -> None:
    """It would otherwise match nothing, or all."""
    with pytest.raises(ValueError, match="no matcher"):
        matches([matcher], {"alertname": "a"})


def test_every_kind_of_receiver_is_shown(config: dict[str, Any]) -> None:
    """Each route leads to a receiver, and there is one of each kind that is common."""
    kinds = {kind for each in config["receivers"] for kind in each.keys() - {"name"}}
    assert kinds == {"email_configs", PAGER, "slack_configs", "webhook_configs"}
    taken = {each["receiver"] for each in config["route"]["routes"][0]["routes"]}
    assert taken | {"default"} == {each["name"] for each in config["receivers"]}


def test_no_secret_is_in_it(config: dict[str, Any]) -> None:
    """Keys and addresses that are secret come from files."""
    keys = {
        key
        for receiver in config["receivers"]
        for kind in receiver.keys() - {"name"}
        for each in receiver[kind]
        for key in each
    }
    assert {"routing_key_file", "api_url_file", "auth_password_file"} <= keys
    assert not keys & {"routing_key", "api_url", "service_key", "auth_password", "auth_secret"}


def alert(status: str, *, reason: str = "", **labels: str) -> dict[str, Any]:
    """Build an alert as Alertmanager hands it to a template."""
    notes = {"reason_class": reason} if reason else {}
    return {
        "status": status,
        "labels": {
            "alertname": "TelnyxSimFailureRatioHigh",
            "account": "fleet",
            "action_type": "enable",
            "job": "telnyx-sim-exporter",
            "severity": "critical",
            **labels,
        },
        "annotations": {
            "summary": f"2 failed ({reason or 'none'})",
            "description": "Find the SIM cards.",
            "page_url": PAGE,
            "resolved": "It is quiet.",
            "runbook_url": RUNBOOK,
            **notes,
        },
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2026-01-01T01:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph",
        "fingerprint": "0",
    }


@pytest.fixture
def render(amtool: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Give what renders one template for some alerts."""

    def run(name: str, *alerts: dict[str, Any]) -> str:
        firing = any(each["status"] == "firing" for each in alerts)
        labels, notes = (
            dict(set.intersection(*(set(each[kind].items()) for each in alerts)))
            for kind in ("labels", "annotations")
        )
        data = {
            "receiver": "any",
            "status": "firing" if firing else "resolved",
            "alerts": alerts,
            "groupLabels": {},
            "commonLabels": labels,
            "commonAnnotations": notes,
            "externalURL": "http://alertmanager.example.org",
        }
        file = tmp_path / "data.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        return amtool(
            "template",
            "render",
            f"--template.type={'html' if name == 'html' else 'text'}",
            f"--template.glob={TEMPLATE}",
            f"--template.data={file}",
            f'--template.text={{{{ template "telnyx_sim.{name}" . }}}}',
        )

    return run


@pytest.mark.program("amtool")
def test_the_title_says_what_and_where(render: Callable[..., str]) -> None:
    """How many fire and the name, the first summary and how many more; firing alerts first."""
    name = "TelnyxSimFailureRatioHigh"
    two = [alert("firing", reason=reason) for reason in ("network", "busy")]
    assert render("title", *two) == f"[FIRING:2] {name}: 2 failed (network), and 1 more"
    over = alert("resolved", cluster="b")
    assert render("title", over, two[0]) == f"[FIRING:1] {name}: 2 failed (network)"
    assert render("title", over) == f"[RESOLVED] {name}: 2 failed (none), b"
    assert render("title", over, over) == f"[RESOLVED] {name}: 2 failed (none), and 1 more, b"
    del over["annotations"]["summary"]
    assert render("title", over) == f"[RESOLVED] {name}, b"


@pytest.mark.program("amtool")
def test_the_text_shows_each_alert(render: Callable[..., str]) -> None:
    """What it is about, since when, why, what RESOLVED means, and where to look."""
    over = alert("resolved", action_type="disable")
    text = render("text", alert("firing", reason="network"), over)
    assert (
        text
        == f"""1 firing, 1 resolved

2 failed (network)
Find the SIM cards.
Labels: account=fleet, action_type=enable
Since: 2026-01-01 00:00:00 UTC
reason_class: network
Page: {PAGE}
Source: http://prometheus.example.org/graph

Resolved:

2 failed (none)
Find the SIM cards.
Labels: account=fleet, action_type=disable
Since: 2026-01-01 00:00:00 UTC, until 2026-01-01 01:00:00 UTC
RESOLVED means: It is quiet.
Page: {PAGE}
Source: http://prometheus.example.org/graph

Runbook: {RUNBOOK}"""
    )


@pytest.mark.program("amtool")
@pytest.mark.parametrize("template", ["text", "html"])
def test_what_an_alert_does_not_have_is_left_out(render: Callable[..., str], template: str) -> None:
    """No word stands for an annotation or a link that is missing."""
    bare = alert("resolved")
    bare["annotations"] = {"summary": "2 failed", "runbook_url": RUNBOOK}
    bare["generatorURL"] = ""
    text = render(template, bare)
    assert not [word for word in ("RESOLVED means", "Page", "Source", "reason") if word in text]
    assert not render(template, alert("firing")).count("RESOLVED means")


@pytest.mark.program("amtool")
def test_the_mail_in_html_has_what_the_text_has(render: Callable[..., str]) -> None:
    """With links for addresses, and nothing that a name could break."""
    alerts = alert("firing", reason="<network>"), alert("resolved", action_type="disable")
    shown = html.unescape(re.sub(r"<br>\s*|</?(?!network)\w+[^>]*>", "\n", render("html", *alerts)))
    for line in render("text", *alerts).splitlines():
        name, _, link = line.partition(": ")
        if line and name not in {"1 firing, 1 resolved", "Resolved:"}:
            assert (name if link.startswith("http") else line) in shown.splitlines()
    for link in (PAGE, RUNBOOK, "http://prometheus.example.org/graph"):
        assert f'<a href="{html.escape(link)}">' in render("html", *alerts)
    assert "<network>" not in render("html", *alerts)


def test_all_pages_have_the_same_details(config: dict[str, Any]) -> None:
    """A team of its own gets to read what the others do."""
    kinds = [each for receiver in config["receivers"] for each in receiver.get(PAGER, ())]
    details = [each["details"] for each in kinds]
    assert details == [details[0]] * 2


def test_names_in_the_chat_are_no_markup(config: dict[str, Any]) -> None:
    """Slack takes what stands between * or _ for bold or italic in the fields that are listed."""
    (chat,) = (each["slack_configs"] for each in config["receivers"] if "slack_configs" in each)
    assert [each["mrkdwn_in"] for each in chat] == [["pretext"]]
