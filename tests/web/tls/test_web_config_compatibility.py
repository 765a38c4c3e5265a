"""Hold the web configuration to what exporter-toolkit takes, case by case.

Each case was put to exporter-toolkit 0.20, which takes all that is taken here, but for intervals in
days. docs/tls.md lists what differs under *Differences from exporter-toolkit*.
"""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigError
from exporter.web.web_config import RateLimit, WebSettings, load

pytestmark = pytest.mark.program("openssl")

REQUIRED = "client_auth_type: RequireAndVerifyClientCert"
SUITE = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"


@pytest.fixture
def read(web_file: Any, secured: Callable[..., str], authority: Any) -> Callable[..., WebSettings]:
    """Give what loads a file with TLS that says more under ``tls_server_config``."""

    def settings(*more: str) -> WebSettings:
        web_file.write(secured(*(each.replace("CA", str(authority.file)) for each in more)))
        return load(web_file.path)

    return settings


@pytest.mark.parametrize(
    "lines",
    [
        ["client_auth_type: ''"],
        ["client_auth_type: NoClientCert"],
        ["client_auth_type: VerifyClientCertIfGiven"],
        ["client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ''"],
        ["client_auth_type: VerifyClientCertIfGiven", "client_ca_file: CA"],
        [REQUIRED],
        [REQUIRED, "client_ca_file: CA"],
        [REQUIRED, "client_ca_file: CA", "client_allowed_sans: [a, 1, 1.50, true]"],
        ["client_allowed_sans: []"],
        ["client_allowed_sans: null"],
        ["cipher_suites: []"],
        ["cipher_suites: null"],
        [f"cipher_suites: [{SUITE}, {SUITE}]"],
        ["curve_preferences: []"],
        ["curve_preferences: null"],
        ["curve_preferences: [CurveP256, CurveP256]"],
        ["min_version: null"],
        ["prefer_server_cipher_suites: yes"],
    ],
    ids=str,
)
def test_tls_is_taken(read: Callable[..., WebSettings], lines: list[str]) -> None:
    """What Go takes is taken, and is TLS."""
    assert read(*lines).tls is not None


