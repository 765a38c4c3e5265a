import platform
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.config.tls_names import CIPHER_SUITES, CURVES
from exporter.errors import ConfigError
from exporter.web.tls import Tls
from exporter.web.web_config import load

pytestmark = pytest.mark.program("openssl")


def tls(path: Path) -> Tls:
    """Return the TLS of a file that has one."""
    found = load(path).tls
    assert found is not None
    return found


def mistake(path: Path) -> str:
    """Return the only mistake of a file, without its path."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.mistakes) == 1, caught.value.mistakes
    return caught.value.mistakes[0].removeprefix(f"{path}:")


def test_paths_are_from_the_folder_of_the_file(web_file: Any, secured: Callable[..., str]) -> None:
    """A relative path is found from wherever the exporter runs."""
    web_file.write(secured())
    assert load(web_file.path).tls is not None


def test_absolute_paths_are_taken_as_they_are(web_file: Any, secured: Callable[..., str]) -> None:
    """A certificate may stand anywhere."""
    folder = web_file.path.parent
    web_file.write(secured().replace("server.", f"{folder}/server."))
    (folder / "elsewhere").mkdir()
    moved = web_file.path.rename(folder / "elsewhere" / "web.yml")
    assert load(moved).tls is not None


def test_versions_and_suites_are_those_of_the_file(
    web_file: Any, secured: Callable[..., str]
) -> None:
    """Versions, suites, order and curve reach OpenSSL; by default TLS 1.2 is the least."""
    web_file.write(secured())
    default = tls(web_file.path).context
    web_file.write(
        secured(
            "min_version: TLS12",
            "max_version: TLS12",
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
            "curve_preferences: [CurveP384]",
            "prefer_server_cipher_suites: false",
        )
    )
    context = tls(web_file.path).context
    assert default.minimum_version.name == "TLSv1_2"
    assert default.maximum_version.name == "TLSv1_3"
    assert context.maximum_version.name == "TLSv1_2"
    old = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert old == ["ECDHE-ECDSA-AES256-GCM-SHA384"]
    assert default.options - context.options == 0x400000  # OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize("name", CIPHER_SUITES)
def test_each_suite_is_known_to_openssl(
    web_file: Any, secured: Callable[..., str], name: str
) -> None:
    """What may be written works."""
    web_file.write(secured(f"cipher_suites: [{name}]"))
    found = tls(web_file.path).context.get_ciphers()
    assert [each["name"] for each in found if each["protocol"] != "TLSv1.3"] == [
        CIPHER_SUITES[name]
    ]


def settable(curve: str) -> bool:
    """Tell whether this Python can set a curve; some refuse what their OpenSSL has."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        return False
    return True


@pytest.mark.parametrize("name", CURVES)
def test_each_curve_is_taken_or_refused_by_the_name_of_python(
    web_file: Any, secured: Callable[..., str], name: str
) -> None:
    """What may be written works, but for a curve that this Python, not OpenSSL, cannot set."""
    web_file.write(secured(f"curve_preferences: [{name}]"))
    if settable(CURVES[name]):
        assert load(web_file.path).tls is not None
    else:
        assert name == "X25519"
        assert mistake(web_file.path) == (
            "4: tls_server_config.curve_preferences: is not supported by the ssl module of Python "
            f"{platform.python_version()}; use another"
        )


