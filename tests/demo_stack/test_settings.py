from pathlib import Path
from typing import Any

import pytest
import yaml

from demo_stack.settings import alertmanager_config
from demo_stack.stack import ALERTMANAGER

SINK = "http://127.0.0.1:1"


@pytest.fixture
def shipped() -> dict[str, Any]:
    """Parse the shipped example."""
    parsed: dict[str, Any] = yaml.load(
        ALERTMANAGER.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return parsed


def test_only_where_to_send_is_changed(shipped: dict[str, Any]) -> None:
    """Routes and inhibition stay; nothing is sent elsewhere, and no file with a secret is read."""
    wired = alertmanager_config(shipped, receiver_url=SINK, folder=Path("/f"))
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


def test_what_is_sent_in_the_format_of_another_service_goes_to_a_webhook(
    shipped: dict[str, Any],
) -> None:
    """It would be sent for real; resolved alerts are told where they were."""
    given = [
        {"to": "a@example.org", "auth_password_file": "/secret"},
        {"to": "b@example.org", "send_resolved": True},
    ]
    shipped["receivers"] = [
        {"name": "a b", "email_configs": given, "opsgenie_configs": [{"api_key_file": "/secret"}]}
    ]
    shipped["global"] = {"slack_api_url_file": "/secret", "resolve_timeout": "1m"}
    wired = alertmanager_config(shipped, receiver_url=SINK, folder=Path("/f"))
    (receiver,) = wired["receivers"]
    assert receiver.keys() == {"name", "webhook_configs"}
    assert {each["url"] for each in receiver["webhook_configs"]} == {f"{SINK}/a%20b"}
    resolved = [each["send_resolved"] for each in receiver["webhook_configs"]]
    assert sorted(resolved) == [False, True, True]
    assert wired["global"] == {"resolve_timeout": "1m"}
    assert "secret" not in str(wired)


@pytest.mark.parametrize(
    ("receivers", "place"),
    [
        ("a", "receivers"),
        (["a"], "receivers"),
        ([{"name": "a", "slack_configs": {"channel": "b"}}], "slack_configs"),
        ([{"name": "a", "slack_configs": ["b"]}], "slack_configs"),
    ],
)
def test_receivers_that_are_none_are_refused(
    shipped: dict[str, Any], receivers: object, place: str
) -> None:
    """The text says which list is none."""
    with pytest.raises(ValueError, match=f"^{place} is not a list of mappings$"):
        alertmanager_config(
            shipped | {"receivers": receivers}, receiver_url=SINK, folder=Path("/f")
        )


def test_templates_stay_where_an_absolute_path_says(shipped: dict[str, Any]) -> None:
    """Others lie beside the file; there may be none."""
    for given, wanted in ((["/t/*.tmpl", "a.tmpl"], ["/t/*.tmpl", "/f/a.tmpl"]), (None, [])):
        shipped["templates"] = given
        wired = alertmanager_config(shipped, receiver_url=SINK, folder=Path("/f"))
        assert wired["templates"] == wanted
