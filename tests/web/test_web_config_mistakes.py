from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigError
from exporter.web.web_config import load

HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"
"""The hash of the sample in the documentation of exporter-toolkit."""

EVERYTHING_WRONG = f"""\
tls_server_config:
  cert_file: missing.pem
  min_version: TLS13
  max_version: TLS12
  client_auth_type: RequireAnyClientCert
  ciphers: []
http_server_config:
  http2: true
  headers:
    X-Frame-Options: DENY
    Server: x
basic_auth_users:
  alice: hunter2
  "b:c": {HASH}
  carol:
rate_limit:
  interval: 5 s
  burst: -1
auth_users: 1
"""


def mistakes(path: Path) -> list[str]:
    """Return what is wrong with a file, without its path."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.removeprefix(str(path)) for line in caught.value.mistakes]


def test_every_mistake_is_told_at_once(web_file: Any) -> None:
    """Each mistake stands with its line, its place and its remedy, in the order of the file."""
    web_file.write(EVERYTHING_WRONG)
    assert mistakes(web_file.path) == [
        ":1: tls_server_config.key_file: is missing; TLS requires a certificate and its key",
        (
            ":2: tls_server_config.cert_file: "
            "cannot be read (No such file or directory); check the path and permissions"
        ),
        (
            ":4: tls_server_config.max_version: is lower than min_version; "
            "use the same or a higher version"
        ),
        (
            ":5: tls_server_config.client_auth_type: Python's ssl does not support "
            "unverified client certificates; "
            "use RequireAndVerifyClientCert or VerifyClientCertIfGiven"
        ),
        ":6: tls_server_config.ciphers: unknown key; did you mean cipher_suites?",
        ":8: http_server_config.http2: HTTP/2 is not supported; remove the key or set it to false",
        ":10: http_server_config.headers.X-Frame-Options: unknown value; did you mean deny?",
        (
            ":11: http_server_config.headers.Server: unknown key; use one of "
            "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, "
            "X-Frame-Options, X-XSS-Protection"
        ),
        ":13: basic_auth_users.alice: is not a bcrypt hash; create one with: htpasswd -nBC 10 NAME",
        (
            ":14: basic_auth_users.b:c: "
            "is not a valid user name; remove colons and control characters"
        ),
        ":15: basic_auth_users.carol: is empty; set it to a bcrypt hash, or remove the user",
        ":17: rate_limit.interval: is not a duration; write it like 500ms, 1.5s, 5m or 1h30m",
        ":18: rate_limit.burst: must be an integer of 1 or more; use digits only",
        ":19: auth_users: unknown key; did you mean basic_auth_users?",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", ": is empty; add", id="empty"),
        pytest.param("- a", ": must be a mapping of keys; add", id="list"),
        pytest.param("a: [", ":1: is not valid YAML", id="no YAML"),
        pytest.param(
            "tls_server_config: x",
            ":1: tls_server_config: must be a mapping; indent its keys below it",
            id="no mapping",
        ),
        pytest.param(
            "tls_server_config: {min_version: TLS11}",
            ":1: tls_server_config.min_version: is insecure and not supported; ",
            id="old TLS",
        ),
        pytest.param(
            "tls_server_config: {max_version: TLS14}",
            ":1: tls_server_config.max_version: unknown value; use one of TLS12, TLS13",
            id="future TLS",
        ),
        pytest.param(
            "tls_server_config: {curve_preferences: [X25519, CurveP256]}",
            ":1: tls_server_config.curve_preferences: Python's ssl supports only one curve; ",
            id="two curves",
        ),
        pytest.param(
            "tls_server_config: {cipher_suites: [TLS_AES_128_GCM_SHA256]}",
            ":1: tls_server_config.cipher_suites[0]: is a TLS 1.3 suite; ",
            id="suite of TLS 1.3",
        ),
        pytest.param(
            "tls_server_config: {cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
            ":1: tls_server_config.cipher_suites[0]: unknown value; use one of ",
            id="insecure suite",
        ),
        pytest.param(
            "tls_server_config: {cipher_suites: TLS}",
            ":1: tls_server_config.cipher_suites: must be a list; ",
            id="suites no list",
        ),
        pytest.param(
            "tls_server_config: {prefer_server_cipher_suites: 'yes'}",
            ":1: tls_server_config.prefer_server_cipher_suites: must be true or false, ",
            id="no boolean",
        ),
        pytest.param(
            "tls_server_config: {client_auth_type: Verify}",
            ":1: tls_server_config.client_auth_type: unknown value; ",
            id="unknown policy",
        ),
        pytest.param(
            "tls_server_config: {client_ca: ca}",
            ":1: tls_server_config.client_ca: has no effect; add client_auth_type",
            id="authority without policy",
        ),
        pytest.param(
            "tls_server_config: {client_allowed_sans: [a]}",
            ":1: tls_server_config.client_allowed_sans: clients may connect without",
            id="names without policy",
        ),
        pytest.param(
            "tls_server_config: "
            "{client_allowed_sans: [], client_auth_type: RequireAndVerifyClientCert}",
            ":1: tls_server_config.client_allowed_sans: is empty, so no certificate is allowed; ",
            id="no names",
        ),
        pytest.param(
            "tls_server_config: {key: a, key_file: b}",
            ":1: tls_server_config.key_file: cannot be combined with key; remove one of them",
            id="key twice",
        ),
        pytest.param(
            "tls_server_config: {cert_file: .}",
            ":1: tls_server_config.cert_file: cannot be read (Is a directory); ",
            id="folder",
        ),
        pytest.param(
            r'tls_server_config: {cert_file: "a\n"}',
            ":1: tls_server_config.cert_file: contains a control character; remove it",
            id="control character",
        ),
        pytest.param(
            r'http_server_config: {headers: {Content-Security-Policy: "a\nb"}}',
            ":1: http_server_config.headers.Content-Security-Policy: contains a character",
            id="header split",
        ),
        pytest.param(
            f"basic_auth_users: {{a: {HASH.replace('$10$', '$15$')}}}",
            ":1: basic_auth_users.a: has a cost above 14, which takes too long to check",
            id="dear hash",
        ),
        pytest.param(
            f"basic_auth_users: {{a: {HASH.replace('$10$', '$03$')}}}",
            ":1: basic_auth_users.a: is not a bcrypt hash",
            id="cheap hash",
        ),
        pytest.param(
            f"basic_auth_users: {{a: {HASH[:-1]}}}",
            ":1: basic_auth_users.a: is not a bcrypt hash",
            id="cut hash",
        ),
        pytest.param(
            "rate_limit: {interval: 1s}",
            ":1: rate_limit.burst: is 0 or missing, so every request would be rejected; ",
            id="no burst",
        ),
        pytest.param(
            "rate_limit: {interval: [1s]}",
            ":1: rate_limit.interval: is not a duration; ",
            id="interval no duration",
        ),
    ],
)
def test_mistake_is_told(web_file: Any, text: str, says: str) -> None:
    """What cannot be used, or cannot be done here, is refused in words that say so."""
    web_file.write(text)
    assert any(line.startswith(says) for line in mistakes(web_file.path)), mistakes(web_file.path)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there names itself."""
    assert mistakes(tmp_path / "web.yml") == [
        ": cannot be read (No such file or directory); check the path and permissions"
    ]


def test_text_that_is_not_utf8_is_told(web_file: Any) -> None:
    """A file in another encoding is refused without a word of it."""
    web_file.path.write_bytes(b"basic_auth_users: {\xe4: secret}")
    assert mistakes(web_file.path) == [":1: is not UTF-8; save it as UTF-8"]
