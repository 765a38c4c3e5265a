"""Reads the workflows of GitHub for the tests; it must not judge them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"


def workflow(path: Path) -> dict[Any, Any]:
    """Parse a workflow; YAML takes its key `on` for a truth."""
    parsed: dict[Any, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return parsed


def jobs() -> dict[str, dict[str, Any]]:
    """Return all jobs by WORKFLOW/JOB."""
    return {
        f"{path.stem}/{name}": job for path in FILES for name, job in workflow(path)["jobs"].items()
    }


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return all steps, each with the name of its job."""
    return [(name, step) for name, job in jobs().items() for step in job.get("steps", [])]


def scripts() -> list[tuple[str, str]]:
    """Return the scripts of all steps, each with the name of its job; no command spans lines."""
    return [(name, re.sub(r"\\\n\s*", "", step["run"])) for name, step in steps() if "run" in step]


def keys(value: Any) -> Iterator[Any]:
    """Return all keys of what was parsed, however deep they are."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from keys(each)


def needs(path: Path) -> dict[str, set[str]]:
    """Return which jobs of a workflow each of its jobs waits for, directly or not."""
    direct = {
        name: {*([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []))}
        for name, job in workflow(path)["jobs"].items()
    }
    found: dict[str, set[str]] = {}
    for name, waiting in direct.items():
        reached: set[str] = set()
        left = set(waiting)
        while left:
            job = left.pop()
            reached.add(job)
            left |= direct[job] - reached
        found[name] = reached
    return found
