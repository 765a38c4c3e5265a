from typing import Any

import pytest
import yaml

from demo_stack.settings import alertmanager_config
from demo_stack.stack import ALERTMANAGER

SINK = "http://127.0.0.1:1"


@pytest.fixture
def shipped() -> dict[str, Any]:
    """Parse the shipped example."""
    parsed: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
    return parsed


def test_only_where_to_send_is_changed(shipped: dict[str, Any]) -> None:
    """Routes and inhibition stay; nothing is sent elsewhere, and no file with a secret is read."""
    wired = alertmanager_config(shipped, receiver_url=SINK, folder="/f")
    assert wired | {"templates": [], "receivers": []} == shipped | {
        "templates": [],
        "receivers": [],
    }
    assert wired["templates"] == ["/f/telnyx-sim-exporter.tmpl"]
    assert [each["name"] for each in wired["receivers"]] == [
        each["name"] for each in shipped["receivers"]
    ]
    text = str(wired["receivers"])
    assert "example.org" not in text
    assert "_file" not in text
    for each in wired["receivers"][1:]:
        assert f"{SINK}/{each['name']}" in str(each)


def test_an_unknown_integration_is_refused(shipped: dict[str, Any]) -> None:
    """An integration whose address cannot be replaced would send for real."""
    shipped["receivers"].append({"name": "mail", "email_configs": [{"to": "a@example.org"}]})
    with pytest.raises(ValueError, match="mail: cannot set the address of email_configs"):
        alertmanager_config(shipped, receiver_url=SINK, folder="/f")
