from collections.abc import Iterator
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import LEAST, Helm, defaults, least
from tests.packaging.chart.values_schema import SCHEMA, Path, complaints, with_value

FREE = {
    "affinity",
    "commonAnnotations",
    "commonLabels",
    "dashboards.annotations",
    "dashboards.labels",
    "dnsConfig",
    "global",
    "keys",
    "livenessProbe",
    "livenessProbe.httpGet",
    "monitor.annotations",
    "monitor.basicAuth",
    "monitor.labels",
    "monitor.tlsConfig",
    "nodeSelector",
    "persistence.annotations",
    "persistence.labels",
    "podAnnotations",
    "podLabels",
    "podSecurityContext",
    "podSecurityContext.seccompProfile",
    "prometheusRule.alerts",
    "prometheusRule.annotations",
    "prometheusRule.commonLabels",
    "prometheusRule.labels",
    "prometheusRule.thresholds",
    "readinessProbe",
    "readinessProbe.httpGet",
    "resources",
    "resources.limits",
    "resources.requests",
    "securityContext",
    "securityContext.capabilities",
    "service.annotations",
    "service.labels",
    "serviceAccount.annotations",
    "startupProbe",
    "startupProbe.httpGet",
}
"""Where any key may stand: labels, annotations, names of the user's, and what Kubernetes judges."""


def sections(value: Any, place: Path = ()) -> Iterator[Path]:
    """Give the place of every mapping of the chart's values."""
    if isinstance(value, dict):
        yield place
        for key, each in value.items():
            yield from sections(each, (*place, key))


