import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from exporter.config import LogFormat, LogLevel, Settings, from_environment, load
from exporter.errors import ConfigError

Load = Callable[[str], Settings]

WHOLE = """
accounts:
  - name: fleet a
    api_key: ${KEY}
    base_url: http://127.0.0.1:8080/v2/
    action_types: [enable, set_public_ip]
    statuses: [failed, interrupted]
  - {name: b, api_key: 'x$${y}'}
poll:
  {interval: "${INTERVAL}", audit_interval: 1h, request_timeout: 500ms, page_size: "${SIZE}",
   tls_strict: "${STRICT}"}
stuck_after: {default: 5m, enable: 1h30m}
reasons:
  - {class: blocked, match: "(?i)blocked$"}
state: {url: "sqlite://", retention: 1y}
sim_cards: {lookup: "false", refresh: 1h, requests_per_poll: "1000"}
problems: {forget_after: 7d}
web:
  listen_address: "127.0.0.1:0"
  config_file: web.yaml
  external_links: [{name: Dashboards, url: "http://grafana:3000/d/uid?kiosk"}]
  details: "${STRICT}"
log: {level: debug, format: json}
"""


def test_a_whole_file_is_read(load_text: Load) -> None:
    """Every key arrives, durations as seconds and variables replaced."""
    settings = load_text(WHOLE)

    first, second = settings.accounts
    assert first.name == "fleet a"
    assert first.api_key is not None
    assert first.api_key.get_secret_value() == "KEY0-secret"
    assert first.base_url == "http://127.0.0.1:8080/v2"
    assert first.action_types == ("enable", "set_public_ip")
    assert first.statuses == ("failed", "interrupted")
    assert second.api_key is not None
    assert second.api_key.get_secret_value() == "x${y}"
    assert settings.poll.model_dump() == {
        "interval": 30.0,
        "audit_interval": 3600.0,
        "request_timeout": 0.5,
        "page_size": 100,
        "concurrency": 4,
        "rate_limit": 10.0,
        "tls_strict": True,
    }
    assert settings.stuck_after.model_dump() == {"default": 300.0, "enable": 5400.0}
    assert settings.reasons[0].reason_class == "blocked"
    assert settings.reasons[0].match == re.compile("(?i)blocked$")
    assert settings.state.model_dump() == {
        "url": "sqlite://",
        "password_file": None,
        "retention": 31_536_000.0,
    }
    assert settings.sim_cards.model_dump() == {
        "lookup": False,
        "refresh": 3600.0,
        "requests_per_poll": 1000,
    }
    assert settings.problems.model_dump() == {"forget_after": 604_800.0}
    assert settings.web.model_dump() == {
        "listen_address": ("127.0.0.1:0",),
        "config_file": "web.yaml",
        "external_url": None,
        "route_prefix": None,
        "external_links": ({"name": "Dashboards", "url": "http://grafana:3000/d/uid?kiosk"},),
        "details": settings.poll.tls_strict,
    }
    assert (settings.log.level, settings.log.format) == (LogLevel.DEBUG, LogFormat.JSON)


def test_a_variable_cannot_break_the_file(load_text: Load) -> None:
    """What a variable holds is one value, whatever it means in YAML, and is not replaced again."""
    settings = load_text("accounts: [{name: '${HARD}', api_key: '${AGAIN}'}]")

    assert settings.accounts[0].name == "a: b # c"
    assert settings.accounts[0].api_key is not None
    assert settings.accounts[0].api_key.get_secret_value() == "a-${KEY}"


def test_a_byte_order_mark_is_no_mistake(load_text: Load) -> None:
    """Editors that put one at the start of a file do no harm."""
    assert load_text("\ufeffaccounts: [{api_key: x}]").accounts[0].name == "default"


def test_equal_files_give_equal_settings(load_text: Load) -> None:
    """A reload can tell whether anything changed, a key or a class of reasons included."""
    settings = load_text(WHOLE)

    assert load_text(WHOLE) == settings
    assert hash(load_text(WHOLE)) == hash(settings)
    for old, new in [("${KEY}", "other"), ("(?i)", ""), ("1h30m", "1h"), ("fleet a", "fleet")]:
        assert load_text(WHOLE.replace(old, new)) != settings


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    """A path that names nothing is told with the path."""
    path = tmp_path / "none.yaml"

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert caught.value.mistakes == (
        f"{path}: cannot be read (No such file or directory); check the path and permissions",
    )


def test_a_directory_is_a_mistake(tmp_path: Path) -> None:
    """A path that names a directory is told with the path."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {})

    assert caught.value.mistakes == (
        f"{tmp_path}: cannot be read (Is a directory); check the path and permissions",
    )


def test_another_encoding_is_a_mistake(tmp_path: Path) -> None:
    """A file in Latin-1 is told with the line where it shows, and without its text."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: SECRET\nb: gr\u00fc\u00df\n".encode("latin-1"))

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert caught.value.mistakes == (f"{path}:2: is not UTF-8; save it as UTF-8",)
    assert caught.value.__context__ is None


def test_without_a_file_the_key_comes_from_the_environment() -> None:
    """One account with the defaults is what the variable alone gives."""
    (account,) = from_environment({"TELNYX_API_KEY": "KEY${x}"}).accounts

    assert account.name == "default"
    assert account.api_key is not None
    assert account.api_key.get_secret_value() == "KEY${x}"


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        (
            {},
            (
                "TELNYX_API_KEY: is not set; "
                "set it to the API key, or name a file with --config.file"
            ),
        ),
        ({"TELNYX_API_KEY": ""}, "TELNYX_API_KEY: is empty; put the API key there"),
        (
            {"TELNYX_API_KEY": "SECRET\n"},
            (
                "TELNYX_API_KEY: contains a character that no API key has, "
                "perhaps a space or a line break; remove it"
            ),
        ),
    ],
    ids=["unset", "empty", "newline"],
)
def test_without_a_key_nothing_can_start(environ: Mapping[str, str], mistake: str) -> None:
    """A key that is not there, or cannot be one, is told with the ways to give one."""
    with pytest.raises(ConfigError) as caught:
        from_environment(environ)

    assert caught.value.mistakes == (mistake,)
