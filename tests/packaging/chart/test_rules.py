import copy
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from exporter.cli.main import main
from exporter.cli.rule_files import objective_rules, plain_rules
from tests.docs.documents import blocks
from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, LEAST, Helm, HelmError, Rendering, least, read_yaml

FILES = CHART / "files" / "rules"
PLAIN = FILES / "telnyx-sim-exporter.rules.yaml"
OBJECTIVE = FILES / "telnyx-sim-exporter-objective.rules.yaml"
ALERT = "TelnyxSimCardProblems"
HALVED = {
    each.name: float(each.default) / 2
    for file in (plain_rules(), objective_rules())
    for each in file.thresholds.values()
}
"""Every threshold, at a value that it may have."""

FLAGS = re.MULTILINE | re.DOTALL


def groups(rendering: Rendering) -> list[Json]:
    """Give the groups of rules."""
    found: list[Json] = rendering.one("PrometheusRule")["spec"]["groups"]
    return found


def read(text: str) -> Any:
    """Parse YAML, in C."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def alerts(rendering: Rendering) -> dict[str, Json]:
    """Give the alerts by their names."""
    return {
        rule["alert"]: rule
        for group in groups(rendering)
        for rule in group["rules"]
        if "alert" in rule
    }


@pytest.fixture(scope="module")
def render(helm: Helm) -> Callable[..., Rendering]:
    """Give what renders the chart with its rules, also where no value is about them."""

    def with_rules(values: Json = LEAST) -> Rendering:
        return helm.render({"prometheusRule": {}} | values)

    return with_rules


@pytest.fixture
def overridden(render: Callable[..., Rendering]) -> Callable[..., dict[str, Json]]:
    """Give the alerts where one is changed."""

    def alter(**change: Any) -> dict[str, Json]:
        return alerts(render(least(prometheusRule={"alerts": {ALERT: change}})))

    return alter


def test_the_rules_are_those_of_the_file(render: Callable[..., Rendering]) -> None:
    """Expressions, texts and order stay as they are where nothing is overridden."""
    assert groups(render()) == read_yaml(PLAIN)["groups"]


def test_the_objective_comes_after_them(render: Callable[..., Rendering]) -> None:
    """Its file is shipped where it is asked for, whole."""
    with_objective = render(least(prometheusRule={"objective": True}))
    assert groups(with_objective) == read_yaml(PLAIN)["groups"] + read_yaml(OBJECTIVE)["groups"]


def test_every_file_of_rules_is_shipped() -> None:
    """No file lies there that the chart forgets."""
    assert sorted(FILES.iterdir()) == sorted([PLAIN, OBJECTIVE])


def test_what_prometheus_fills_in_is_left_alone(render: Callable[..., Rendering]) -> None:
    """The chart's own templates do not eat those of the descriptions."""
    told = " ".join(str(each["annotations"]) for each in alerts(render()).values())
    assert "{{ $labels." in told
    assert "{{ $value" in told


@pytest.mark.program("promtool")
def test_promtool_takes_the_rendered_rules(
    render: Callable[..., Rendering], program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """With everything on and overridden, they are rules of Prometheus still."""
    change = {"for": "1h", "severity": "info", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    values = least(prometheusRule={"objective": True, "alerts": {ALERT: change}})
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(render(values).one("PrometheusRule")["spec"]), encoding="utf-8")
    command = (program_path("promtool"), "check", "rules", str(file))
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_disabled_alert_is_gone(
    render: Callable[..., Rendering], overridden: Callable[..., dict[str, Json]]
) -> None:
    """It alone; the others are as they were."""
    before = alerts(render())
    assert overridden(disabled=True) == {k: v for k, v in before.items() if k != ALERT}
    assert overridden(disabled=False) == before


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        pytest.param({"for": "1h"}, ("for",), "1h", id="for"),
        pytest.param({"keepFiringFor": "30m"}, ("keep_firing_for",), "30m", id="keep-firing-for"),
        pytest.param({"severity": "info"}, ("labels", "severity"), "info", id="severity"),
        pytest.param({"labels": {"team": "sims"}}, ("labels", "team"), "sims", id="label"),
        pytest.param(
            {"labels": {"severity": "page"}}, ("labels", "severity"), "page", id="severity-as-label"
        ),
        pytest.param(
            {"annotations": {"runbook_url": "https://example.org/x"}},
            ("annotations", "runbook_url"),
            "https://example.org/x",
            id="annotation",
        ),
        pytest.param(
            {"annotations": {"note": "{{ $labels.account }}"}},
            ("annotations", "note"),
            "{{ $labels.account }}",
            id="annotation-that-prometheus-fills-in",
        ),
    ],
)
def test_one_thing_of_one_alert_changes(
    render: Callable[..., Rendering],
    overridden: Callable[..., dict[str, Json]],
    change: Json,
    path: tuple[str, ...],
    value: str,
) -> None:
    """What is overridden changes, and nothing else of it or of another alert."""
    expected = copy.deepcopy(alerts(render()))
    holder = expected[ALERT]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    assert overridden(**change) == expected


