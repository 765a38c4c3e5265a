"""`rules`: the shipped rules with settings, and what is said of settings that cannot be."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import Result

from exporter.cli.rule_files import (
    Changes,
    RuleFile,
    Threshold,
    objective_rules,
    plain_rules,
    write_groups,
)
from exporter.cli.rules import read_changes

Invoke = Callable[..., Result]
Groups = list[dict[str, Any]]

ALERT = "TelnyxSimCardProblems"
OBJECTIVE_ALERT = "TelnyxSimErrorBudgetBurnFast"
FOLDER = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files" / "rules"

TEXT = """\
groups:
  - name: one
    rules:
      - record: job:telnyx_sim_failure_ratio:threshold
        # Share of failed actions
        # that pages.
        expr: vector(0.1)
      - record: job:telnyx_sim_failed_cards:threshold
        # SIM cards that have to fail.
        expr: |
          vector(5)
      - record: account:failed:ratio
        expr: |
          sum without (odd, pod) (x{job="a", state!="b"})
          > scalar(job:telnyx_sim_failure_ratio:threshold)
      - alert: First
        expr: account:failed:ratio > 0
        keep_firing_for: 5m
        labels:
          severity: critical
          own: x
        annotations:
          summary: "{{ $labels.told }}"
          runbook_url: https://example.org/First.md
  - name: two
    rules:
      - record: job:telnyx_sim_failed_cards:threshold
        expr: vector(5)
      - alert: Second
        expr: y > 1
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: Text
          runbook_url: https://example.org/Second.md
