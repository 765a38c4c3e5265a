"""The JSON Schema of the configuration file, for editors.

It must not hold names or rules of its own: all comes from the settings.
"""

from typing import Any

from exporter.config.settings import Settings


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file as it stands before ``${VAR}`` is replaced."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "telnyx-sim-exporter configuration"
    return schema
