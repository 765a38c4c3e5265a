"""Run helm on the chart and read what it renders; it must not judge what it reads."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.packaging.chart.documents import Json, parse_all

CHART = Path(__file__).parents[3] / "helm" / "telnyx-sim-exporter"
CI_FILES = sorted((CHART / "ci").glob("*-values.yaml"))
TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())
JOB = "telnyx-sim-exporter"
"""What the shipped rules and dashboards select by, and the chart's name."""

OPERATOR = "monitoring.coreos.com/v1"
RELEASE = "sims"
NAMESPACE = "fleet"
LEAST: Json = {"keys": {"default": {"existingSecret": "telnyx"}}}
"""The least values that the chart is content with."""

DATABASE = "postgresql://exporter@db.example.org/telnyx"
SHARED: Json = {
    "replicas": 3,
    "config": {"state": {"url": DATABASE}},
    "database": {"existingSecret": "telnyx-database"},
}
"""Several replicas, and what they need besides the least values."""


def least(**sections: Any) -> Json:
    """Give the least values with these sections besides."""
    return LEAST | sections


def read_yaml(path: Path) -> Any:
    """Parse a file of the project."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def defaults() -> Json:
    """Give the chart's own values."""
    return copy.deepcopy(_defaults())


@cache
def _defaults() -> Json:
    parsed: Json = read_yaml(CHART / "values.yaml")
    return parsed


@dataclass(frozen=True)
class Rendering:
    """What helm made of the chart; who reads it leaves it as it is."""

    text: str

    @cached_property
    def objects(self) -> list[Json]:
        """Give the objects in their order."""
        return [each for each in parse_all(self.text) if each is not None]

    def all(self, kind: str) -> list[Json]:
        """Give the objects of one kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Json:
        """Give the only object of a kind."""
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} of kind {kind}"
        return found[0]

    def kinds(self) -> set[str]:
        """Give the kinds that there are."""
        return {each["kind"] for each in self.objects}

    @property
    def pod(self) -> Json:
        """Give the exporter's pod, as the Deployment makes it."""
        template: Json = self.one("Deployment")["spec"]["template"]
        return template

    @property
    def test_pod(self) -> Json:
        """Give the pod of `helm test`."""
        return self.one("Pod")

    @property
    def container(self) -> Json:
        """Give the exporter's container."""
        container: Json = self.pod["spec"]["containers"][0]
        return container

    @property
    def port(self) -> int:
        """Give the number of the only port that the exporter's container names."""
        (port,) = self.container["ports"]
        return int(port["containerPort"])

    @property
    def config(self) -> Json:
        """Parse the exporter's configuration."""
        text = self.config_map["data"]["config.yaml"]
        parsed: Json = yaml.load(text, Loader=yaml.CSafeLoader)
        return parsed

    @property
    def config_map(self) -> Json:
        """Give the ConfigMap that holds the configuration."""
        (found,) = (each for each in self.all("ConfigMap") if "config.yaml" in each["data"])
        return found

    def volume(self, name: str) -> Json:
        """Give a volume of the pod by its name."""
        (found,) = (each for each in self.pod["spec"]["volumes"] if each["name"] == name)
        return dict(found)

    def mounted_at(self, path: str) -> Json:
        """Give the volume that lies at a path of the container, with the mount under ``mount``."""
        (mount,) = (m for m in self.container["volumeMounts"] if m["mountPath"] == path)
        return self.volume(mount["name"]) | {"mount": mount}

    def pods(self) -> Iterator[tuple[str, Json]]:
        """Give the name and the spec of every pod that is made."""
        for each in self.objects:
            if each["kind"] == "Pod":
                yield each["metadata"]["name"], each["spec"]
            elif "template" in each.get("spec", {}):
                yield each["metadata"]["name"], each["spec"]["template"]["spec"]


class HelmError(Exception):
    """What helm complained about."""


@dataclass
class Helm:
    """The program helm, away from all settings and clusters of who runs it; renders once."""

    scratch: Path
    light: Path = CHART
    """A copy of the chart with empty dashboards and without rules, which take most of the time."""
    with_rules: Path = CHART
    """The same with the rules, for values that are about them."""
    made: dict[str, Rendering | HelmError] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        """Run helm and give what it prints; HelmError with its complaint where it fails."""
        home = str(self.scratch)
        command = (str(Path(sys.executable).with_name("helm")), *arguments)
        environ = {"HOME": home, "KUBECONFIG": "/dev/null", "HELM_NO_PLUGINS": "1"}
        environ["GOGC"] = "off"  # it ends before it has much to collect, which takes a quarter
        environ["GOMAXPROCS"] = "1"  # it has little to do at once, and others need the cores
        run = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - the tests' own words
        if run.returncode != 0:
            raise HelmError(run.stdout + run.stderr)
        return run.stdout

    def values_file(self, values: Mapping[str, Any]) -> Path:
        """Write values where helm finds them."""
        path = self.scratch / "values.json"
        path.write_text(json.dumps(values), encoding="utf-8")
        return path

    def render(
        self,
        values: Mapping[str, Any] | Path = LEAST,
        *flags: str,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
        operator: bool = True,
        chart: Path | None = None,
    ) -> Rendering:
        """Render the chart, as for a cluster with the Prometheus operator or without it.

        Unless a chart is named, files of values get the shipped one, others a light one: that with
        rules only if they have the section ``prometheusRule``.
        """
        if chart is None:
            if isinstance(values, Path):
                chart = CHART
            else:
                chart = self.with_rules if "prometheusRule" in values else self.light
        given = (str(values) if isinstance(values, Path) else values, flags, release, namespace)
        key = json.dumps([*given, operator, str(chart)], sort_keys=True)
        if key not in self.made:
            file = values if isinstance(values, Path) else self.values_file(values)
            known = ("--api-versions", OPERATOR) if operator else ()
            words = ("template", release, str(chart), "--namespace", namespace, "-f", str(file))
            try:
                self.made[key] = Rendering(self.run(*words, *known, *flags))
            except HelmError as exc:
                self.made[key] = exc
        made = self.made[key]
        if isinstance(made, HelmError):
            raise made
        return made

    def complaint(self, values: Mapping[str, Any], *flags: str, operator: bool = True) -> str:
        """Give why helm refuses values; it has to."""
        try:
            self.render(values, *flags, operator=operator)
        except HelmError as exc:
            return str(exc)
        raise AssertionError("helm renders what it should refuse")
