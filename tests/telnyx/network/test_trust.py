import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest

from exporter.errors import ConfigError
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query
from exporter.telnyx.trust import LARGEST, read_trust

API = "https://api.telnyx.com/v2"


def test_one_context_serves_all_accounts() -> None:
    """It is read once, however many accounts there are, and checks host and authority."""
    urls = [f"https://{number}.example.org/v2" for number in range(100)]
    routes = Network.read(urls, {}, strict=False).routes
    (trust,) = {route.trust for route in routes.values()}
    assert trust is not None
    assert (trust.check_hostname, trust.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize("strict", [False, True])
def test_strictness_is_what_was_asked_for(strict: bool) -> None:  # noqa: FBT001 # data
    """No default of a Python version decides."""
    flags = read_trust({}, strict=strict).verify_flags
    assert bool(flags & ssl.VERIFY_X509_STRICT) == strict
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


def test_without_a_variable_somebody_is_trusted() -> None:
    """There are authorities, those of the system or, where it has none, certifi's."""
    context = read_trust({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}, strict=False)
    folder = Path(ssl.get_default_verify_paths().openssl_capath)
    assert context.cert_store_stats()["x509_ca"] > 0 or list(folder.glob("*.0"))


def test_a_file_is_all_that_is_trusted() -> None:
    """A directory beside it that has nothing is not a mistake: systems set both."""
    environ = {"SSL_CERT_FILE": certifi.where(), "SSL_CERT_DIR": "/nowhere"}
    read = read_trust(environ, strict=False).cert_store_stats()
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    alone.load_verify_locations(cafile=certifi.where())
    assert read == alone.cert_store_stats()


@pytest.mark.program("openssl")
async def test_a_directory_is_trusted_once_it_is_hashed(
    authority: Any, listening: Any, desk: Any, program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Without hashes OpenSSL finds nothing in it: the error says how to make them."""
    ours = authority("ours")
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / "ours.pem").write_bytes(ours.file.read_bytes())
    environ = {"SSL_CERT_DIR": f"/nowhere:{folder}"}
    with pytest.raises(ConfigError) as caught:
        read_trust(environ, strict=False)
    missing, unhashed = caught.value.mistakes
    assert missing.startswith("SSL_CERT_DIR: /nowhere: cannot be read (No such file or directory)")
    assert unhashed.startswith(f"SSL_CERT_DIR: {folder}: has no certificate with a hashed name")
    assert unhashed.endswith("run: openssl rehash DIRECTORY")
    openssl = await asyncio.create_subprocess_exec(program_path("openssl"), "rehash", folder)
    assert await openssl.wait() == 0
    async with listening(ours.issue()) as api:
        base_url = f"https://localhost:{api.port}/v2"
        route = Network.read([base_url], environ, strict=False).routes[base_url]
        await desk(base_url=base_url, route=route).client.list(Query())


@pytest.mark.parametrize(
    ("variable", "made", "words"),
    [
        ("SSL_CERT_FILE", None, "cannot be read (No such file or directory); check the path"),
        (
            "SSL_CERT_FILE",
            "no certificate",
            "is not a certificate file in PEM format; set it to one",
        ),
        ("SSL_CERT_FILE", "", "is not a certificate file in PEM format; set it to one"),
        (
            "SSL_CERT_FILE",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "is not a certificate file in PEM format; set it to one",
        ),
        ("SSL_CERT_DIR", "a file", "cannot be read (Not a directory); check the path"),
        (
            "SSLKEYLOGFILE",
            None,
            "cannot be written (No such file or directory); check the path, or",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_variable(
    tmp_path: Path, variable: str, made: str | None, words: str
) -> None:
    """No variable is blamed for another; plain http asks for none of them."""
    file = tmp_path / "folder" / "file"
    if made is not None:
        file.parent.mkdir()
        file.write_text(made)
    environ = {variable: str(file)}
    with pytest.raises(ConfigError) as caught:
        Network.read([API, f"{API}/other"], environ, strict=False)
    (line,) = caught.value.mistakes
    assert line.startswith(f"{variable}: {file}: {words}")
    Network.read(["http://localhost/v2"], environ, strict=False)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "socket"])
def test_what_is_no_regular_file_is_told_at_once(tmp_path: Path, kind: str) -> None:
    """Neither waited for nor read without an end: one line says what it is not."""
    made = Path("/dev/zero") if kind == "device" else tmp_path / "made"
    if kind == "folder":
        made.mkdir()
    elif kind == "pipe":
        os.mkfifo(made)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(made))
    with pytest.raises(ConfigError) as caught:
        Network.read([API], {"SSL_CERT_FILE": str(made)}, strict=False)
    (line,) = caught.value.mistakes
    told = "cannot be read (Is a directory)" if kind == "folder" else "is not a regular file"
    assert line.startswith(f"SSL_CERT_FILE: {made}: {told}; ")


def test_a_file_of_certificates_is_read_with_what_stands_around_them(tmp_path: Path) -> None:
    """Each is taken, whatever is written between them; a huge file is not read."""
    file = tmp_path / "file"
    file.write_bytes("Autorité\n".encode() + Path(certifi.where()).read_bytes() + b"\xff\n")
    trusted = read_trust({"SSL_CERT_FILE": str(file)}, strict=False).get_ca_certs()
    plain = read_trust({"SSL_CERT_FILE": certifi.where()}, strict=False).get_ca_certs()
    assert len(trusted) == len(plain) > 100
    os.truncate(file, LARGEST + 1)
    with pytest.raises(ConfigError, match=f"is longer than {LARGEST} bytes"):
        read_trust({"SSL_CERT_FILE": str(file)}, strict=False)


def test_every_mistake_is_told_once() -> None:
    """Proxies and certificates are judged together, for all accounts."""
    environ = {"HTTPS_PROXY": "h:x", "SSL_CERT_FILE": "/nowhere", "SSLKEYLOGFILE": "/nowhere/log"}
    with pytest.raises(ConfigError) as caught:
        Network.read([API, f"{API}/other"], environ, strict=False)
    assert [line.partition(":")[0] for line in caught.value.mistakes] == list(environ)
