import json

from exporter.config import Settings, json_schema


def test_the_schema_is_json_and_knows_every_section() -> None:
    """An editor can offer every key of the file, and refuse others."""
    schema = json.loads(json.dumps(json_schema()))

    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["required"] == ["accounts"]
    assert schema["additionalProperties"] is False
    assert schema["$schema"].endswith("2020-12/schema")


def test_the_schema_has_the_file_s_words() -> None:
    """Durations are texts there, with defaults as they are written, and ``class`` is a key."""
    parts = json_schema()["$defs"]

    assert parts["Poll"]["properties"]["interval"]["type"] == "string"
    assert parts["Poll"]["properties"]["interval"]["default"] == "60s"
    assert parts["StuckAfter"]["additionalProperties"]["type"] == "string"
    assert set(parts["Reason"]["properties"]) == {"class", "match"}
    assert parts["Account"]["properties"]["statuses"]["items"]["enum"] == [
        "in-progress",
        "completed",
        "failed",
        "interrupted",
    ]
