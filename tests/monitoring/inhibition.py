"""What an Alertmanager notifies of alerts that all fire at once: inhibition, routes and grouping.

A pure reading of a parsed configuration, which a test holds to a real Alertmanager. It knows no
times, silences or muting, and only one matcher in each entry of ``matchers``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

Labels = Mapping[str, str]
"""The labels of an alert, with its ``alertname``; an absent label is as good as an empty one."""

_MATCHER = re.compile(r"""\s*(\w+)\s*(=~|!~|!=|=)\s*("?)(.*?)\3\s*""")


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of one notification, and the labels that they are grouped by."""

    receiver: str
    labels: Labels
    alerts: tuple[Labels, ...]


def notifications(config: Mapping[str, Any], firing: Sequence[Labels]) -> list[Group]:
    """Return the notifications of these alerts, without the inhibited; no group is empty."""
    return groups(config, [each for each in firing if not is_inhibited(config, each, firing)])


def groups(config: Mapping[str, Any], alerts: Sequence[Labels]) -> list[Group]:
    """Return how the routes group these alerts, whether or not they are inhibited."""
    found: dict[tuple[int, frozenset[tuple[str, str]]], tuple[str, list[Labels]]] = {}
    for alert in alerts:
        for number, receiver, group_by in _routes(config["route"], alert):
            by = alert.keys() if "..." in group_by else alert.keys() & set(group_by)
            key = number, frozenset((name, alert[name]) for name in by)
            found.setdefault(key, (receiver, []))[1].append(alert)
    return [
        Group(receiver, dict(labels), tuple(members))
        for (_, labels), (receiver, members) in found.items()
    ]


def is_inhibited(config: Mapping[str, Any], alert: Labels, firing: Sequence[Labels]) -> bool:
    """Tell whether any of the firing alerts inhibits this one; it may be inhibited itself."""
    rules = [
        rule for rule in config.get("inhibit_rules", ()) if matches(rule["target_matchers"], alert)
    ]
    return any(_inhibits(rule, source, alert) for rule in rules for source in firing)


def inhibits(config: Mapping[str, Any], source: Labels, target: Labels) -> bool:
    """Tell whether one alert inhibits another, by any of the rules."""
    return any(_inhibits(rule, source, target) for rule in config.get("inhibit_rules", ()))


def _inhibits(rule: Mapping[str, Any], source: Labels, target: Labels) -> bool:
    # What costs least is asked first.
    for name in rule.get("equal", ()):
        if source.get(name, "") != target.get(name, ""):
            return False
    sources, targets = rule["source_matchers"], rule["target_matchers"]
    return (
        matches(targets, target)
        and matches(sources, source)
        # Alerts that are both source and target of a rule do not inhibit each other.
        and not (matches(targets, source) and matches(sources, target))
    )


def matches(matchers: Sequence[str], labels: Labels) -> bool:
    """Tell whether all matchers take the labels; raise ValueError for what is no matcher."""
    return all(
        _takes(operator, wanted, labels.get(name, ""))
        for name, operator, wanted in map(_parsed, matchers)
    )


@cache
def _parsed(matcher: str) -> tuple[str, str, str]:
    parts = _MATCHER.fullmatch(matcher)
    if parts is None:
        raise ValueError(f"no matcher: {matcher}")
    name, operator, _, wanted = parts.groups()
    return name, operator, wanted


@cache
def _takes(operator: str, wanted: str, value: str) -> bool:
    if operator in {"=", "!="}:
        return (value == wanted) == (operator == "=")
    return (re.fullmatch(wanted, value) is not None) == (operator == "=~")


def _routes(
    route: Mapping[str, Any], alert: Labels, receiver: str = "", group_by: Sequence[str] = ()
) -> Iterator[tuple[int, str, Sequence[str]]]:
    """Yield identity, receiver and group_by of each route that an alert takes."""
    receiver = route.get("receiver", receiver)
    group_by = route.get("group_by", group_by)
    found = False
    for each in route.get("routes", ()):
        if matches(each.get("matchers", ()), alert):
            found = True
            yield from _routes(each, alert, receiver, group_by)
            if not each.get("continue"):
                return
    if not found:
        yield id(route), receiver, group_by