def test_a_group_without_rules_is_left_out(render: Callable[..., Rendering]) -> None:
    """Prometheus' operator is not given an empty group."""
    off = {
        rule["alert"]: {"disabled": True}
        for group in read_yaml(PLAIN)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    left = groups(render(least(prometheusRule={"alerts": off})))
    assert [each["name"] for each in left if not each["rules"]] == []
    expected = [
        {**each, "rules": [rule for rule in each["rules"] if "alert" not in rule]}
        for each in read_yaml(PLAIN)["groups"]
    ]
    assert left == [each for each in expected if each["rules"]]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"thresholds": {"objective": 0.5}}, ["objective=0.5"], id="threshold"),
        pytest.param({"thresholds": {"objective": "0.95"}}, ["objective=0.95"], id="as-text"),
        pytest.param({"thresholds": {"objective": 0.00001}}, ["objective=0.00001"], id="small"),
        pytest.param(
            {"thresholds": HALVED},
            [f"{name}={value:g}" for name, value in HALVED.items()],
            id="every-threshold",
        ),
        pytest.param(
            {"commonLabels": {"team": "iot", "tier": "1"}},
            ["labels.team=iot", "labels.tier=1"],
            id="labels",
        ),
        pytest.param(
            {"runbookUrl": "https://wiki.example.org/runbooks//"},
            ["runbook_url=https://wiki.example.org/runbooks//"],
            id="runbooks",
        ),
        pytest.param(
            {"pageUrl": "https://exporter.example.org/"},
            ["page_url=https://exporter.example.org/"],
            id="page",
        ),
        pytest.param(
            {
                "alerts": {
                    ALERT: {"for": "0", "severity": "critical"},
                    "TelnyxSimDataStale": {"disabled": True},
                    "TelnyxSimErrorBudgetBurnSlow": {"for": "1h", "keepFiringFor": "30m"},
                },
                "commonLabels": {"team": "iot"},
            },
            [
                *(f"{ALERT}.for=0", f"{ALERT}.severity=critical"),
                *("TelnyxSimDataStale.disabled=true", "labels.team=iot"),
                "TelnyxSimErrorBudgetBurnSlow.for=1h",
                "TelnyxSimErrorBudgetBurnSlow.keep_firing_for=30m",
            ],
            id="alerts",
        ),
    ],
)
def test_the_command_prints_the_same_rules(
    render: Callable[..., Rendering], section: Json, words: list[str]
) -> None:
    """One setting means the same to the chart and to `telnyx-sim-exporter rules`."""
    settings = [word for each in words for word in ("--set", each)]
    printed = CliRunner().invoke(main, ["rules", "--objective", *settings])
    assert printed.exit_code == 0, printed.output
    rendered = render(least(prometheusRule={"objective": True, **section}))
    assert groups(rendered) == read(printed.stdout)["groups"]


def test_the_examples_of_the_documentation_say_the_same(render: Callable[..., Rendering]) -> None:
    """The call of the command and the values beside it give the same rules."""
    (values,) = (each for each in blocks("yaml", "# values.yaml") if "prometheusRule" in each)
    (call,) = re.findall(r"^telnyx-sim-exporter (rules .*?) > ", "\n".join(blocks("sh")), FLAGS)
    printed = CliRunner().invoke(main, shlex.split(call.replace("\\\n", "")))
    assert printed.exit_code == 0, printed.output
    assert groups(render(LEAST | read(values))) == read(printed.stdout)["groups"]


@pytest.mark.parametrize("label", sorted(plain_rules().labels | objective_rules().labels))
def test_labels_of_the_rules_are_not_common_ones(
    render: Callable[..., Rendering], label: str
) -> None:
    """The chart refuses the same labels as the command."""
    with pytest.raises(HelmError, match=label):
        render(least(prometheusRule={"commonLabels": {label: "x"}}))


@pytest.mark.parametrize(
    ("external", "page", "linked"),
    [
        ("https://example.org/telnyx/", "", "https://example.org/telnyx/"),
        ("https://example.org/telnyx", "https://inner.example.org", "https://inner.example.org/"),
        ("https://${HOST}/telnyx", "", None),
        (None, "", None),
    ],
)
def test_alerts_link_to_the_page(
    render: Callable[..., Rendering], external: str | None, page: str, linked: str | None
) -> None:
    """To that of the configuration where it can be known, unless the rules have their own."""
    web = {} if external is None else {"external_url": external}
    rendered = render(least(config={"web": web}, prometheusRule={"pageUrl": page}))
    problems = "{{ with $labels.account }}problems?account={{ . | urlquery }}{{ end }}"
    links = {each["annotations"].get("page_url") for each in alerts(rendered).values()}
    assert links == {linked and linked + problems}


def test_an_override_of_one_alert_wins(render: Callable[..., Rendering]) -> None:
    """Over what is set for all of them."""
    own = {
        "labels": {"team": "billing"},
        "annotations": {
            "runbook_url": "https://x.example.org",
            "page_url": "https://y.example.org",
        },
    }
    section = {
        "commonLabels": {"team": "iot"},
        "runbookUrl": "https://wiki.example.org",
        "pageUrl": "https://exporter.example.org",
        "alerts": {ALERT: own},
    }
    found = alerts(render(least(prometheusRule=section)))
    assert found[ALERT]["labels"]["team"] == "billing"
    assert found[ALERT]["annotations"].items() >= own["annotations"].items()
    assert found["TelnyxSimDataStale"]["labels"]["team"] == "iot"


def test_rules_lie_where_prometheus_looks(render: Callable[..., Rendering]) -> None:
    """Namespace, labels and annotations are the user's."""
    section = {"namespace": "monitoring", "labels": {"release": "x"}, "annotations": {"a/b": "c"}}
    about = render(least(prometheusRule=section)).one("PrometheusRule")["metadata"]
    assert about["namespace"] == "monitoring"
    assert about["labels"]["release"] == "x"
    assert about["annotations"]["a/b"] == "c"
