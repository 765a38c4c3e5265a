"""The rule files of Prometheus that come with the exporter: what can be set in them, and changed.

They are shipped in one copy, in the chart; a wheel has them in the package. It must not know where
a change comes from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

_IN_WHEEL = Path(__file__).parents[1] / "rules"
_IN_CHECKOUT = Path(__file__).parents[2] / "helm" / "telnyx-sim-exporter" / "files" / "rules"
FOLDER = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT

_THRESHOLD = re.compile(r"job:telnyx_sim_(\w+):threshold")
_CONSTANT = re.compile(
    rf"- record: {_THRESHOLD.pattern}\n((?: *#.*\n)*) *expr: (?:\|\n *)?vector\(([0-9.]+)\)\n"
)
_LABELS = (
    re.compile(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)"),
    re.compile(r"\$labels\.(\w+)"),
    re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([\w,\s]*)\)"),
)
"""Where the text of a rule names labels: matchers, messages, grouping and matching."""

_ORDER = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Threshold:
    """A constant that rules compare with; ``meaning`` is the comment below its name."""

    name: str
    default: str
    meaning: str

    @property
    def is_share(self) -> bool:
        """Tell whether it stands for a part of something, between 0 and 1."""
        return float(self.default) < 1


@dataclass(slots=True)
class Changes:
    """What is to differ from the files: values of thresholds, and what alerts have."""

    thresholds: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, dict[str, str]] = field(default_factory=dict)
    """By alert: ``for``, ``keep_firing_for``, ``severity`` and ``disabled``, true or false."""
    labels: dict[str, str] = field(default_factory=dict)
    runbook_url: str = ""
    page_url: str = ""

    def of(self, alert: str) -> dict[str, str]:
        """Return what is set of one alert."""
        return self.alerts.get(alert) or {}


@dataclass(frozen=True)
class RuleFile:
    """One rule file, by its text."""

    text: str

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The groups of rules; they must not be changed."""
        groups: list[dict[str, Any]] = yaml.safe_load(self.text)["groups"]
        return groups

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        """The rules of all groups."""
        return [rule for group in self.groups for rule in group["rules"]]

    @cached_property
    def thresholds(self) -> dict[str, Threshold]:
        """The thresholds by name, in the order of the file; one that is repeated counts once."""
        found: dict[str, Threshold] = {}
        for name, comment, default in _CONSTANT.findall(self.text):
            meaning = " ".join(line.strip(" #") for line in comment.splitlines())
            found.setdefault(name, Threshold(name, default, meaning))
        return found

    @cached_property
    def alerts(self) -> list[str]:
        """The names of the alerts, in the order of the file."""
        return [rule["alert"] for rule in self.rules if "alert" in rule]

    @cached_property
    def labels(self) -> set[str]:
        """The names of all labels that the rules use or set."""
        named = (words for each in _LABELS for words in each.findall(self.text))
        used = {label for words in named for label in re.findall(r"\w+", words)}
        return used.union(*(rule.get("labels", ()) for rule in self.rules))

    def changed(self, changes: Changes) -> Iterator[dict[str, Any]]:
        """Yield the groups with ``changes`` made; a group that has no rule left is left out."""
        for group in self.groups:
            rules = [
                _changed(rule, changes)
                for rule in group["rules"]
                if changes.of(rule.get("alert", "")).get("disabled") != "true"
            ]
            if rules:
                yield {**group, "rules": rules}


@cache
def plain_rules() -> RuleFile:
    """Return the rules that everybody needs."""
    return _read("telnyx-sim-exporter.rules.yaml")


@cache
def objective_rules() -> RuleFile:
    """Return the rules of the service level objective."""
    return _read("telnyx-sim-exporter-objective.rules.yaml")


def write_groups(groups: list[dict[str, Any]]) -> str:
    """Return a rule file with these groups, in ASCII, with long texts as blocks."""
    return yaml.dump(
        {"groups": groups}, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=False
    )


def _read(name: str) -> RuleFile:
    return RuleFile((FOLDER / name).read_text(encoding="utf-8"))


def _changed(rule: dict[str, Any], changes: Changes) -> dict[str, Any]:
    if "alert" not in rule:
        threshold = _THRESHOLD.fullmatch(rule["record"])
        value = changes.thresholds.get(threshold[1]) if threshold else None
        return rule if value is None else {**rule, "expr": f"vector({value})"}
    name = rule["alert"]
    own = changes.of(name)
    times = {key: own[key] for key in ("for", "keep_firing_for") if key in own}
    labels = {**rule["labels"], **changes.labels}
    if "severity" in own:
        labels["severity"] = own["severity"]
    annotations = dict(rule["annotations"])
    if changes.runbook_url:
        annotations["runbook_url"] = f"{changes.runbook_url}/{name}.md"
    if changes.page_url:
        page = "{{ with $labels.account }}problems?account={{ . | urlquery }}{{ end }}"
        annotations["page_url"] = f"{changes.page_url}/{page}"
    made: dict[str, Any] = rule | times | {"labels": labels, "annotations": annotations}
    return {key: made[key] for key in sorted(made, key=_ORDER.index)}


class _Dumper(yaml.SafeDumper):
    """Writes YAML as people do: items of lists indented, long texts as blocks, nothing shared."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 # theirs
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 # theirs
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > _WIDTH // 2 and " " in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
