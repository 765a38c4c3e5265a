"""The example for Alertmanager: it holds, sends everything to the right place, and reads well."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.domain import CONCERNS

FILES = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files"
CONFIG = FILES / "alertmanager" / "alertmanager.yaml"
TEMPLATE = FILES / "alertmanager" / "telnyx-sim-exporter.tmpl"
ALERTS = {
    rule["alert"]: rule
    for file in sorted((FILES / "rules").glob("*.yaml"))
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
RECEIVERS = {
    "critical": "telnyx-sim-pager",
    "warning": "telnyx-sim-ticket",
    "info": "telnyx-sim-chat",
}
PAGER = "pagerduty_configs"
RUNBOOK = "https://example.org/runbooks/TelnyxSimFailureRatioHigh.md"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """Parse the example."""
    parsed: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
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
        pytest.param("severity=info account=fleet-us", "telnyx-sim-chat", id="own-info"),
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


def test_messages_come_together_by_alert_account_and_type(config: dict[str, Any]) -> None:
    """No route below changes what the messages are grouped by."""
    (ours,) = config["route"]["routes"]
    own = ["account", "action_type", "concern"]
    assert ours["group_by"] == ["alertname", "cluster", "namespace", *own]
    assert not [each for each in ours["routes"] if "group_by" in each]


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("TelnyxSimExporterAbsent", "job"),
        ("TelnyxSimExporterDown", "instance"),
        ("TelnyxSimKeyRefused", "account"),
        ("TelnyxSimExporterGone", "job"),
    ],
)
def test_what_silences_others_stays_within_its_reach(
    config: dict[str, Any], source: str, label: str
) -> None:
    """Each source is an alert that there is, and silences only what shares a label with it."""
    assert source in ALERTS
    rules = [
        each
        for each in config["inhibit_rules"]
        if each["source_matchers"] == [f'alertname = "{source}"']
    ]
    assert label in rules[0]["equal"]
    assert all("job" in each["equal"] for each in rules)


def test_accounts_that_are_not_polled_have_no_problems_besides(config: dict[str, Any]) -> None:
    """Alerts that an account is not polled silence its problems, of this account alone."""
    (rule,) = (each for each in config["inhibit_rules"] if "DataStale" in str(each))
    sources, targets = (
        [name for name in ALERTS if matches(rule[f"{end}_matchers"][0], "alertname", name)]
        for end in ("source", "target")
    )
    assert sources == ["TelnyxSimPollFailing", "TelnyxSimDataStale"]
    assert targets == ["TelnyxSimCardProblems", "TelnyxSimCardProblemsOld"]
    assert rule["equal"] == ["cluster", "namespace", "job", "account"]


def test_stuck_actions_are_silenced_by_the_problems_of_their_concern(
    config: dict[str, Any],
) -> None:
    """Each known action type by its own concern, in its account."""
    rules = [each for each in config["inhibit_rules"] if "TelnyxSimActionsStuck" in str(each)]
    silenced = {
        action_type: concern
        for rule in rules
        for action_type in (*CONCERNS, "reset")
        for concern in (*CONCERNS.values(), "reset")
        if matches(rule["target_matchers"][1], "action_type", action_type)
        and matches(rule["source_matchers"][1], "concern", concern)
    }
    assert silenced == CONCERNS
    for rule in rules:
        assert rule["source_matchers"][0] == 'alertname = "TelnyxSimCardProblems"'
        assert rule["target_matchers"][0] == 'alertname = "TelnyxSimActionsStuck"'
        assert rule["equal"] == ["cluster", "namespace", "job", "account"]


def matches(matcher: str, label: str, value: str) -> bool:
    """Tell whether a matcher of Alertmanager, for equality or an expression, takes a value."""
    name, operator, wanted = matcher.split(" ", 2)
    pattern = re.escape(wanted.strip('"')) if operator == "=" else wanted.strip('"')
    assert name == label
    return re.fullmatch(pattern, value) is not None


def test_no_secret_is_in_it(config: dict[str, Any]) -> None:
    """Keys and addresses that are secret come from files."""
    keys = {
        key
        for receiver in config["receivers"]
        for kind in receiver.keys() - {"name"}
        for each in receiver[kind]
        for key in each
    }
    assert {"routing_key_file", "api_url_file"} <= keys
    assert not keys & {"routing_key", "api_url", "service_key"}


def alert(status: str, **labels: str) -> dict[str, Any]:
    """Build an alert as Alertmanager hands it to a template."""
    return {
        "status": status,
        "labels": {
            "alertname": "TelnyxSimFailureRatioHigh",
            "account": "fleet",
            "action_type": "enable",
            **labels,
        },
        "annotations": {
            "summary": f"2 failed ({labels.get('reason_class', 'none')})",
            "description": "Find the SIM cards.",
            "runbook_url": RUNBOOK,
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
            f"--template.glob={TEMPLATE}",
            f"--template.data={file}",
            f'--template.text={{{{ template "telnyx_sim.{name}" . }}}}',
        )

    return run


@pytest.mark.program("amtool")
def test_the_title_says_what_and_where(render: Callable[..., str]) -> None:
    """The number firing and the name, then the summary, or the labels where summaries differ."""
    two = [alert("firing", reason_class=name) for name in ("network", "busy")]
    assert render("title", *two) == "[FIRING:2] TelnyxSimFailureRatioHigh, account fleet, enable"
    two = [alert("firing", reason_class=name, concern="voice") for name in ("network", "busy")]
    assert render("title", *two).endswith("account fleet, enable, voice")
    assert render("title", alert("resolved", cluster="b")) == (
        "[RESOLVED] TelnyxSimFailureRatioHigh: 2 failed (none), b"
    )
    assert (
        render("title", alert("firing")) == "[FIRING:1] TelnyxSimFailureRatioHigh: 2 failed (none)"
    )


@pytest.mark.program("amtool")
def test_the_text_shows_reason_class_and_runbook(render: Callable[..., str]) -> None:
    """Each alert has its annotations, class and query; resolved ones stand apart."""
    text = render("text", alert("firing", reason_class="network"), alert("resolved"))
    firing, _, resolved = text.partition("Resolved:\n")
    assert firing.splitlines()[:5] == [
        "1 firing, 1 resolved",
        "2 failed (network)",
        "Find the SIM cards.",
        "Reason class: network",
        "Query: http://prometheus.example.org/graph",
    ]
    assert "Reason class" not in resolved
    assert text.splitlines()[-1] == f"Runbook: {RUNBOOK}"
    assert "Resolved:" not in render("text", alert("firing"))


@pytest.mark.program("amtool")
def test_the_classes_of_reasons_stand_in_one_line(render: Callable[..., str]) -> None:
    """One after the other, also where an alert has none."""
    two = [alert("firing", reason_class=name) for name in ("network", "busy")]
    assert render("reasons", *two) == "network, busy"
    assert render("reasons", alert("firing"), *two) == "network, busy"
    assert render("reasons", alert("firing")) == "none"
    assert render("runbook", *two) == RUNBOOK


def test_all_pages_have_the_same_details(config: dict[str, Any]) -> None:
    """A team of its own gets to read what the others do."""
    kinds = [each for receiver in config["receivers"] for each in receiver.get(PAGER, ())]
    details = [each["details"] for each in kinds]
    assert details == [details[0]] * 2


def test_names_in_the_chat_are_no_markup(config: dict[str, Any]) -> None:
    """Slack takes what stands between * or _ for bold or italic in the fields that are listed."""
    (chat,) = (each["slack_configs"] for each in config["receivers"] if "slack_configs" in each)
    assert [each["mrkdwn_in"] for each in chat] == [["pretext"]]
