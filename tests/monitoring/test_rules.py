"""Hold the shipped rules to what the code exports, and run their tests."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, ProcessCollector

from exporter.cli.main import main
from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.definition import MetricType

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("rules")
RULES = ROOT / "helm" / "telnyx-sim-exporter" / "files" / "rules"
FILES = sorted(RULES.iterdir())
RUNBOOK_URL = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/blob/main/docs/runbooks"

JOB = "telnyx-sim-exporter"
SEVERITIES = {"critical", "warning", "info"}
LOOKUP = re.compile(r'{{-? with printf "([^"]*)"[^}]* \| query -?}}')

REPLICA = {"instance", "pod", "container", "endpoint", "node"}
"""The labels of a target that tell replicas apart."""

TARGET = REPLICA | {"job", "namespace"}
"""The labels of a target that are named anywhere."""

TOLD = {"instance", "namespace", "cluster"}
"""The labels of a target, or of its Prometheus, that messages may name or look things up by."""

LABELS: dict[str, set[str]] = {"up": set()}
"""The labels of each metric by its name, without those of the target; Prometheus adds up."""

for _family in ProcessCollector(registry=CollectorRegistry()).collect():
    LABELS |= {sample.name: set(sample.labels) for sample in _family.samples}

for _metric in CATALOGUE:
    if _metric.metric_type is MetricType.HISTOGRAM:
        for _suffix in ("_bucket", "_count", "_sum"):
            LABELS[_metric.name + _suffix] = {*_metric.labels, "le"}
    else:
        LABELS[_metric.name] = set(_metric.labels)
OWN_LABELS = set(chain.from_iterable(LABELS.values()))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as it stands in its file."""

    file: str
    group: str
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """Give what it is called, alert or record."""
        return str(self.raw.get("alert") or self.raw["record"])

    @property
    def expression(self) -> str:
        """Give its PromQL."""
        return str(self.raw["expr"])

    @property
    def lookups(self) -> list[str]:
        """Give the PromQL that its messages ask, with some text for each label."""
        texts = " ".join(self.raw.get("annotations", {}).values())
        return [query.replace("%q", '"x"') for query in LOOKUP.findall(texts)]


