import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.config.settings import Settings, Web
from tests.packaging.chart.helm import CHART
from tests.packaging.chart.values_schema import SCHEMA, complaints, with_value

SCRIPT = str(Path(__file__).parents[3] / "scripts" / "values_schema.py")


def test_the_configuration_has_the_exporters_own_schema(tmp_path: Path) -> None:
    """`make schema` writes it: what helm refuses is what the exporter refuses."""
    file = tmp_path / "values.schema.json"
    chart_alone = {
        name: each
        for name, each in SCHEMA["definitions"].items()
        if not name.startswith("exporter_")
    }
    file.write_text(json.dumps({**SCHEMA, "definitions": chart_alone}), "utf-8")
    command = [sys.executable, SCRIPT, str(file)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 # our own program
    assert file.read_text("utf-8") == (CHART / "values.schema.json").read_text("utf-8")


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