@pytest.mark.parametrize("given", ["cipher_suites: []", "curve_preferences: []"])
def test_an_empty_list_is_the_default(read: Callable[..., WebSettings], given: str) -> None:
    """Suites are as if nothing stood there."""
    plain, empty = read().tls, read(given).tls
    assert plain is not None
    assert empty is not None
    assert empty.context.get_ciphers() == plain.context.get_ciphers()


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
    ],
)
def test_without_authorities_those_of_the_system_count(
    read: Callable[..., WebSettings],
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    mode: ssl.VerifyMode,
) -> None:
    """As in Go, which looks for them where the environment says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    found = read(f"client_auth_type: {policy}").tls
    assert found is not None
    assert found.context.verify_mode is mode
    assert found.context.get_ca_certs() == authority.context().get_ca_certs()
    assert not found.own_authority


def test_authorities_of_the_system_that_do_not_answer_are_told(
    read: Callable[..., WebSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names a pipe that nobody writes to, reading does not hang."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("SSL_CERT_FILE", str(pipe))
    with pytest.raises(ConfigError, match=r"client_auth_type: .* does not respond"):
        read(REQUIRED)
    os.close(os.open(pipe, os.O_WRONLY))  # lets go what waits for it


def test_names_are_taken_as_they_are_written(read: Callable[..., WebSettings]) -> None:
    """A number without quotes is its digits."""
    found = read(REQUIRED, "client_ca_file: CA", "client_allowed_sans: [007, 1.50, yes, a]").tls
    assert found is not None
    assert found.allowed_sans == {"007", "1.50", "yes", "a"}


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["client_allowed_sans: [a]"], "client_allowed_sans"),
        (
            ["client_auth_type: VerifyClientCertIfGiven", "client_allowed_sans: [a]"],
            "client_allowed_sans",
        ),
        ([REQUIRED, "client_ca_file: CA", "client_allowed_sans: []"], "client_allowed_sans"),
        ([REQUIRED, "client_ca_file: server.key"], "client_ca_file"),
        ([REQUIRED, "client_ca_file: CA", "client_ca: x"], "client_ca_file"),
        (["client_ca_file: CA"], "client_ca_file"),
        (["cert: x"], "cert_file"),
        (["curve_preferences: [X25519, CurveP256]"], "curve_preferences"),
        (["cipher_suites: [TLS_AES_128_GCM_SHA256]"], "cipher_suites[0]"),
        (["min_version: TLS13", "max_version: TLS12"], "max_version"),
        (["min_version: TLS10"], "min_version"),
    ],
    ids=str,
)
def test_tls_is_refused(read: Callable[..., WebSettings], lines: list[str], place: str) -> None:
    """What docs/tls.md lists is refused at its place."""
    with pytest.raises(ConfigError) as caught:
        read(*lines)
    (mistake,) = caught.value.mistakes
    assert f" tls_server_config.{place}: " in mistake


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        ("", None),
        ("{}", None),
        ("{interval: 0, burst: 0}", None),
        ("{interval: 0s}", None),
        ("{interval: '0', burst: 1}", None),
        ("{burst: 5}", None),
        ("{interval: null, burst: 1}", None),
        ("{interval: 1.5s, burst: 1}", RateLimit(1.5, 1)),
        ("{interval: .5s, burst: 1}", RateLimit(0.5, 1)),
        ("{interval: 5.s, burst: 1}", RateLimit(5.0, 1)),
        ("{interval: +1s, burst: 1}", RateLimit(1.0, 1)),
        ("{interval: 500us, burst: 1}", RateLimit(0.0005, 1)),
        ("{interval: 500\N{MICRO SIGN}s, burst: 1}", RateLimit(0.0005, 1)),
        ("{interval: 500\N{GREEK SMALL LETTER MU}s, burst: 1}", RateLimit(0.0005, 1)),
        ("{interval: 5ms, burst: 1}", RateLimit(0.005, 1)),
        ("{interval: 50ns, burst: 1}", RateLimit(5e-8, 1)),
        ("{interval: 1h1.5m, burst: 1}", RateLimit(3690.0, 1)),
        ("{interval: 1s1h1s, burst: 1}", RateLimit(3602.0, 1)),
        ("{interval: 1000000000, burst: 20}", RateLimit(1.0, 20)),
        ("{interval: 1_000_000, burst: 0x10}", RateLimit(0.001, 16)),
        ("{interval: 1500.7, burst: 2.0}", RateLimit(1.5e-6, 2)),
        ("{interval: 2d, burst: 1}", RateLimit(172_800.0, 1)),  # more than Go takes
    ],
)
def test_rate_limit_is_taken(web_file: Any, limit: str, taken: RateLimit | None) -> None:
    """Intervals are what Go reads: text with units, or nanoseconds."""
    web_file.write(f"rate_limit: {limit}")
    assert load(web_file.path).rate_limit == taken


@pytest.mark.parametrize(
    ("limit", "place"),
    [
        ("{interval: 1s, burst: 0}", "burst"),
        ("{interval: 1s}", "burst"),
        ("{interval: 1s, burst: null}", "burst"),
        ("{interval: 1s, burst: -1}", "burst"),
        ("{interval: 1s, burst: 2.5}", "burst"),
        ("{interval: 1s, burst: '2'}", "burst"),
        ("{interval: 1s, burst: true}", "burst"),
        ("{interval: 1s, burst: 99999999999999999999}", "burst"),
        ("{interval: 1s, burst: .nan}", "burst"),
        ("{interval: -1s, burst: 1}", "interval"),
        ("{interval: -5, burst: 1}", "interval"),
        ("{interval: .inf, burst: 1}", "interval"),
        ("{interval: '1000', burst: 1}", "interval"),
        ("{interval: 1 s, burst: 1}", "interval"),
        ("{interval: .s, burst: 1}", "interval"),
        ("{interval: '-', burst: 1}", "interval"),
        ("{interval: 9999999h, burst: 1}", "interval"),
        ("{interval: 300y, burst: 1}", "interval"),
        ("{interval: true, burst: 1}", "interval"),
    ],
)
def test_rate_limit_is_refused(web_file: Any, limit: str, place: str) -> None:
    """What Go refuses too, or what docs/tls.md lists."""
    web_file.write(f"rate_limit: {limit}")
    with pytest.raises(ConfigError) as caught:
        load(web_file.path)
    (mistake,) = caught.value.mistakes
    assert f" rate_limit.{place}: " in mistake


@pytest.mark.parametrize("value", ["0", "1.50", "0x10", "true", "2020-01-01", "'1; mode=block'"])
def test_header_is_taken_as_it_is_written(web_file: Any, value: str) -> None:
    """A number needs no quotes."""
    web_file.write(f"http_server_config: {{headers: {{X-XSS-Protection: {value}}}}}")
    assert load(web_file.path).headers == {"X-XSS-Protection": value.strip("'")}


@pytest.mark.parametrize(
    "text",
    [
        "tls_server_config: {min_version: TLS13}",
        "tls_server_config: {cert_file: '', key_file: ''}",
        "http_server_config: {http2: true}",
        "http_server_config: {headers: {X-XSS-Protection: [a]}}",
        'http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}',
        "http_server_config: {headers: {Content-Security-Policy: \u00e4}}",
        "basic_auth_users: {'a:b': $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze}",
        "rate_limit: ''",
        "http_server_config: ''",
        "http_server_config: {headers: ''}",
        "basic_auth_users: ''",
        "tls_server_config: ''",
        "# nothing",
    ],
)
def test_other_files_are_refused(web_file: Any, text: str) -> None:
    """What docs/tls.md lists is refused as a whole."""
    web_file.write(text)
    with pytest.raises(ConfigError):
        load(web_file.path)
