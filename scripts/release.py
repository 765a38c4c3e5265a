# ruff: noqa: INP001 - a program that is run by its path
"""Check that all version numbers match a tag, and write the release notes.

`release.py TAG >FILE` prints the section of CHANGELOG.md for the version. It changes no files.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"v([0-9]+\.[0-9]+\.[0-9]+)")
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
CHART_VERSION = re.compile(r'^version: "?([^"\n]+?)"?$', re.MULTILINE)
APP_VERSION = re.compile(r'^appVersion: "?([^"\n]+?)"?$', re.MULTILINE)
HEADING = re.compile(r"^## (\S+)", re.MULTILINE)
SECTION = re.compile(r"^## (\S+) \(([^)\n]*)\)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def only(pattern: re.Pattern[str], path: Path) -> str:
    """Return what the pattern finds in a file; empty where it finds nothing."""
    found = pattern.search(path.read_text(encoding="utf-8"))
    return found[1] if found else ""


def section(version: str, path: Path) -> tuple[str, str]:
    """Return the date and the text of a version in a changelog; both empty where it is not."""
    sections = SECTION.findall(path.read_text(encoding="utf-8"))
    return next(
        ((date, text.strip()) for name, date, text in sections if name == version), ("", "")
    )


def mistakes(version: str, root: Path) -> list[str]:
    """Return what keeps the files below the root from being released as this version."""
    chart = root / "helm" / "telnyx-sim-exporter"
    code = only(VERSION, root / "exporter" / "version.py")
    app = only(APP_VERSION, chart / "Chart.yaml")
    changelogs = [
        (version, root / "CHANGELOG.md"),
        (only(CHART_VERSION, chart / "Chart.yaml"), chart / "CHANGELOG.md"),
    ]
    found = [
        f"{name} has version {value}, the tag has {version}"
        for name, value in [("exporter/version.py", code), ("appVersion in Chart.yaml", app)]
        if value != version
    ]
    for name, path in changelogs:
        date, text = section(name, path)
        if not DATE.fullmatch(date) or not text:
            found.append(
                f"{path.relative_to(root)} has no section '## {name} (YYYY-MM-DD)' with text"
            )
        # A release of an older line would move the image's tag `latest` to an older version.
        if (newest := only(HEADING, path)) != name:
            place = path.relative_to(root)
            found.append(f"{place} has {newest or 'nothing'} as first section, expected {name}")
    return found


def main(arguments: list[str]) -> int:
    """Check the tag that is the only argument and write its notes; return the exit code."""
    tag = TAG.fullmatch(arguments[0]) if len(arguments) == 1 else None
    if tag is None:
        sys.stderr.write("usage: release.py vMAJOR.MINOR.PATCH >FILE\n")
        return 2
    found = mistakes(tag[1], ROOT)
    for each in found:
        sys.stderr.write(f"release.py: {each}\n")
    if not found:
        sys.stdout.write(section(tag[1], ROOT / "CHANGELOG.md")[1] + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
