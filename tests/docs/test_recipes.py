import re

import pytest

from tests.docs.documents import ROOT, page

RECIPES = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page("recipes"), re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^\d+\. (.*(?:\n   .*)*)", re.MULTILINE)
FILE = re.compile(r"`([\w./-]+/[\w.-]+)`")


def test_there_is_a_recipe_for_each_common_change() -> None:
    """A contributor finds how to add each of these."""
    things = ("metric", "configuration key", "sink", "store", "command", "log event")
    assert [title for title, _ in RECIPES] == [f"Add a {each}" for each in things]


@pytest.mark.parametrize(("title", "text"), RECIPES, ids=[title for title, _ in RECIPES])
def test_a_recipe_is_short_and_names_what_is_there(title: str, text: str) -> None:
    """A recipe takes five steps at most, and each file and folder that it names exists."""
    assert 1 < len(STEP.findall(text)) <= 5, f"{title}: say it in five steps at most"
    named = FILE.findall(text)
    assert named
    missing = [each for each in named if not (ROOT / each).exists()]
    assert not missing, f"{title}: correct the paths"


def test_every_room_is_explained() -> None:
    """The table of rooms in the architecture has every file and folder of the package."""
    table = page("architecture").partition("| Room |")[2].partition("\n\n")[0]
    cells = "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    named = set(re.findall(r"`([\w/.]+)`", cells))
    rooms = {
        f"{each.name}/" if each.is_dir() else each.name
        for each in (ROOT / "exporter").iterdir()
        if each.name not in {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    }
    assert rooms - named == set(), "add them to docs/architecture.md"
    assert named - rooms == set(), "remove them there"
