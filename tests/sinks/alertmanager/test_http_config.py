"""The file of alertmanager.config_file: what it takes, and what it says of every mistake."""

from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigError
from exporter.sinks.alertmanager.http_config import HttpConfig, load

TARGET = "https://am.example.org:9093"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the place of the file."""
    return tmp_path / "http.yml"


def read(file: Path, text: str, **environ: str) -> HttpConfig:
    """Write and load the file."""
    file.write_text(text, encoding="utf-8")
    return load(file, (TARGET,), environ)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("{}", ""),
        ("basic_auth: {username: u}", "Basic dTo="),
        ("basic_auth: {username: u, password: p}", "Basic dTpw"),
        ("basic_auth: {username_file: u, password_file: p}", "Basic dTpw"),
        ("basic_auth: {username: ü, password: p}", "Basic w7w6cA=="),
        ("authorization: {credentials: x}", "Bearer x"),
        ("authorization: {type: Token, credentials_file: p}", "Token p"),
        ("authorization: null", ""),
        ("enable_http2: false\nfollow_redirects: true", ""),
    ],
)
def test_credentials_become_a_header(file: Path, text: str, header: str) -> None:
    """As text or from files beside the file, whose last line break does not count."""
    (file.parent / "u").write_text("u\n")
    (file.parent / "p").write_text("p\r\n")
    config = read(file, text)
    assert config.authorization == header
    assert not header or header not in repr(config)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("basic_aut: {}", "1: basic_aut: unknown key; did you mean basic_auth?"),
        ("basic_auth: {password: SECRET}", "basic_auth.username: is missing"),
        ("basic_auth: {username: 'a:b'}", "basic_auth.username: contains a colon"),
        (
            "basic_auth: {username: u, password: SECRET, password_file: p}",
            "basic_auth.password_file: cannot be combined with password",
        ),
        ("basic_auth: {username: u, password_file: gone}", "basic_auth.password_file: cannot be"),
        ("basic_auth: {username: u, password_file: empty}", "basic_auth.password_file: is empty"),
        ("basic_auth: {username: u, password: [SECRET]}", "basic_auth.password: must be text"),
        ("authorization: {}", "authorization.credentials: is missing"),
        (
            "authorization: {type: basic, credentials: SECRET}",
            "authorization.type: cannot be Basic",
        ),
        ("authorization: {type: 'a b', credentials: x}", "authorization.type: is not a type"),
        ('authorization: {credentials: "SECRET\\n"}', "authorization.credentials: contains"),
        (
            "basic_auth: {username: u}\nauthorization: {credentials: SECRET}",
            "2: authorization: cannot be combined with basic_auth",
        ),
        ("tls_config: {ca_file: empty}", "tls_config.ca_file: contains no certificate"),
        ("tls_config: {ca_file: gone}", "tls_config.ca_file: cannot be read"),
        ("tls_config: {cert_file: empty}", "tls_config.cert_file: contains no certificate"),
        ("tls_config: {min_version: TLS10}", "tls_config.min_version: is insecure"),
        (
            "tls_config: {min_version: TLS13, max_version: TLS12}",
            "tls_config.max_version: is lower than min_version",
        ),
        ("tls_config: {insecure_skip_verify: 'no'}", "skip_verify: must be true or false"),
        ("tls_config: {server_name: ' .'}", "tls_config.server_name: is not a host name"),
        ("proxy_url: 'socks5://p:1'", "proxy_url: is not a proxy URL"),
        *(
            (f'proxy_url: "{url}"', "proxy_url: is not a proxy URL")
            for url in (
                "http://SECRET@p:1/x?y",
                "http://p:99999",
                "http://p:0",
                "http://p:x",
                "http://p:1/SECRET",
                "http://p/#SECRET",
                "http://a..b:1",
                "http://[::1",
                "http://xn--a:1",
                "http://-a:1",
                "http://u:\\ud800@p:1",
                "p:1",
            )
        ),
        *(
            (f'tls_config: {{server_name: "{name}"}}', "tls_config.server_name: is not a host name")
            for name in ("a..b", "-a", "a b", "x" * 64, "a:1", "xn--a", "\\ud800", "*.a")
        ),
        ('basic_auth: {username: "\\udc00"}', "basic_auth.username: contains half of"),
        (
            'basic_auth: {username: u, password: "SECRET\\ud800"}',
            "basic_auth.password: contains half of",
        ),
        (
            "proxy_url: 'http://p:1'\nproxy_from_environment: true",
            "2: proxy_from_environment: cannot be combined with proxy_url",
        ),
        (
            "proxy_url: 'http://p:1'\ntls_config: {server_name: x}",
            "tls_config.server_name: has no effect through a proxy",
        ),
        ("enable_http2: true", "enable_http2: HTTP/2 is not supported"),
        ("follow_redirects: 1", "follow_redirects: must be true or false"),
        ("", "is empty"),
        ("[]", "must be a mapping"),
    ],
)
def test_a_mistake_is_reported_with_its_place(file: Path, text: str, mistake: str) -> None:
    """It names the file and the key, and quotes no value."""
    (file.parent / "empty").write_text("\n")
    (file.parent / "p").write_text("p")
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    (line,) = caught.value.mistakes
    assert line.startswith(str(file))
    assert mistake in line
    assert "SECRET" not in line


def test_every_mistake_is_reported_at_once(file: Path) -> None:
    """In the order of the file."""
    text = (
        "basic_auth: {username: u, passwort: x}\nfollow_redirects: 2\ntls_config: {ca: x, key: y}\n"
    )
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert [line.split(":")[1] for line in caught.value.mistakes] == ["1", "2", "3", "3"]


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("{}", None),
        ("proxy_from_environment: false", None),
        ("proxy_from_environment: true", "http://env.example.org:3128"),
        ("proxy_url: http://u:SECRET@p.example.org:1", "http://u:SECRET@p.example.org:1"),
    ],
)
def test_a_proxy_is_used_only_if_the_file_says_so(file: Path, text: str, proxy: str | None) -> None:
    """The environment's proxy is for Telnyx, unless the file asks for it."""
    config = read(file, text, HTTPS_PROXY="http://env.example.org:3128")
    found = config.proxies.get(TARGET)
    assert (found.url if found else None) == proxy
    assert "SECRET" not in repr(config)


@pytest.mark.program("openssl")
def test_certificates_are_taken_as_files_and_as_text(file: Path, authority: Any) -> None:
    """A CA of one's own replaces the system's; a client certificate needs its key."""
    authority.issue(file.parent, "client")
    read(
        file,
        f"tls_config: {{ca_file: {authority.file}, cert_file: client.pem, key_file: client.key}}",
    )
    inline = "".join(f"    {line}\n" for line in authority.file.read_text().splitlines())
    config = read(file, f"tls_config:\n  ca: |\n{inline}")
    assert len(config.trust.get_ca_certs()) == 1
    assert config.trust.check_hostname
    with pytest.raises(ConfigError, match=r"tls_config\.key_file: is missing"):
        read(file, "tls_config: {cert_file: client.pem}")
    assert not read(file, "tls_config: {insecure_skip_verify: true}").trust.check_hostname
