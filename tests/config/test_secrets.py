from collections.abc import Callable

import pytest

from exporter.config import Settings
from exporter.errors import ConfigError

Load = Callable[[str], Settings]


@pytest.mark.parametrize(
    "text",
    [
        "accounts: [{api_key: SECRET-KEY, api_key_file: x, nme: SECRET-KEY}]",
        "accounts: [{api_key: 'SECRET-KEY x', name: SECRET-KEY, base_url: SECRET-KEY}]",
        "accounts: [{api_key: [SECRET-KEY]}]",
        "accounts: [{api_key: !SECRET-KEY x}]",
        "accounts: [{api_key: *SECRET-KEY }]",
        "accounts: [{api_key: 'SECRET-KEY]",
        "accounts: {api_key: SECRET-KEY: x}",
        "accounts: SECRET-KEY\npoll: {interval: SECRET-KEY, page_size: SECRET-KEY}",
        "state: {url: SECRET-KEY}\nlog: {level: SECRET-KEY}\nweb: {listen_address: SECRET-KEY}",
        "reasons: [{class: SECRET-KEY, match: '(?P<SECRET-KEY>)'}]",
        "accounts: [{api_key: x, base_url: 'https://u:SECRET-KEY@h'}]",
        "state: {url: 'postgresql://u:SECRET-KEY/1@h/d'}",
        "state: {url: 'postgresql://u:SECRET-KEY@h/d?passwort=SECRET-KEY'}",
        "state: {url: 'postgresql://h/d?password=SECRET-KEY'}",
    ],
    ids=[
        "both",
        "space",
        "list",
        "tag",
        "alias",
        "open-quote",
        "colon",
        "numbers",
        "choices",
        "regex",
        "url",
        "password",
        "password-and-parameter",
        "password-as-parameter",
    ],
)
def test_no_message_holds_a_value(load_text: Load, text: str) -> None:
    """Whatever is wrong with a file, its values appear neither in the error nor behind it."""
    with pytest.raises(ConfigError) as caught:
        load_text(text)

    assert "SECRET" not in repr(caught.value.mistakes) + repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_no_text_of_the_settings_holds_the_key(load_text: Load) -> None:
    """Neither str nor repr nor JSON shows a key."""
    settings = load_text("accounts: [{api_key: '${KEY}'}]")

    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "KEY0" not in shown


@pytest.mark.parametrize("parameters", ["", "?sslpassword=KEY0-secret"])
def test_no_text_of_the_settings_holds_the_password(load_text: Load, parameters: str) -> None:
    """That of the database, too, which the URL itself keeps."""
    url = f"postgresql://exporter:${{KEY}}@db:5433/telnyx{parameters}"
    settings = load_text(f"accounts: [{{api_key: x}}]\nstate: {{url: '{url}'}}")

    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "KEY0" not in shown
    assert settings.model_dump()["state"]["url"] == "postgresql://exporter@db:5433/telnyx"
    assert "KEY0" in settings.state.url
