from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import OPERATOR, Rendering
from tests.packaging.chart.kubernetes import problems, supported


def named(text: str, **sections: Any) -> Json:
    """Give values in which each name and each text of the user's is the same word."""
    return {
        "keys": {"default": {"existingSecret": text, "key": text}},
        "commonLabels": {"a": text},
        "commonAnnotations": {"a": text},
        "image": {"repository": text, "registry": "", "tag": text, "pullSecrets": [text]},
        "web": {"existingSecret": text, "file": text},
        "persistence": {"storageClass": text},
        "serviceAccount": {"name": text},
        "priorityClassName": text,
        "runtimeClassName": text,
        "monitor": {"namespace": text, "labels": {"a": text}},
        "prometheusRule": {
            "namespace": text,
            "alerts": {"TelnyxSimCardProblems": {"severity": text, "labels": {"a": text}}},
        },
        "dashboards": {"namespace": text},
        "extraArgs": [text],
        "fullnameOverride": text,
    } | sections


@pytest.mark.parametrize("text", ["123", "true", "null"])
@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({}, id="own-objects"),
        pytest.param({"persistence": {"existingClaim": "123"}}, id="own-claim"),
        pytest.param({"keys": {"default": {"value": "123"}}}, id="own-key"),
        pytest.param({"monitor": {"kind": "PodMonitor", "namespace": "123"}}, id="pod-monitor"),
    ],
)
def test_text_stays_text(render: Callable[..., Rendering], text: str, sections: Json) -> None:
    """A namespace may be called 123: what looks like a number to YAML has to be quoted."""
    made = render(named(text, **sections), namespace="123")
    own = [each for each in made.objects if each["apiVersion"] != OPERATOR]
    assert [what for each in own for what in problems(each, supported()[0])] == []
    for each in made.all("ServiceMonitor") + made.all("PodMonitor") + made.all("PrometheusRule"):
        about = each["metadata"]
        marks = [*about["labels"].values(), *about["annotations"].values()]
        texts = [about["name"], about["namespace"], *marks]
        assert [value for value in texts if not isinstance(value, str)] == []
    selectors = [each["spec"].get("namespaceSelector", {}) for each in made.all("ServiceMonitor")]
    for names in (each.get("matchNames", []) for each in selectors):
        assert [name for name in names if not isinstance(name, str)] == []