def load(text: str) -> Any:
    """Parse YAML, in C."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def read_rules() -> Iterator[Rule]:
    """Give every rule of every file."""
    for file in FILES:
        for group in load(file.read_text(encoding="utf-8"))["groups"]:
            yield from (Rule(file.name, group["name"], raw) for raw in group["rules"])


ALL_RULES = list(read_rules())
ALERTS = [rule for rule in ALL_RULES if "alert" in rule.raw]
RECORDS = [rule for rule in ALL_RULES if "record" in rule.raw]
RECORDED = {rule.name for rule in RECORDS}


def each(rules: list[Rule]) -> pytest.MarkDecorator:
    """Run a test for each of the rules, under its name."""
    return pytest.mark.parametrize("rule", rules, ids=[rule.name for rule in rules])


def nodes(expression: str) -> Iterator[Any]:
    """Give every part of a PromQL expression."""
    todo: list[Any] = [promql_parser.parse(expression)]
    while todo:
        node = todo.pop()
        yield node
        parts = (getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector"))
        todo += [part for part in (*parts, *getattr(node, "args", ())) if part is not None]


def selectors(expression: str) -> Iterator[tuple[set[str], dict[str, str]]]:
    """Give the metrics that each selector takes, and its matchers by label.

    Metrics without a label match whatever is excluded by it, so that those matchers are left out.
    """
    for node in nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            matchers = {
                each.name: each.value
                for each in node.matchers.matchers
                if each.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re)
            }
            pattern = re.compile(matchers.pop("__name__", re.escape(node.name or "")))
            yield {name for name in LABELS.keys() | RECORDED if pattern.fullmatch(name)}, matchers


def grouping(expression: str) -> set[str]:
    """Give the labels that an expression groups or matches by."""
    modifiers = (getattr(node, "modifier", None) for node in nodes(expression))
    pairs = ((each, getattr(each, "matching", None)) for each in modifiers if each is not None)
    return {label for each in chain.from_iterable(pairs) for label in getattr(each, "labels", ())}


def promtool(program_path: Callable[[str], str], *arguments: str) -> str:
    """Run promtool, and give what it says; it has to be content."""
    command = (program_path("promtool"), *arguments)
    env = {**os.environ, "GOMAXPROCS": "1"}  # it computes one by one, and others need the cores
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - fixed by the callers
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def check_names(expression: str) -> None:
    """Check that all metrics and labels of an expression are exported, or recorded."""
    for metrics, matchers in selectors(expression):
        assert metrics, f"no such metric: {expression}"
        for metric in metrics - RECORDED:
            assert matchers.keys() <= LABELS[metric] | {"job"}, metric
    assert grouping(expression) <= OWN_LABELS | TARGET


def level_of(record: str) -> set[str]:
    """Give the labels that the level of a recorded name is made of; it has to be of known ones."""
    known = "|".join(sorted(OWN_LABELS | TARGET, key=len, reverse=True))
    level = record.partition(":")[0]
    assert re.fullmatch(rf"({known})(_({known}))*", level), record
    return set(re.findall(rf"(?:^|_)({known})(?=_|$)", level))


def recorded_for(*expressions: str) -> set[str]:
    """Give the names of the records that expressions need, directly or through others."""
    found: set[str] = set()
    todo = list(expressions)
    while todo:
        direct = {name for names, _ in selectors(todo.pop()) for name in names & RECORDED}
        todo += [rule.expression for rule in RECORDS if rule.name in direct - found]
        found |= direct
    return found


def rules_of(alert: str, text: str) -> dict[str, Any]:
    """Give what a file of rules has of an alert: itself and the records that it needs.

    Promtool evaluates every rule at every step: most of the time would go to other rules.
    """
    (found,) = (rule for rule in ALERTS if rule.name == alert)
    names = {alert, *recorded_for(found.expression, *found.lookups)}
    rules: dict[str, Any] = load(text)
    for group in rules["groups"]:
        kept = (rule for rule in group["rules"] if rule.get("alert", rule.get("record")) in names)
        group["rules"] = list(kept)
    return rules


def cases_for(alert: str, rules: str) -> dict[str, Any]:
    """Give the tests of an alert, to be run with another file of rules."""
    text = (CASES / f"{alert}.yaml").read_text(encoding="utf-8")
    # As text alone: promtool means another thing by 0x10 than YAML does.
    cases: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 # makes text alone
    return {**cases, "rule_files": [rules]}


@pytest.mark.program("promtool")
@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(
    program_path: Callable[[str], str], tmp_path: Path, case: Path
) -> None:
    """Promtool runs each file of unit tests."""
    text = case.read_text(encoding="utf-8")  # as it stands: to PyYAML, values of 0x60 are a number
    for file in FILES:
        text = text.replace(os.path.relpath(file, CASES), file.name)
        rules = rules_of(case.stem, file.read_text(encoding="utf-8"))
        (tmp_path / file.name).write_text(json.dumps(rules), encoding="utf-8")
    (tmp_path / case.name).write_text(text, encoding="utf-8")
    assert "SUCCESS" in promtool(program_path, "test", "rules", str(tmp_path / case.name))


@pytest.mark.program("promtool")
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_promtool_has_nothing_to_say(program_path: Callable[[str], str], file: Path) -> None:
    """`promtool check rules`, with its lint, is content with each file."""
    said = promtool(program_path, "check", "rules", "--lint=all", "--lint-fatal", str(file))
    assert "SUCCESS" in said


@each(ALERTS)
def test_an_alert_is_tested_to_fire_and_not_to_fire(rule: Rule) -> None:
    """Each alert has a file of tests with some of both, all of it about this alert."""
    cases = load((CASES / f"{rule.name}.yaml").read_text(encoding="utf-8"))["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    assert {check["alertname"] for check in checks} == {rule.name}
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names)


def test_every_file_of_tests_is_of_an_alert() -> None:
    """No file of tests is left of an alert that is gone."""
    assert {path.stem for path in CASES.iterdir()} == {rule.name for rule in ALERTS}


def test_names_are_told_apart() -> None:
    """No alert, record or group is there twice, and every group begins with the exporter's name.

    Thresholds may be in several groups, as each is evaluated on its own.
    """
    names = [rule.name for rule in ALL_RULES if not rule.name.endswith(":threshold")]
    assert len(set(names)) == len(names)
    groups = {(rule.file, rule.group) for rule in ALL_RULES}
    assert len({group for _, group in groups}) == len(groups)
    assert all(group.startswith(f"{JOB}.") for _, group in groups)


@each(ALL_RULES)
def test_an_expression_uses_what_is_exported(rule: Rule) -> None:
    """All metrics, and all labels that are matched, grouped or told of, exist in the code."""
    check_names(rule.expression)
    told = re.findall(r"\$labels\.(\w+)", json.dumps(rule.raw))
    assert set(told) <= OWN_LABELS | TOLD


@each(ALERTS)
def test_a_message_asks_for_what_is_recorded(rule: Rule) -> None:
    """Each query of a message takes one record of its own group, by labels of the alert."""
    assert len(rule.lookups) == json.dumps(rule.raw).count("query")
    recorded = {each.name for each in RECORDS if each.group == rule.group}
    for query in rule.lookups:
        ((metrics, matchers),) = selectors(query)
        assert metrics
        assert metrics <= recorded
        assert matchers.keys() <= OWN_LABELS | TOLD


@each(ALL_RULES)
def test_an_expression_takes_the_exporter_and_keeps_other_labels(rule: Rule) -> None:
    """Each selector of a raw metric names the job; nothing is summed by, so namespaces stay."""
    for metrics, matchers in selectors(rule.expression):
        assert metrics <= RECORDED or matchers.get("job") == JOB
    assert not re.search(r"\b(by|on)\s*\(", rule.expression)


@each(ALL_RULES)
def test_records_are_made_before_they_are_used(rule: Rule) -> None:
    """What a rule uses stands above it in its group, so that it is of the same evaluation.

    A record may use its own last value.
    """
    above: set[str] = set()
    for other in ALL_RULES:
        if other is rule:
            break
        if (other.file, other.group) == (rule.file, rule.group):
            above.add(other.name)
    used = {name for found, _ in selectors(rule.expression) for name in found & RECORDED}
    assert used - {rule.name} <= above


@each(RECORDS)
def test_a_record_is_named_by_level_metric_and_operation(rule: Rule) -> None:
    """Recorded names are level:metric:operation, the level made of labels that are kept."""
    assert re.fullmatch(r"[a-z_]+:telnyx_[a-z_]+:[a-z]+[0-9a-z]*", rule.name)
    dropped = re.findall(r"without \(([^)]*)\)", rule.expression)
    level = level_of(rule.name)
    assert level
    for labels in dropped[:1]:
        assert level.isdisjoint(re.split(r",\s*", labels))
    assert rule.raw.keys() == {"record", "expr"}


@each(ALERTS)
def test_an_alert_follows_the_conventions(rule: Rule) -> None:
    """One prefix, a known severity, a summary of one line and a link to the runbook."""
    assert re.fullmatch(r"TelnyxSim([A-Z][a-z]+)+", rule.name)
    assert rule.raw.keys() <= {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
    assert rule.raw["labels"].keys() == {"severity"}
    assert rule.raw["labels"]["severity"] in SEVERITIES
    notes = rule.raw["annotations"]
    assert notes.keys() == {"summary", "description", "resolved", "runbook_url"}
    assert len(re.sub(r"{{.*?}}", "", notes["summary"])) <= 80
    assert "\n" not in notes["summary"]
    assert not notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert notes["resolved"].endswith(".")
    assert notes["runbook_url"] == f"{RUNBOOK_URL}/{rule.name}.md"


@pytest.mark.parametrize("objective", ["0.99", "0.5"])
@pytest.mark.parametrize("alert", ["TelnyxSimErrorBudgetBurnFast", "TelnyxSimErrorBudgetBurnSlow"])
@pytest.mark.program("promtool")
def test_the_objective_can_be_set(
    program_path: Callable[[str], str], tmp_path: Path, alert: str, objective: str
) -> None:
    """By one setting of the command: with half as objective, what fired before does not."""
    words = ["rules", "--objective", "--set", f"objective={objective}"]
    printed = CliRunner().invoke(main, words)
    assert printed.exit_code == 0, printed.output
    rules = rules_of(alert, printed.stdout)
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    cases = cases_for(alert, "rules.json")
    del cases["tests"][1:]
    if objective != "0.99":
        for check in cases["tests"][0]["alert_rule_test"]:
            check["exp_alerts"] = []
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    promtool(program_path, "test", "rules", str(tmp_path / "cases.json"))


@pytest.mark.program("promtool")
def test_alerts_link_to_the_page(program_path: Callable[[str], str], tmp_path: Path) -> None:
    """To the problems of their account where they have one, and have the labels of all alerts."""
    words = ["rules", "--set", "page_url=https://exporter.example.org/telnyx"]
    words += ["--set", "labels.team=iot"]
    printed = CliRunner().invoke(main, words)
    alerts = ("TelnyxSimExporterAbsent", "TelnyxSimConfigReloadFailed", "TelnyxSimPollFailing")
    for alert, link in zip(alerts, ("", "", "problems?account=eu"), strict=True):
        rules = rules_of(alert, printed.stdout)
        (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
        cases = cases_for(alert, "rules.json")
        for check in (check for case in cases["tests"] for check in case["alert_rule_test"]):
            for expected in check["exp_alerts"]:
                expected["exp_labels"]["team"] = "iot"
                page = f"https://exporter.example.org/telnyx/{link}"
                expected["exp_annotations"]["page_url"] = page
        (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
        promtool(program_path, "test", "rules", str(tmp_path / "cases.json"))
