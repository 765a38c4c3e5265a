from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.config.settings import Settings, Web
from tests.packaging.chart.documents import Json
from tests.packaging.chart.values_schema import SCHEMA, complaints, with_value


def inlined(value: Any, root: Json) -> Any:
    """Give a schema with what it refers to in the place of each reference."""
    if isinstance(value, list):
        return [inlined(each, root) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target: Any = root
        for key in value["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return inlined(target, root) | {k: v for k, v in value.items() if k != "$ref"}
    return {key: inlined(each, root) for key, each in value.items()}


def as_helm_reads(schema: Any) -> Any:
    """Give a schema of the exporter as helm can read it, whose expressions cannot look ahead.

    What is left of a duration's pattern without that takes the empty text besides. A reason's
    `match` is an expression of Python, which helm must not judge.
    """
    if isinstance(schema, list):
        return [as_helm_reads(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: as_helm_reads(each) for key, each in schema.items()}
    if made.get("format") == "regex":
        del made["format"]
    if isinstance(made.get("pattern"), str) and "(?=[0-9])" in made["pattern"]:
        made |= {"pattern": made["pattern"].replace("(?=[0-9])", ""), "minLength": 1}
    return made


def test_the_configuration_has_the_exporters_own_schema() -> None:
    """Helm refuses what the exporter refuses, but that an account may leave its key to `keys`."""
    own = Settings.model_json_schema()
    accepted = as_helm_reads(inlined({k: v for k, v in own.items() if k != "$defs"}, own))
    shipped = inlined(SCHEMA["properties"]["config"], SCHEMA)
    account = accepted["properties"]["accounts"]["items"]
    key_of_its_own = account.pop("oneOf")
    assert {tuple(each["required"]) for each in key_of_its_own} == {("api_key",), ("api_key_file",)}
    both = shipped["properties"]["accounts"]["items"].pop("not")
    assert set(both["required"]) == {"api_key", "api_key_file"}
    parts = ("properties", "required", "additionalProperties", "type")
    assert {key: shipped.get(key) for key in parts} == {key: accepted.get(key) for key in parts}


@pytest.mark.parametrize("text", ["", "s", "1", "1h", "1h30m", "30m1h", "${X}", "x${X}", "500ms"])
def test_a_duration_is_read_alike(text: str) -> None:
    """The pattern that helm can read takes what the exporter's own takes."""
    import jsonschema  # noqa: PLC0415 # slow

    poll = Settings.model_json_schema()["$defs"]["Poll"]["properties"]["interval"]
    taken = jsonschema.Draft202012Validator(poll).is_valid(text)
    assert (complaints(with_value(("config", "poll", "interval"), text)) == []) is taken


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("/", True),
        ("/a", True),
        ("a/b/", True),
        ("//a", True),
        ("/.a/..b/...", True),
        ("/${PATH}", True),
        ("", False),
        ("/a/../b", False),
        ("..", False),
        ("/a/.", False),
        ("/a//b", False),
        ("/a b", False),
        ("/{a}", False),
        ("/a%2Fb", False),
        ("/a?b", False),
    ],
)
def test_a_prefix_is_judged_alike(text: str, *, taken: bool) -> None:
    """Helm takes what the exporter takes, and leaves a variable to it."""
    told = complaints(with_value(("config", "web", "route_prefix"), text))
    assert (told == []) is taken
    if "$" not in text:
        with nullcontext() if taken else pytest.raises(ValidationError):
            Web(route_prefix=text)
