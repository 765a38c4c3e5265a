"""Validate objects against the schemas of a Kubernetes version; only what it knows can pass."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, read_yaml

# The package's own function reads all definitions anew for each object, which takes most of
# the time; its schemas are what counts. To import it takes a second in each process that collects.
_PACKAGE = find_spec("kubernetes_validate")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
_SCHEMAS = Path(_PACKAGE.origin).with_name("kubernetes-json-schema")
KNOWN = sorted({tuple(map(int, re.findall(r"\d+", path.name)[:2])) for path in _SCHEMAS.iterdir()})
"""The versions that there are schemas of, the oldest first."""


def supported() -> tuple[str, str]:
    """Give the oldest version that the chart installs on, and the newest that is known."""
    bound = read_yaml(CHART / "Chart.yaml")["kubeVersion"]
    found = re.fullmatch(r">=\s*(\d+)\.(\d+)\.0-0", bound)
    assert found, bound
    oldest = (int(found[1]), int(found[2]))
    assert oldest in KNOWN, f"no schemas of {oldest}: raise kubeVersion"
    return "{}.{}".format(*oldest), "{}.{}".format(*KNOWN[-1])


def problems(thing: Json, version: str) -> list[str]:
    """List what is wrong with an object, with places; KeyError where the kind is not known."""
    group, _, api = thing["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (thing["kind"].lower(), group.partition(".")[0], api)))
    return [
        f"{thing['kind']} {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in _validator(version, name).iter_errors(thing)
    ]


@cache
def _validator(version: str, name: str) -> Any:
    try:
        schema = _read(version, f"{name}.json")
    except FileNotFoundError:
        raise KeyError(name) from None
    # Where tests are collected, in each process, that would take a second.
    import jsonschema  # noqa: PLC0415 # slow

    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))


@cache
def _definitions(version: str) -> Registry[Any]:
    contents = _read(version, "_definitions.json")
    resource = Resource.from_contents(contents, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("_definitions.json", resource)
    return registry.crawl()  # once, or each validator does it again


def _read(version: str, name: str) -> Any:
    return json.loads((_SCHEMAS / f"v{version}.0-local-strict" / name).read_text("utf-8"))
