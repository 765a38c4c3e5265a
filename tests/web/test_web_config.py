from collections.abc import Callable
from typing import Any

import pytest

from exporter.errors import ConfigError
from exporter.web.web_config import RateLimit, load

HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"
"""The hash of the sample in the documentation of exporter-toolkit."""


@pytest.mark.parametrize("text", ["{}", "tls_server_config:\nbasic_auth_users: {}\n"])
def test_nothing_configured_is_no_mistake(web_file: Any, text: str) -> None:
    """A file may leave everything off."""
    web_file.write(text)
    settings = load(web_file.path)
    assert settings.tls is None
    assert not settings.users
    assert not settings.headers
    assert settings.rate_limit is None


def test_sample_of_the_toolkit_is_understood(web_file: Any) -> None:
    """Users, headers and the rate limit are taken as exporter-toolkit documents them."""
    web_file.write(
        f"basic_auth_users:\n  alice: {HASH}\n  123: {HASH}\n"
        "rate_limit: {interval: 1s, burst: 20}\n"
        "http_server_config:\n  http2: false\n  headers:\n"
        "    X-Frame-Options: sameorigin\n    X-Content-Type-Options: nosniff\n"
        "    Strict-Transport-Security: max-age=31536000\n    X-XSS-Protection: ''\n"
    )
    settings = load(web_file.path)
    assert settings.users == {b"alice": HASH.encode(), b"123": HASH.encode()}
    assert settings.rate_limit == RateLimit(1.0, 20)
    assert settings.headers == {
        "X-Frame-Options": "sameorigin",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
    }


@pytest.mark.parametrize("limit", ["{interval: 0, burst: 5}", "{interval: 0s}", "{burst: 5}"])
def test_rate_limit_of_zero_is_none(web_file: Any, limit: str) -> None:
    """An interval of 0 turns the limit off, as in exporter-toolkit."""
    web_file.write(f"rate_limit: {limit}")
    assert load(web_file.path).rate_limit is None


def test_no_secret_is_shown(web_file: Any, hashed: Callable[..., str]) -> None:
    """Neither mistakes nor reprs show a password, a hash or a key."""
    good = hashed("hunter2")
    web_file.write(f"basic_auth_users: {{alice: hunter2, bob: {good}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(web_file.path)
    web_file.write(f"basic_auth_users: {{bob: {good}}}\ntls_server_config: {{key: hunter2}}\n")
    with pytest.raises(ConfigError) as key_caught:
        load(web_file.path)
    web_file.write(f"basic_auth_users: {{bob: {good}}}\n")
    shown = f"{caught.value!r} {key_caught.value!r} {load(web_file.path)!r}"
    assert "hunter2" not in shown
    assert good not in shown
