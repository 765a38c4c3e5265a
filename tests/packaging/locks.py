"""Reads lock files, and finds what one that is installed without resolving would leave out.

It must not know which lock is for what.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.running import ROOT

PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

Environment = Mapping[str, str]


def pins(lock: str) -> dict[str, Requirement]:
    """Return the pins in the text of a lock, each a requirement with its marker, by name."""
    lines = re.findall(r"^[\w.-]+==[^\\\n]*", lock, re.MULTILINE)
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


def asked(*groups: str) -> list[Requirement]:
    """Return what the project, if that is among ``groups``, and its dependency groups ask for.

    The project asks for what its extras need too.
    """
    extras = PROJECT["project"]["optional-dependencies"].values()
    project = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    listed = PROJECT["dependency-groups"] | {"project": project}
    return [Requirement(line) for group in groups for line in listed[group]]


def environments() -> Iterator[Environment]:
    """Yield what markers may ask of each Python that the project names, on Linux."""
    classifiers = "\n".join(PROJECT["project"]["classifiers"])
    for minor in re.findall(
        r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.MULTILINE
    ):
        for machine in ("x86_64", "aarch64"):
            version = {"python_version": minor, "python_full_version": f"{minor}.0"}
            system = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
            here = {key: str(value) for key, value in default_environment().items()}
            yield here | version | system | {"platform_machine": machine}


def holes(lock: str, wanted: Iterable[Requirement], environment: Environment) -> list[str]:
    """Return what is needed in an environment and not met by a pin of ``lock`` that holds there.

    Needed is what is ``wanted``, and what each pin needs with the extras that are asked for, as
    the metadata of the installed package says. A pin that is not installed is a hole where its
    marker holds here. Where it holds only in another environment, what it needs is not known:
    the tests that run there find it. Where it holds in none (on Windows alone), it is left out.
    """
    pinned = {name: pin for name, pin in pins(lock).items() if _holds(pin.marker, environment)}
    waiting = [*wanted, *(Requirement(name) for name in pinned)]
    seen: set[tuple[str, frozenset[str]]] = set()
    found = []
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        if (pin := pinned.get(name)) is None:
            found.append(f"{need} is not pinned")
            continue
        (version,) = (each.version for each in pin.specifier)
        if not need.specifier.contains(version, prereleases=True):
            found.append(f"{need} is not met by {pin}")
        if (key := (name, frozenset(need.extras))) in seen:
            continue
        seen.add(key)
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if _holds(pin.marker, {}):
                found.append(f"{pin} is not installed")
            continue
        if Version(installed.version) != Version(version):
            found.append(f"{pin} is installed as {installed.version}")
        for line in installed.requires or ():
            each = Requirement(line)
            if any(_holds(each.marker, environment, extra) for extra in ("", *need.extras)):
                waiting.append(each)
    return found


def _holds(marker: Marker | None, environment: Environment, extra: str = "") -> bool:
    return marker is None or marker.evaluate({**environment, "extra": extra})
