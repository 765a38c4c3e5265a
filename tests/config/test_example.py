from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from exporter.config import Settings, from_environment, load

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {"TELNYX_API_KEY": "x"}


def models() -> dict[str, type[BaseModel]]:
    """Return the model of each section that has keys, and of an entry of a list, by section."""
    types = {
        name: (*get_args(field.annotation), field.annotation)[0]
        for name, field in Settings.model_fields.items()
    }
    return {
        name: each
        for name, each in types.items()
        if isinstance(each, type) and issubclass(each, BaseModel)
    }


def test_the_example_is_the_defaults() -> None:
    """Who copies the example changes nothing."""
    assert load(EXAMPLE, ENVIRON) == from_environment(ENVIRON)


def test_the_example_has_every_section_in_order() -> None:
    """The example leaves out no section and invents none."""
    assert list(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))) == list(Settings.model_fields)


@pytest.mark.parametrize("section", sorted(models().keys() - {"reasons"}))
def test_the_example_has_every_key_in_order(section: str) -> None:
    """The example leaves out no key and invents none; the list of reasons is empty."""
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))[section]
    keys = content[0] if isinstance(content, list) else content

    assert list(keys) == list(models()[section].model_fields)


def test_each_key_of_the_example_is_explained() -> None:
    """A comment stands right before every key."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    keys = [index for index, line in enumerate(lines) if ":" in line and line.strip()[:1] != "#"]

    assert keys
    assert [lines[index] for index in keys if not lines[index - 1].strip().startswith("#")] == []
