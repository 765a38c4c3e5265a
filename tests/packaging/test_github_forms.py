"""Check the issue forms and the template of pull requests: their form, and what they ask for."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.iterdir() if path.name != "config.yml")
INPUTS = {"checkboxes", "dropdown", "input", "textarea"}


def parsed(path: Path) -> Any:
    """Give what a YAML file says."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_form_is_one(path: Path) -> None:
    """It has what GitHub needs to show it, and each question has an id of its own and a label."""
    form = parsed(path)
    assert path.suffix == ".yml"
    assert form.keys() >= {"name", "description", "body"}
    assert {each["type"] for each in form["body"]} <= INPUTS | {"markdown"}
    questions = [each for each in form["body"] if each["type"] in INPUTS]
    assert len({each["id"] for each in questions}) == len(questions) > 0
    assert all(each["attributes"]["label"] for each in questions)
    assert all(each["attributes"]["value"] for each in form["body"] if each not in questions)


def test_bug_form_asks_for_what_is_needed() -> None:
    """Version, configuration, log and metrics, and that secrets are removed."""
    form = parsed(FOLDER / "bug.yml")
    asked = {each["id"] for each in form["body"] if "id" in each}
    wanted = {"version", "configuration", "check-config", "doctor", "log", "metrics"}
    assert asked >= wanted
    assert "Remove API keys" in form["body"][0]["attributes"]["value"]


def test_vulnerabilities_are_reported_privately() -> None:
    """Whoever opens an issue is led to the private way, which SECURITY.md names too."""
    links = {each["name"]: each["url"] for each in parsed(FOLDER / "config.yml")["contact_links"]}
    assert links["Vulnerability"] in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_pull_request_template_is_short() -> None:
    """It is read to its end."""
    text = (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    assert 0 < len(text.splitlines()) <= 5
