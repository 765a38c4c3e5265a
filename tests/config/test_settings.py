import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.config import (
    Account,
    Alertmanager,
    LogFormat,
    LogLevel,
    Poll,
    Settings,
    StuckAfter,
    Web,
    from_environment,
    load,
)
from exporter.config.fields import STATUSES
from exporter.domain import Status
from exporter.errors import ConfigError


@pytest.fixture
def settings() -> Settings:
    """Return the default settings."""
    return from_environment({"TELNYX_API_KEY": "x"})


def test_the_statuses_are_those_of_the_ledger() -> None:
    """What an account can be limited to is what an action can be."""
    assert list(STATUSES) == [status.value for status in Status]


def test_in_code_durations_are_seconds() -> None:
    """Settings made in code need no texts."""
    assert Poll(interval=0.5, audit_interval=2).interval == 0.5


def test_an_account_made_in_code_needs_a_key_too() -> None:
    """The rule about keys holds without a file."""
    with pytest.raises(ValidationError, match="is missing, and so is api_key"):
        Account(name="a")


def test_an_error_of_the_model_does_not_hold_the_key() -> None:
    """Even an error that does not pass the loader hides what was given."""
    with pytest.raises(ValidationError) as caught:
        Account.model_validate({"api_key": "SECRET KEY"})

    assert "SECRET" not in f"{caught.value} {caught.value!r}"


def test_settings_cannot_be_changed(settings: Settings) -> None:
    """Whoever holds settings can rely on them."""
    with pytest.raises(ValidationError, match="frozen"):
        settings.poll.interval = 1.0


def test_stuck_after_differs_by_action_type() -> None:
    """A key besides the default is an action type with its own value."""
    stuck_after = StuckAfter.model_validate({"default": "1m", "enable": "2m"})

    assert stuck_after.default == 60.0
    assert stuck_after.model_extra == {"enable": 120.0}


def test_flags_win_over_the_file(settings: Settings) -> None:
    """A flag replaces its setting and no other."""
    changed = settings.with_overrides(
        listen_address=("127.0.0.1:9", ":8"),
        web_config_file="web.yaml",
        external_url="https://example.org/telnyx/",
        route_prefix="/",
        log_level="error",
        log_format="json",
    )

    assert changed.web.model_dump() == {
        "listen_address": ("127.0.0.1:9", ":8"),
        "config_file": "web.yaml",
        "external_url": "https://example.org/telnyx",
        "route_prefix": "/",
        "external_links": (),
        "details": True,
    }
    assert (changed.log.level, changed.log.format) == (LogLevel.ERROR, LogFormat.JSON)
    assert changed.model_dump(exclude={"web", "log"}) == settings.model_dump(exclude={"web", "log"})


@pytest.mark.parametrize(
    ("external", "given", "prefix"),
    [
        (None, None, ""),
        ("https://example.org", None, ""),
        ("https://example.org/", None, ""),
        ("https://example.org/telnyx", None, "/telnyx"),
        ("http://example.org:8080/a/b//", None, "/a/b"),
        ("https://example.org/telnyx/", "/", ""),
        ("https://example.org/telnyx/", "other/", "/other"),
        (None, "/telnyx", "/telnyx"),
        (None, "telnyx", "/telnyx"),
        (None, "/api/v1/services/telnyx:10874/proxy/", "/api/v1/services/telnyx:10874/proxy"),
    ],
)
def test_prefix_is_that_of_prometheus(
    settings: Settings, external: str | None, given: str | None, prefix: str
) -> None:
    """The external address gives the prefix, and the route prefix another one."""
    web = settings.with_overrides(external_url=external, route_prefix=given).web
    assert web.prefix == prefix


@pytest.mark.parametrize(
    "flags",
    [
        {"external_url": "example.org/telnyx"},
        {"external_url": "/telnyx"},
        {"external_url": "https://user@example.org"},
        {"external_url": "https://example.org/?a"},
        {"external_url": "https://example.org/#a"},
        {"external_url": "https://example.org/a//b"},
        {"external_url": ""},
        {"route_prefix": ""},
        {"route_prefix": "/a/../b"},
        {"route_prefix": "/a b"},
        {"route_prefix": "/{a}"},
        {"route_prefix": "/a%2Fb"},
        {"route_prefix": "/a?b"},
        {"route_prefix": "https://example.org/a"},
    ],
    ids=str,
)
def test_odd_prefixes_are_refused(settings: Settings, flags: dict[str, str]) -> None:
    """What would lead somewhere else than it looks is a mistake of that flag."""
    with pytest.raises(ConfigError) as caught:
        settings.with_overrides(**flags)
    (flag,) = (f"--web.{name.replace('_', '-')}: " for name in flags)
    assert caught.value.mistakes[0].startswith(flag)