def leaves(value: Json, place: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give the place and the default of every value that is no section."""
    for key, each in value.items():
        if isinstance(each, dict) and each and ".".join((*place, key)) not in FREE:
            yield from leaves(each, (*place, key))
        else:
            yield (*place, key), each


def another_type(value: Any) -> Any:
    """Give a value of a type that nobody would take for the type of this one."""
    return "text" if isinstance(value, bool | int | list | dict | None) else [["a", "list"]]


SECTIONS = [".".join(place) for place in sections(defaults())]
LEAVES = [(".".join(place), value) for place, value in leaves(defaults())]


def test_the_schema_is_one() -> None:
    """It is itself well-formed, of the draft that helm reads, and takes the defaults."""
    import jsonschema  # noqa: PLC0415 # slow

    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].rstrip("#") == "http://json-schema.org/draft-07/schema"
    assert complaints(defaults()) == []


@pytest.mark.parametrize("section", [each for each in SECTIONS if each not in FREE])
def test_a_typo_is_refused(section: str) -> None:
    """In every section, a key that the chart does not have is refused."""
    place = tuple(section.split(".")) if section else ()
    told = complaints(with_value((*place, "tpyo"), "x"))
    assert any("tpyo" in text for text in told)


@pytest.mark.parametrize("section", sorted(FREE))
def test_a_free_section_takes_any_key(section: str) -> None:
    """The list of exceptions has only what is one."""
    values = {
        "keys": {"existingSecret": "x"},
        "prometheusRule.alerts": {"disabled": True},
        "prometheusRule.thresholds": 1,
    }
    assert section in SECTIONS
    place = (*section.split("."), "anything")
    assert complaints(with_value(place, values.get(section, "x"))) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("keys.eu.existingSecert", "x"),
        ("prometheusRule.alerts.TelnyxSimCardProblems.disable", True),
        ("config.poll.intervall", "1m"),
        ("config.log.levle", "info"),
        ("config.web.listen", ":1"),
        ("config.accounts", [{"name": "default", "key": "x"}]),
    ],
)
def test_a_typo_deeper_down_is_refused(place: str, value: Any) -> None:
    """So it is in what stands below a name of the user's, or is not in the defaults."""
    assert complaints(with_value(tuple(place.split(".")), value))


@pytest.mark.parametrize(("place", "value"), LEAVES, ids=[place for place, _ in LEAVES])
def test_another_type_is_refused(place: str, value: Any) -> None:
    """Each value has a type."""
    assert complaints(with_value(tuple(place.split(".")), another_type(value)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("config.accounts", [{"statuses": ["done"]}]),
        ("config.poll.interval", "60"),
        ("config.poll.page_size", 251),
        ("dashboards.enabled", "always"),
        ("global.imageRegistry", 1),
        ("image.digest", "sha256:123"),
        ("image.pullPolicy", "Sometimes"),
        ("keys.eu.key", 1),
        ("monitor.enabled", "yes"),
        ("monitor.kind", "Probe"),
        ("persistence.accessModes", ["ReadWriteEverywhere"]),
        ("prometheusRule.alerts.TelnyxSimCardProblems.disabled", "yes"),
        ("prometheusRule.alerts.TelnyxSimCardProblems.keepFiringFor", "soon"),
        ("prometheusRule.alerts.TelnyxSimCardProblems.for", "1m1h"),
        ("prometheusRule.commonLabels", {"my-team": "x"}),
        ("prometheusRule.commonLabels", {"__team": "x"}),
        ("prometheusRule.commonLabels", {"team": ""}),
        ("prometheusRule.commonLabels", {"team": "{{ x"}),
        ("prometheusRule.enabled", "on"),
        ("prometheusRule.pageUrl", "exporter.example.org"),
        ("prometheusRule.runbookUrl", "https://x/?page="),
        ("prometheusRule.thresholds", {"failure_ratio": 0}),
        ("prometheusRule.thresholds", {"failure_ratio": "10 %"}),
        ("prometheusRule.thresholds", {"failure_ratio": "010"}),
        ("replicas", -1),
        ("enabled", "no"),
        ("service.ipFamilies", ["IPv5"]),
        ("service.ipFamilies", ["IPv4", "IPv4"]),
        ("service.ipFamilyPolicy", "DualStack"),
        ("service.nodePort", 0),
        ("service.nodePort", "http"),
        ("service.port", 0),
        ("service.port", 65536),
        ("service.type", "Cluster"),
        ("web.file", ".."),
        ("web.file", "../web.yml"),
        ("tmp.sizeLimit", "much"),
        ("web.scheme", "FTP"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(place: str, value: Any) -> None:
    """What is one of a few words, or a number in a range, is held to it."""
    assert complaints(with_value(tuple(place.split(".")), value))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("config.accounts", [{"name": "default", "api_key": "${KEY}"}]),
        ("config.poll.page_size", "${SIZE}"),
        ("config.stuck_after.set_public_ip", "1h"),
        ("global.anything", {"of": "an umbrella chart"}),
        ("image.digest", f"sha256:{'0' * 64}"),
        ("keys.eu.existingSecret", "telnyx"),
        ("livenessProbe", None),
        ("monitor.enabled", True),
        ("persistence.size", "500Mi"),
        ("prometheusRule.alerts.X", {"disabled": False, "for": "1h", "severity": "info"}),
        ("prometheusRule.alerts.X", {"keepFiringFor": "15m"}),
        ("prometheusRule.commonLabels", {"team": "SIM cards"}),
        ("prometheusRule.pageUrl", "https://exporter.example.org/telnyx/"),
        ("prometheusRule.thresholds", {"failure_ratio": 0.2, "failed_cards": 5}),
        ("prometheusRule.thresholds", {"failure_ratio": "0.2"}),  # as `helm --set` passes it
        ("prometheusRule.alerts.X", {"labels": {"team": "x"}, "annotations": {"a": "b"}}),
        ("readinessProbe", None),
        ("replicas", 0),
        ("service.ipFamilies", ["IPv6", "IPv4"]),
        ("service.nodePort", 30874),
        ("startupProbe", None),
        ("strategy", {"type": "Recreate"}),
        ("topologySpreadConstraints", [{"maxSkew": 1, "topologyKey": "zone"}]),
        ("web.file", "web-config.v2.yml"),
    ],
)
def test_a_good_value_is_not_refused(place: str, value: Any) -> None:
    """The schema stands in nobody's way."""
    assert complaints(with_value(tuple(place.split(".")), value)) == []


def test_helm_applies_the_schema(helm: Helm) -> None:
    """A typo ends helm, with the place."""
    told = helm.complaint(least(persistance={"enabled": False}))
    assert "persistance" in told
    told = helm.complaint(LEAST | {"persistence": {"enabeld": False}})
    assert "persistence" in told
    assert "enabeld" in told
