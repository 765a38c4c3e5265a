# ruff: noqa: INP001 - a program that is run by its path
"""Write the exporter's own schema of its configuration into the chart's schema of its values.

It must not decide what a value may be: `exporter.config.settings` does.
"""

import json
import sys
from pathlib import Path
from typing import Any

from exporter.config.settings import Settings

FILE = Path(__file__).resolve().parent.parent / "helm/telnyx-sim-exporter/values.schema.json"
PREFIX = "exporter_"
"""What the names of the exporter's definitions begin with."""


def exporter_definitions() -> dict[str, Any]:
    """Return the definitions of the configuration, as helm can read them, by their names."""
    settings = Settings.model_json_schema()
    definitions = {**settings.pop("$defs"), "Settings": settings}
    made = {PREFIX + name: _for_helm(each) for name, each in definitions.items()}
    account = made[f"{PREFIX}Account"]
    # The chart may have the key below `keys`: helm has to refuse only that there are two.
    both = [key for each in account.pop("oneOf") for key in each["required"]]
    account["not"] = {"required": both, "properties": {key: {"type": "string"} for key in both}}
    return made


def with_definitions(values_schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the values with the definitions of the configuration as they are now."""
    others = {
        name: each
        for name, each in values_schema["definitions"].items()
        if not name.startswith(PREFIX)
    }
    return {**values_schema, "definitions": others | exporter_definitions()}


def _for_helm(schema: Any) -> Any:
    """Return a schema as helm can read it, whose expressions cannot look ahead.

    What is left of a duration's pattern without that takes the empty text besides. A reason's
    `match` is an expression of Python, which helm must not judge.
    """
    if isinstance(schema, list):
        return [_for_helm(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _for_helm(each) for key, each in schema.items()}
    if made.get("format") == "regex":
        del made["format"]
    if isinstance(made.get("pattern"), str) and "(?=[0-9])" in made["pattern"]:
        made |= {"pattern": made["pattern"].replace("(?=[0-9])", ""), "minLength": 1}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#/$defs/", f"#/definitions/{PREFIX}")
    return made


def main(arguments: list[str]) -> None:
    """Write the definitions into the file that is the only argument, or into the chart's."""
    if len(arguments) > 1:
        sys.exit("usage: values_schema.py [FILE]")
    file = Path(arguments[0]) if arguments else FILE
    schema = with_definitions(json.loads(file.read_text("utf-8")))
    file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
