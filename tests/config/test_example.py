from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from exporter.config import (
    Account,
    Alertmanager,
    Log,
    Metrics,
    Poll,
    Problems,
    Settings,
    SimCards,
    State,
    StuckAfter,
    Web,
    from_environment,
    load,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {"TELNYX_API_KEY": "x"}


def test_the_example_is_the_defaults() -> None:
    """Who copies the example changes nothing."""
    assert load(EXAMPLE, ENVIRON) == from_environment(ENVIRON)


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("accounts", Account),
        ("poll", Poll),
        ("stuck_after", StuckAfter),
        ("state", State),
        ("sim_cards", SimCards),
        ("problems", Problems),
        ("metrics", Metrics),
        ("alertmanager", Alertmanager),
        ("web", Web),
        ("log", Log),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_example_has_every_key_in_order(section: str, model: type[BaseModel]) -> None:
    """The example leaves out no key and invents none."""
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    keys = content[section][0] if section == "accounts" else content[section]

    assert list(content) == list(Settings.model_fields)
    assert list(keys) == list(model.model_fields)


def test_each_key_of_the_example_is_explained() -> None:
    """A comment stands right before every key."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    keys = [index for index, line in enumerate(lines) if ":" in line and line.strip()[:1] != "#"]

    assert len(keys) == 49
    assert [lines[index] for index in keys if not lines[index - 1].strip().startswith("#")] == []