"""
SMALL = RuleFile(TEXT)
NOTHING = RuleFile("groups: []")


def of(result: Result) -> Groups:
    """Give the groups that were printed."""
    assert (result.exit_code, result.stderr) == (0, "")
    groups: Groups = yaml.load(result.stdout, Loader=yaml.CSafeLoader)["groups"]
    return groups


def shipped(*names: str) -> Groups:
    """Give the groups of files as they are shipped."""
    texts = (
        (FOLDER / f"telnyx-sim-exporter{name}.rules.yaml").read_text("utf-8") for name in names
    )
    return [group for text in texts for group in yaml.load(text, Loader=yaml.CSafeLoader)["groups"]]


def small(*settings: str) -> dict[str, list[dict[str, Any]]]:
    """Give the rules of the small file with settings, by group."""
    changes = read_changes(settings, SMALL, NOTHING, objective=False)
    return {group["name"]: group["rules"] for group in SMALL.changed(changes)}


def test_without_settings_the_rules_are_those_of_the_files(invoke: Invoke) -> None:
    """The objective comes after the others, where it is asked for."""
    assert of(invoke("rules")) == shipped("")
    assert of(invoke("rules", "--objective")) == shipped("", "-objective")


def test_the_output_is_for_people_too(invoke: Invoke) -> None:
    """It says how it was made; expressions and long texts are blocks, and keys keep their order."""
    result = invoke("rules", "--objective", "--set", "objective=0.95", "--set", "labels.a=b c")
    first, _, rest = result.stdout.partition("\n")
    assert first.endswith(": rules --objective --set objective=0.95 --set 'labels.a=b c'")
    assert "\n        expr: |\n          max without (instance" in rest
    assert "\n          description: >-\n" in rest
    assert max(map(len, rest.splitlines())) < 170
    keys = [list(rule) for group in of(result) for rule in group["rules"] if "alert" in rule]
    assert all(each[:2] == ["alert", "expr"] for each in keys)
    assert all(each[-2:] == ["labels", "annotations"] for each in keys)


def test_any_text_survives() -> None:
    """What is written is read again as it was, in whatever encoding."""
    texts = ["a: b", "{{ x }} " * 20, "x" * 200, " y\n\n  z \n", "\N{SNOWMAN} " * 40, "true", "5m"]
    groups = [{"name": each, "rules": []} for each in texts]
    written = write_groups(groups)
    assert written.isascii()
    assert yaml.load(written, Loader=yaml.CSafeLoader) == {"groups": groups}


def test_thresholds_are_read_from_the_file() -> None:
    """Name, default and the comment below the name; the first one counts."""
    assert list(SMALL.thresholds.values()) == [
        Threshold("failure_ratio", "0.1", "Share of failed actions that pages."),
        Threshold("failed_cards", "5", "SIM cards that have to fail."),
    ]


@pytest.mark.parametrize("file", [plain_rules(), objective_rules()], ids=["plain", "objective"])
def test_every_shipped_threshold_is_found_and_explained(file: RuleFile) -> None:
    """Each record of that form is a number, the same wherever it is repeated, with a comment."""
    recorded = {
        (rule["record"], rule["expr"].strip())
        for rule in file.rules
        if rule.get("record", "").endswith(":threshold")
    }
    assert recorded == {
        (f"job:telnyx_sim_{each.name}:threshold", f"vector({each.default})")
        for each in file.thresholds.values()
    }
    assert [each.name for each in file.thresholds.values() if not each.meaning] == []


def test_thresholds_are_set_wherever_they_are() -> None:
    """A threshold that groups repeat is set in each of them; nothing else changes."""
    expected = {group["name"]: group["rules"] for group in copy.deepcopy(SMALL.groups)}
    expected["one"][1]["expr"] = expected["two"][0]["expr"] = "vector(12)"
    expected["one"][0]["expr"] = "vector(0.25)"
    assert small("failed_cards=12", "failure_ratio=0.25") == expected
    assert SMALL.groups == yaml.load(TEXT, Loader=yaml.CSafeLoader)["groups"]


@pytest.mark.parametrize(
    ("setting", "alert", "path", "value"),
    [
        ("First.for=1h", "First", ("for",), "1h"),
        ("Second.for=0", "Second", ("for",), "0"),
        ("First.keep_firing_for=30m", "First", ("keep_firing_for",), "30m"),
        ("First.severity=info", "First", ("labels", "severity"), "info"),
    ],
)
def test_one_thing_of_one_alert_changes(
    setting: str, alert: str, path: tuple[str, ...], value: str
) -> None:
    """The named one, and nothing else of it or of another alert."""
    expected = {group["name"]: group["rules"] for group in copy.deepcopy(SMALL.groups)}
    (rule,) = (rule for rules in expected.values() for rule in rules if rule.get("alert") == alert)
    for key in path[:-1]:
        rule = rule[key]
    rule[path[-1]] = value
    assert small(setting) == expected


def test_a_disabled_alert_is_gone() -> None:
    """And its group where nothing is left in it; the last value of a name counts."""
    (one, two) = small("First.disabled=true", "Second.disabled=true").values()
    assert [rule for rule in (*one, *two) if "alert" in rule] == []
    assert small("First.disabled=true", "First.disabled=false") == small()
    lone = RuleFile("groups: [{name: a, rules: [{alert: A, expr: x, labels: {severity: info}}]}]")
    assert list(lone.changed(Changes(alerts={"A": {"disabled": "true"}}))) == []


def test_all_alerts_get_labels_and_links() -> None:
    """Beside what they have; records get none."""
    rules = small(
        "labels.team=iot",
        "labels.tier=1",
        "runbook_url=https://wiki.example.org/runbooks/",
        "page_url=https://exporter.example.org/x/",
    )
    first, second = rules["one"][-1], rules["two"][-1]
    assert first["labels"] == {"severity": "critical", "own": "x", "team": "iot", "tier": "1"}
    assert second["labels"] == {"severity": "warning", "team": "iot", "tier": "1"}
    assert second["annotations"] == {
        "summary": "Text",
        "runbook_url": "https://wiki.example.org/runbooks/Second.md",
        "page_url": "https://exporter.example.org/x/"
        "{{ with $labels.account }}problems?account={{ . | urlquery }}{{ end }}",
    }
    assert rules["one"][:3] == SMALL.groups[0]["rules"][:3]


def test_labels_of_the_rules_are_known() -> None:
    """Those that are matched, grouped by, told of and set."""
    assert SMALL.labels == {"job", "state", "odd", "pod", "told", "severity", "own"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("objectiv=0.9", "objectiv: unknown name; did you mean objective?"),
        ("zzz=0.9", "zzz: unknown name; use one of "),
        ("=1", ": unknown name; use one of"),
        ("objective", "objective: must be a number between 0 and 1"),
        ("objective=0", "objective: must be a number between 0 and 1"),
        ("objective=1", "objective: must be a number between 0 and 1"),
        ("objective=99%", "objective: must be a number between 0 and 1"),
        ("objective=nan", "objective: must be a number between 0 and 1"),
        (f"{ALERT}=1", f"{ALERT}: unknown name; use one of {ALERT}.for, {ALERT}.keep_firing_for"),
        (f"{ALERT}.fro=1m", f"{ALERT}.fro: unknown name; use one of {ALERT}.for,"),
        ("TelnyxSimCardProblem.for=1m", f"unknown alert; did you mean {ALERT}?"),
        (f"{ALERT}.for=10", f"{ALERT}.for: has no unit; write it like"),
        (f"{ALERT}.keep_firing_for=", f"{ALERT}.keep_firing_for: is not a duration; write it"),
        (f"{ALERT}.severity=page", "unknown severity; use one of critical, warning, info"),
        (f"{ALERT}.disabled=yes", "must be true or false"),
        ("labels.severity=info", "labels.severity: is a label that the rules use themselves"),
        ("labels.account=a", "labels.account: is a label that the rules use themselves"),
        ("labels.alertname=a", "labels.alertname: is a label that the rules use themselves"),
        ("labels.my-team=a", "labels.my-team: is not the name of a label; use letters"),
        ("labels.__team=a", "labels.__team: is not the name of a label"),
        ("labels.team=", "labels.team: must be text"),
        ("labels.team={{ x", "labels.team: must be text of printable characters, without {{"),
        ("labels.team=a\nb", "labels.team: must be text of printable characters"),
        ("runbook_url=wiki", "runbook_url: is not an http or https URL; write it like https://"),
        ("page_url=https://x/?a=b", "page_url: is not an http or https URL"),
        ("page_url=https://x/{{y}}", "page_url: is not an http or https URL"),
    ],
)
def test_a_mistake_is_2_and_says_what_to_do(invoke: Invoke, setting: str, said: str) -> None:
    """With its place, on one line; nothing is printed that could be taken for rules."""
    result = invoke("rules", "--objective", "--set", setting)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = (each for each in result.stderr.splitlines() if each.startswith("Error:"))
    assert line.startswith("Error: --set ")
    assert said in line


@pytest.mark.parametrize("value", ["0", "-1", "010", "1e3", "inf", "9" * 400, "", " 5", "5.", "٥"])  # noqa: RUF001 # a digit
def test_what_is_no_share_is_above_0(value: str) -> None:
    """A number as people write it; Prometheus would read 010 as 8."""
    with pytest.raises(click.UsageError, match="failed_cards: must be a number above 0, such as 5"):
        small(f"failed_cards={value}")


def test_every_mistake_is_told_at_once(invoke: Invoke) -> None:
    """In the order of the command line."""
    names = ("objectiv", f"{ALERT}.for", "labels.job", "page_url")
    result = invoke("rules", *(word for name in names for word in ("--set", f"{name}=x")))
    assert result.exit_code == 2
    told = [line for line in result.stderr.splitlines() if "--set " in line]
    assert [line.partition("--set ")[2].partition(": ")[0] for line in told] == list(names)


@pytest.mark.parametrize("setting", ["objective=0.9", f"{OBJECTIVE_ALERT}.for=1m"])
def test_what_belongs_to_the_objective_needs_it(invoke: Invoke, setting: str) -> None:
    """It would have no effect."""
    result = invoke("rules", "--set", setting)
    assert result.exit_code == 2
    assert "belongs to the objective; add --objective, or remove this" in result.stderr
    assert invoke("rules", "--objective", "--set", setting).exit_code == 0


def test_help_lists_the_thresholds(invoke: Invoke) -> None:
    """Each with its meaning and its default, and the other names."""
    told = " ".join(invoke("rules", "--help").stdout.split())
    for file in (plain_rules(), objective_rules()):
        for each in file.thresholds.values():
            assert f" {each.name} {each.meaning} [default: {each.default}]" in told
    for name in (".for", ".keep_firing_for", ".severity", ".disabled", "labels.", "page_url"):
        assert name in told
