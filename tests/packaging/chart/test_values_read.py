import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import SHARED, Rendering
from tests.packaging.chart.written import Entry, commented

BASE: Json = {
    "config": {"web": {}},
    "keys": {"default": {"existingSecret": "telnyx"}},
    "web": {"existingSecret": "web", "scheme": "HTTPS"},
}
"""What has to be on for the other values to matter."""

OTHER: dict[str, Any] = {
    "config.accounts": [{"name": "default", "action_types": ["enable"]}],
    "config.state.url": "sqlite:////var/lib/telnyx-sim-exporter/other.db",
    "config.web.listen_address": ":9999",
    "database.existingSecret": "other",
    "database.passwordKey": "other",
    "database.urlKey": "other",
    "dashboards.enabled": False,
    "dnsPolicy": "Default",
    "fullnameOverride": "other",
    "image.digest": f"sha256:{'0' * 64}",
    "image.pullPolicy": "Always",
    "image.registry": "other",
    "image.tag": "other",
    "keys": {"default": {"existingSecret": "other"}},
    "keys.default.value": "other",
    "monitor.enabled": False,
    "monitor.interval": "17s",
    "monitor.kind": "PodMonitor",
    "monitor.scrapeTimeout": "17s",
    "nameOverride": "other",
    "persistence.accessModes": ["ReadWriteMany"],
    "persistence.existingClaim": "other",
    "persistence.size": "17Gi",
    "tmp.sizeLimit": "17Mi",
    "prometheusRule.alerts": {"TelnyxSimCardProblems": {"disabled": True}},
    "prometheusRule.enabled": False,
    "prometheusRule.pageUrl": "https://other.example.org",
    "prometheusRule.runbookUrl": "https://other.example.org",
    "prometheusRule.thresholds": {"objective": 0.5},
    "service.ipFamilies": ["IPv6"],
    "service.ipFamilyPolicy": "PreferDualStack",
    "service.nodePort": 30874,
    "service.type": "NodePort",
    "strategy": {"type": "Recreate"},
    "web.scheme": "HTTP",
}
"""Values that are not free, or hide another one: one that there is, tried by itself."""

BESIDE: dict[str, Json] = {
    "database.urlKey": {"database": {"existingSecret": "telnyx-database", "urlKey": "uri"}},
    "keys.default.value": {"keys": {"default": {"existingSecret": "", "value": "before"}}},
    "database.existingSecret": SHARED,
    "database.passwordKey": SHARED,
    "podDisruptionBudget.enabled": SHARED,
    "podDisruptionBudget.maxUnavailable": SHARED,
    "prometheusRule.thresholds": {"prometheusRule": {"objective": True}},
    "replicas": SHARED,
    "service.nodePort": {"service": {"type": "NodePort"}},
    "strategy": {"persistence": {"enabled": False}},
}
"""What else a value needs to matter."""

ENTRIES = commented()
FREE = [
    each
    for each in ENTRIES
    if isinstance(each.default, str | list | dict) and each.path not in OTHER
]
BOUND = [each for each in ENTRIES if each not in FREE]


def marker(entry: Entry) -> str:
    """Give a text that stands nowhere else."""
    return f"mark-{ENTRIES.index(entry)}-x"


def marked(entry: Entry) -> Any:
    """Give a value of the entry's type that has its marker in it."""
    if isinstance(entry.default, dict):
        return entry.default | {"marker": marker(entry)}
    if isinstance(entry.default, list):
        texts = entry.path in {"extraArgs", "global.imagePullSecrets", "image.pullSecrets"}
        return [marker(entry) if texts else {"name": marker(entry)}]
    return marker(entry)


def changed(entry: Entry) -> Any:
    """Give a value that is not the default."""
    if entry.path in OTHER:
        return OTHER[entry.path]
    return not entry.default if isinstance(entry.default, bool) else entry.default + 1


def merged(one: Json, other: Json) -> Json:
    """Give both, and the other's where they differ."""
    return one | {
        key: merged(one[key], each) if isinstance(each, dict) and key in one else each
        for key, each in other.items()
    }


def nested(path: str, value: Any) -> Json:
    """Give the mapping in which one value stands at its path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    made: Json = value
    return made


@pytest.fixture(scope="module")
def all_marked(render: Callable[..., Rendering]) -> str:
    """Give the rendering in which every free value has a marker, all at once."""
    values = BASE
    for entry in FREE:
        values = merged(values, nested(entry.path, marked(entry)))
    return render(values).text


@pytest.mark.parametrize("entry", FREE, ids=lambda entry: entry.path)
def test_a_free_value_is_read(all_marked: str, entry: Entry) -> None:
    """What the user writes there gets into what is rendered."""
    assert re.search(rf"\b{marker(entry)}\b", all_marked)


@pytest.mark.parametrize("entry", BOUND, ids=lambda entry: entry.path)
def test_a_value_changes_something(render: Callable[..., Rendering], entry: Entry) -> None:
    """What is one of a few, a number or a switch renders another text where it is another."""
    base = merged(BASE, BESIDE.get(entry.path, {}))
    if entry.path.startswith("prometheusRule."):
        base = merged(base, {"prometheusRule": {"enabled": True}})  # otherwise without the rules
    other = merged(base, nested(entry.path, changed(entry)))
    assert render(other).text != render(base).text


def test_both_kinds_are_tried() -> None:
    """No exception is of a value that is gone."""
    assert len(FREE) > 50
    assert OTHER.keys() | BESIDE.keys() <= {each.path for each in BOUND}
