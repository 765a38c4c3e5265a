# ruff: noqa: INP001 - a program that is run by its path
"""Write the software bill of materials (SBOM) of the exporter as CycloneDX JSON.

`sbom.py LOCK >FILE` lists the packages that the lock file pins for this machine and this Python,
with their hashes; licenses and dependencies are those of the installed packages. It must not use
the network, or import the packages that it lists.
"""

import datetime as dt
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "telnyx-sim-exporter"
HOME = f"https://github.com/{PROJECT}/{PROJECT}"
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


@dataclass(frozen=True, slots=True)
class Pin:
    """A package that the lock file pins, and the SHA-256 of each file that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]


class MismatchError(Exception):
    """The installed packages do not match the lock file; the message has the remedy."""


def pins(lock: str) -> Iterator[Pin]:
    """Return the pins of a lock file that hold on this machine."""
    for entry in re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]:
        wanted = Requirement(entry.splitlines()[0].removesuffix("\\"))
        if wanted.marker is None or wanted.marker.evaluate():
            version = next(iter(wanted.specifier)).version
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
            yield Pin(canonicalize_name(wanted.name), version, tuple(hashes))


def told(about: metadata.PackageMetadata, field: str) -> str:
    """Return a field of a package's metadata; empty where there is none."""
    found: list[str] = about.get_all(field) or [""]
    return found[0]


def licenses(about: metadata.PackageMetadata) -> list[dict[str, Any]]:
    """Return the licenses that a package declares: an SPDX expression, or else their names."""
    for field in ("License-Expression", "License"):
        try:
            expression = canonicalize_license_expression(told(about, field))
        except InvalidLicenseExpression:
            continue
        return [{"expression": str(expression), "acknowledgement": "declared"}]
    classifiers = about.get_all("Classifier") or []
    return [
        {"license": {"name": each.rpartition(" :: ")[2], "acknowledgement": "declared"}}
        for each in classifiers
        if each.startswith("License :: ")
    ]


def needs(installed: metadata.Distribution, extras: frozenset[str]) -> list[Requirement]:
    """Return what a package needs here, with these of its extras."""
    found = [Requirement(each) for each in installed.requires or []]
    contexts = [{"extra": extra} for extra in ("", *sorted(extras))]
    return [
        each
        for each in found
        if each.marker is None or any(each.marker.evaluate(context) for context in contexts)
    ]


def graph(root: str) -> dict[str, set[str]]:
    """Return what each package needs that the root needs with its extras, itself included."""
    edges: dict[str, set[str]] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    offered = metadata.distribution(root).metadata.get_all("Provides-Extra") or []
    waiting = [(root, frozenset(offered))]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        wanted = needs(metadata.distribution(name), extras)
        edges.setdefault(name, set()).update(canonicalize_name(each.name) for each in wanted)
        waiting += [(canonicalize_name(each.name), frozenset(each.extras)) for each in wanted]
    return edges


def component(name: str, version: str) -> dict[str, Any]:
    """Return what is known of each package, the project's own too."""
    installed = metadata.distribution(name)
    if installed.version != version:
        raise MismatchError(
            f"{name} {installed.version} is installed instead of {version}: run make"
        )
    reference = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "description": told(installed.metadata, "Summary"),
        "licenses": licenses(installed.metadata),
        "purl": reference,
    }


def bill(lock: str) -> dict[str, Any]:
    """Return the whole document for the text of a lock file."""
    version = metadata.version(PROJECT)
    main = component(PROJECT, version) | {"type": "application"}
    main["externalReferences"] = [
        {"type": "website", "url": HOME},
        {"type": "vcs", "url": f"{HOME}.git"},
    ]
    packages = []
    for pin in sorted(pins(lock), key=lambda each: each.name):
        package = component(pin.name, pin.version)
        # Not as hashes of the component: there is one for each file in which it is published.
        files = [{"alg": "SHA-256", "content": each} for each in sorted(pin.hashes)]
        package["externalReferences"] = [
            {"type": "distribution", "url": package["purl"], "hashes": files}
        ]
        packages.append(package)
    references = {each["name"]: each["bom-ref"] for each in (main, *packages)}
    edges = graph(PROJECT)
    if edges.keys() != references.keys():
        differ = ", ".join(sorted(edges.keys() ^ references.keys()))
        raise MismatchError(
            f"the lock file does not match the dependencies ({differ}): run make lock"
        )
    content = {
        "components": packages,
        "dependencies": [
            {"ref": references[name], "dependsOn": sorted(references[each] for each in edges[name])}
            for name in sorted(edges)
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([main, content], sort_keys=True))
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": {
            "timestamp": moment(),
            "tools": {"components": [{"type": "application", "name": "scripts/sbom.py"}]},
            "component": main,
        },
        **content,
    }


def moment() -> str:
    """Return the time of the build, so that the same sources give the same file, or else now."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.now(dt.UTC).timestamp() if epoch is None else int(epoch)
    return dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="seconds")


def main(arguments: list[str]) -> int:
    """Write the document for the lock file that is the only argument; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: sbom.py LOCK >FILE\n")
        return 2
    try:
        document = bill(Path(arguments[0]).read_text(encoding="utf-8"))
    except (MismatchError, metadata.PackageNotFoundError, OSError) as exc:
        sys.stderr.write(f"sbom.py: {exc}\n")
        return 1
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