def test_one_flag_leaves_the_rest_of_its_section(settings: Settings) -> None:
    """What the file says beside a flag is kept."""
    first = settings.with_overrides(web_config_file="web.yaml", log_format="json")

    second = first.with_overrides(listen_address=(":1",), log_level="debug")

    assert second.web.config_file == "web.yaml"
    assert second.log.format is LogFormat.JSON


def test_without_flags_nothing_changes(settings: Settings) -> None:
    """No flag means the settings as they are."""
    assert settings.with_overrides() == settings


def test_flags_are_checked_as_the_file_is(settings: Settings) -> None:
    """Every mistake in the flags is told at once, with the flag for its place."""
    with pytest.raises(ConfigError) as caught:
        settings.with_overrides(
            listen_address=(":1", "nowhere"), web_config_file="", log_level="INFO", log_format="xml"
        )

    assert caught.value.mistakes == (
        "--web.listen-address: is not HOST:PORT; write it like :10874 or 127.0.0.1:10874",
        "--web.config.file: is empty; set a value, or remove the key",
        "--log.level: unknown value; did you mean info?",
        "--log.format: unknown value; use one of auto, console, json, logfmt",
    )


@pytest.mark.parametrize(
    ("section", "given"),
    [
        ("poll", {"page_size": True}),
        ("poll", {"page_size": "25O"}),
        ("poll", {"concurrency": 0}),
        ("poll", {"rate_limit": 0}),
        ("poll", {"rate_limit": "fast"}),
        ("poll", {"rate_limit": True}),
        ("poll", {"rate_limit": "nan"}),
        ("poll", {"rate_limit": float("nan")}),
        ("poll", {"interval": None}),
        ("poll", {"interval": float("inf")}),
        ("state", {"url": "sqlite:///"}),
        ("state", {"url": "sqlite://host/x.db"}),
        ("state", {"url": "sqlite:///x.db?mode=ro"}),
        ("state", {"url": "sqlite:///folder/"}),
        ("web", {"listen_address": ":65536"}),
        ("web", {"config_file": "a\nb"}),
    ],
    ids=str,
)
def test_unsound_values_are_refused(section: str, given: dict[str, Any]) -> None:
    """Values that only look right do not get in."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"accounts": [{"api_key": "x"}], section: given})


@pytest.mark.parametrize(
    "url",
    [
        "https://api.telnyx.com/v2",
        "https://api.telnyx.com:8443",
        "https://[2001:db8::1]/v2",
        "https://xn--mnchen-3ya.de/v2",
        f"https://{'a' * 63}.com",
        "http://localhost:8080/v2",
        "http://127.0.0.1:8080/v2",
        "http://[::1]:8080/v2",
        "http://LOCALHOST:8080/v2",
        "http://127.1.2.3:8080/v2",
        "http://[::ffff:127.0.0.1]:8080/v2",
        "http://0.0.0.0:8080/v2",
        "http://[::]:8080/v2",
    ],
)
def test_web_addresses_that_keep_the_key_safe_are_taken(url: str) -> None:
    """The base URL is https, or http to the machine itself."""
    assert Account.model_validate({"api_key": "x", "base_url": url}).base_url == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("api.telnyx.com/v2", "is not an http or https URL"),
        ("ftp://api.telnyx.com", "is not an http or https URL"),
        ("https://", "is not an http or https URL"),
        ("https:///v2", "is not an http or https URL"),
        ("https://a b", "is not an http or https URL"),
        ("https://a..b", "is not an http or https URL"),
        ("https://[::1", "is not an http or https URL"),
        ("https://h:99999", "is not an http or https URL"),
        ("https://h:0", "is not an http or https URL"),
        ("https://u:p@h", "must not contain a user name"),
        ("https://h/?a=b", "must not contain a user name"),
        ("https://h/#a", "must not contain a user name"),
        ("http://localhost.example.com", "could send the API key unencrypted"),
        ("http://10.0.0.1", "could send the API key unencrypted"),
        ("http://[::ffff:10.0.0.1]", "could send the API key unencrypted"),
        ("http://127.example.com", "could send the API key unencrypted"),
        ("http://foo.localhost/v2", "could send the API key unencrypted"),
        ("http://localhost./v2", "could send the API key unencrypted"),
        ("http://127.0.0.1./v2", "could send the API key unencrypted"),
        ("http://127.1/v2", "could send the API key unencrypted"),
        ("http://2130706433/", "could send the API key unencrypted"),
        ("http://0x7f000001/", "could send the API key unencrypted"),
        ("http://0x7f.1/", "could send the API key unencrypted"),
        ("http://0/", "could send the API key unencrypted"),
        ("https://xn--a.com", "has an invalid host name"),
        ("https://XN--a.com", "has an invalid host name"),
        ("https://xn--.com", "has an invalid host name"),
        ("http://[::1].:18875/v2", "is not an http or https URL"),
        ("http://[::1]x/v2", "is not an http or https URL"),
        ("http://[::1%25lo]:18875/v2", "is not an http or https URL"),
        ("https://[fe80::1%25eth0]/v2", "is not an http or https URL"),
        (f"https://{'a' * 64}.com", "is not an http or https URL"),
        (f"https://{'a.' * 127}com", "is not an http or https URL"),
        ("http://0177.0.0.1", "is not an http or https URL"),
        ("https://10.0.0.256", "is not an http or https URL"),
    ],
)
def test_other_addresses_are_refused(url: str, why: str) -> None:
    """What is no address, holds more than one, or would leak the key is a mistake."""
    with pytest.raises(ValidationError, match=why):
        Account.model_validate({"api_key": "x", "base_url": url})


@pytest.mark.parametrize(
    "url",
    [
        "https://grafana.example.org/d/uid?var-account=a&var-type=b#panel",
        "http://grafana:3000",
        "http://[2001:db8::1]:3000/d/uid",
    ],
)
def test_links_may_lead_anywhere_on_the_web(url: str) -> None:
    """A link is kept as it is written: no key goes there, and dashboards have parameters."""
    web = Web.model_validate({"external_links": [{"name": "Dashboards", "url": url}]})

    assert [(link.name, link.url) for link in web.external_links] == [("Dashboards", url)]


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ({"name": "a", "url": "javascript:alert(1)"}, "is not an http or https URL"),
        ({"name": "a", "url": "data:text/html,x"}, "is not an http or https URL"),
        ({"name": "a", "url": "//grafana.example.org"}, "is not an http or https URL"),
        ({"name": "a", "url": "/dashboards"}, "is not an http or https URL"),
        ({"name": "a", "url": "https://"}, "is not an http or https URL"),
        ({"name": "a", "url": "https://h/a b"}, "is not an http or https URL"),
        ({"name": "a", "url": "https://h/\x00"}, "contains a control character"),
        ({"name": "a", "url": "https://u:p@h"}, "contains a user name"),
        ({"name": "", "url": "https://h"}, "is empty"),
        ({"name": "x" * 65, "url": "https://h"}, "is longer than 64 characters"),
    ],
)
def test_other_links_are_refused(link: dict[str, str], why: str) -> None:
    """A link can neither run anything in the page nor give a password away."""
    with pytest.raises(ValidationError, match=why):
        Web.model_validate({"external_links": [link]})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("x" * 65, "is longer than 64 characters"),
        (" a", "begins or ends with a space"),
        ("a\tb", "contains a control character"),
    ],
    ids=["empty", "long", "space", "control"],
)
def test_account_names_are_fit_for_labels(name: str, why: str) -> None:
    """A name that could not be read in a label is a mistake."""
    with pytest.raises(ValidationError, match=why):
        Account.model_validate({"name": name, "api_key": "x"})


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db", "sqlite:////var/lib/a.db"]
)
def test_sqlite_databases_are_taken(url: str) -> None:
    """A file, relative or from the root, or the memory."""
    settings = Settings.model_validate({"accounts": [{"api_key": "x"}], "state": {"url": url}})

    assert settings.state.url == url


@pytest.mark.parametrize(("text", "rate"), [("0.5", 0.5), ("20", 20.0)])
def test_numbers_may_come_as_texts(text: str, rate: float) -> None:
    """What a variable of the environment gives is a text, for numbers too."""
    assert Poll.model_validate({"rate_limit": text, "page_size": "7"}).rate_limit == rate


def test_settings_can_be_made_from_settings(settings: Settings) -> None:
    """What is validated once is valid input, masked keys included."""
    data = settings.model_dump(by_alias=True) | {
        "reasons": [{"class": "a", "match": re.compile("x")}]
    }

    again = Settings.model_validate(data)

    assert again.accounts == settings.accounts
    assert again.reasons[0].match.pattern == "x"


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        ("http://am.example.org:9093", "http://am.example.org:9093"),
        ("https://am.example.org/prefix/", "https://am.example.org/prefix"),
        ("http://[::1]:9093", "http://[::1]:9093"),
    ],
)
def test_an_alertmanager_is_a_url_with_a_prefix_at_most(target: str, taken: str) -> None:
    """The path of the API is added to it."""
    assert Alertmanager.model_validate({"targets": [target]}).targets == (taken,)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"targets": ["am:9093"]}, "is not an http or https URL"),
        ({"targets": ["http://u:p@am:9093"]}, "must not contain a user name"),
        ({"targets": ["http://am:9093?x=1"]}, "must not contain a user name, ? or #"),
        (
            {"targets": ["http://am:9093/api/v2/alerts"]},
            "contains the path of the API",
        ),
        ({"targets": ["http://am:9093/x/api/v1/"]}, "contains the path of the API"),
        ({"targets": ["http://am:9093", "http://am:9093/"]}, "is in the list already"),
        ({"labels": {"a-b": "x"}}, "is not a label name"),
        ({"labels": {"1a": "x"}}, "is not a label name"),
        ({"labels": {"__x": "x"}}, "reserves"),
        ({"labels": {"": "x"}}, "is not a label name"),
        ({"labels": {"a": ""}}, "is empty"),
        ({"labels": {"a": 1}}, "must be text"),
        ({"labels": {"a": "x\ny"}}, "contains a control character"),
        ({"labels": {"a": "x" * 300}}, "is longer than 256"),
        *(
            ({"labels": {name: "x"}}, "is a label that every alert has")
            for name in ("alertname", "account", "sim_card_id", "concern", "status")
        ),
        ({"targets": ["http://am:9093/x", "http://AM:9093/x"]}, "already, as targets[0]"),
        ({"targets": ["http://x:1", "http://am", "HTTP://am:80/"]}, "already, as targets[1]"),
        ({"targets": ["https://am.", "https://am:443"]}, "already, as targets[0]"),
        ({"targets": ["http://[::1]:1", "http://[0:0::1]:1"]}, "already, as targets[0]"),
        ({"max_alerts": 0}, "is out of range"),
        ({"max_alerts": 10_001}, "is out of range"),
        ({"resend_interval": "999ms"}, "is out of range; write a duration from 1s to 1h"),
        ({"resend_interval": "1h1ms"}, "is out of range"),
        ({"resend_interval": 0}, "must be greater than 0"),
    ],
)
def test_what_no_alertmanager_takes_is_refused(given: dict[str, Any], text: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValidationError, match=re.escape(text)):
        Alertmanager.model_validate(given)


def test_severity_may_be_replaced_by_a_label() -> None:
    """It identifies nothing, and who routes by it may want another."""
    labels = {"severity": "critical", "team": "iot"}
    assert Alertmanager.model_validate({"labels": labels}).labels == labels


def test_a_wrong_label_is_reported_with_its_place(tmp_path: Path) -> None:
    """As every mistake of the file."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "accounts: [{api_key: x}]\nalertmanager:\n  labels:\n    status: x\n    a: ''\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert [line.removeprefix(f"{file}:").partition(";")[0] for line in caught.value.mistakes] == [
        "4: alertmanager.labels.status: is a label that every alert has",
        "5: alertmanager.labels.a: is empty",
    ]