def test_key_of_another_certificate_is_told(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """Certificate and key have to belong together."""
    authority.issue(web_file.path.parent, "other")
    web_file.write(secured().replace("server.key", "other.key"))
    assert mistake(web_file.path).startswith(
        "3: tls_server_config.key_file: does not match the certificate; "
    )


def test_a_mistake_in_inline_text_is_told_at_its_key(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """A key in the configuration itself that does not fit is reported where it is."""
    secured()
    folder = web_file.path.parent
    authority.issue(folder, "other")
    key = "".join(f"    {line}\n" for line in (folder / "other.key").read_text().splitlines())
    web_file.write(f"tls_server_config:\n  cert_file: server.pem\n  key: |\n{key}")
    assert mistake(web_file.path).startswith(
        "3: tls_server_config.key: does not match the certificate; "
    )


def test_a_certificate_that_openssl_refuses_is_told(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """A certificate whose key is too weak is reported itself, not the key file."""
    web_file.write(secured())
    authority.run(
        web_file.path.parent,
        *("req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=x"),
        *("-keyout", "server.key", "-out", "server.pem"),
    )
    assert mistake(web_file.path).startswith(
        "2: tls_server_config.cert_file: is rejected by OpenSSL (ee key too small); "
    )


@pytest.mark.parametrize(
    ("file", "says"),
    [
        pytest.param(
            "server.pem", "2: tls_server_config.cert_file: contains no certificate", id="1"
        ),
        pytest.param(
            "server.key", "3: tls_server_config.key_file: contains no private key", id="2"
        ),
    ],
)
def test_junk_is_told_at_its_place(
    web_file: Any, secured: Callable[..., str], file: str, says: str
) -> None:
    """Which of the two files is unusable is said."""
    web_file.write(secured())
    (web_file.path.parent / file).write_text("junk")
    assert mistake(web_file.path).startswith(says)


def test_encrypted_key_is_told_and_nobody_is_asked(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """A key with a passphrase is refused; the terminal is not read."""
    web_file.write(secured())
    authority.run(
        web_file.path.parent,
        *("pkcs8", "-topk8", "-passout", "pass:hunter2"),
        *("-in", "server.key", "-out", "locked.key"),
    )
    web_file.write(web_file.path.read_text().replace("server.key", "locked.key"))
    assert mistake(web_file.path) == (
        "3: tls_server_config.key_file: is encrypted; provide the key without a passphrase"
    )


def test_file_without_authority_is_told(web_file: Any, secured: Callable[..., str]) -> None:
    """A CA file that contains no certificate would let nobody in, or everybody."""
    web_file.write(
        secured("client_ca_file: server.key", "client_auth_type: RequireAndVerifyClientCert")
    )
    assert mistake(web_file.path).startswith(
        "4: tls_server_config.client_ca_file: contains no certificate in PEM"
    )


def test_certificates_may_stand_in_the_file(
    web_file: Any, secured: Callable[..., str], authority: Any
) -> None:
    """Certificate, key and authority as text are as good as files."""
    secured()
    folder = web_file.path.parent
    texts = {
        "cert": folder / "server.pem",
        "key": folder / "server.key",
        "client_ca": authority.file,
    }
    lines = ["tls_server_config:", "  client_auth_type: RequireAndVerifyClientCert"]
    for key, file in texts.items():
        lines += [f"  {key}: |", *(f"    {line}" for line in file.read_text().splitlines())]
    web_file.write("\n".join(lines))
    found = tls(web_file.path)
    assert found.requires_certificate
    assert found.context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    ("names", "admitted"),
    [
        pytest.param((("DNS", "a.example"), ("DNS", "b.example")), True, id="dns"),
        pytest.param((("email", "ops@example.org"),), True, id="email"),
        pytest.param((("URI", "spiffe://x/y"),), True, id="uri"),
        pytest.param((("IP Address", "2001:DB8:0:0:0:0:0:1"),), True, id="ipv6"),
        pytest.param((("DNS", "c.example"),), False, id="another"),
        pytest.param((("DNS", "sub.b.example"),), False, id="below"),
        pytest.param((("IP Address", "<invalid>"),), False, id="invalid address"),
        pytest.param((("DirName", "b.example"),), False, id="no alternative"),
        pytest.param((), False, id="none"),
    ],
)
def test_certificate_is_admitted_by_its_exact_names(
    web_file: Any, secured: Callable[..., str], authority: Any, names: object, *, admitted: bool
) -> None:
    """One alternative name that is listed is enough, and nothing else is."""
    web_file.write(
        secured(
            f"client_ca_file: {authority.file}",
            "client_auth_type: RequireAndVerifyClientCert",
            'client_allowed_sans: [b.example, ops@example.org, "spiffe://x/y", "2001:db8::1"]',
        )
    )
    assert tls(web_file.path).admits({"subjectAltName": names}) is admitted
    assert not tls(web_file.path).admits(None)
