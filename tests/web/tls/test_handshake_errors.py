"""What a client learns when TLS cannot be set up, and what is counted and told of it."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.address import ListenAddress
from exporter.metrics.self_metrics import HandshakeCause
from exporter.web.server import Server

pytestmark = pytest.mark.program("openssl")

DEADLINE = 30.0
V1_1, V1_2, V1_3 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
RECORD = bytes((0x16, 3, 1))


@dataclass
class Served:
    """A server, and what it told of failed handshakes: address, cause, sentence."""

    server: Server
    address: ListenAddress
    told: list[tuple[str, HandshakeCause, str]] = field(default_factory=list)

    def expect(self, cause: HandshakeCause, *, says: str = "") -> None:
        """Check that one handshake failed, for this cause, and that it was told by address."""
        ((client, told, sentence),) = self.told
        host, _, port = client.rpartition(":")
        assert (host, told) == ("127.0.0.1", cause)
        assert port.isdecimal()
        assert says in sentence
        assert sentence.isprintable()
        assert self.server.handshake_errors == {cause.value: 1}


Start = Callable[..., Awaitable[Served]]


@pytest.fixture
def start(operator: Any, serve: Any, web_file: Any, secured: Callable[..., str]) -> Start:
    """Give a starter of servers with TLS."""

    async def started(*more: str, **options: Any) -> Served:
        told: list[tuple[str, HandshakeCause, str]] = []
        server, address = await serve(
            operator.app(),
            web_config=web_file.reloader(secured(*more)),
            on_handshake_error=lambda *each: told.append(each),
            **options,
        )
        return Served(server, address, told)

    return started


@pytest.fixture
def context(authority: Any) -> Callable[..., ssl.SSLContext]:
    """Give a maker of the TLS side of clients that speak one version only."""

    def make(version: ssl.TLSVersion, certificate: Path | None = None) -> ssl.SSLContext:
        made: ssl.SSLContext = authority.context(certificate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1
            made.minimum_version = made.maximum_version = version
        return made

    return make


@pytest.fixture
def refused(connect: Any) -> Callable[..., Awaitable[str]]:
    """Give a client that asks for a page and returns the reason for which TLS ended."""

    async def ask(served: Served, context: ssl.SSLContext) -> str:
        try:
            async with asyncio.timeout(DEADLINE):
                reader, writer = await connect(
                    served.address, ssl=context, server_hostname="localhost"
                )
                writer.write(GET)
                await reader.read()
        except ssl.SSLError as exc:
            return str(exc.reason)
        return "nothing"

    return ask


REQUIRED = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: {}")


@pytest.mark.parametrize(
    ("version", "alert"),
    [(V1_2, "SSLV3_ALERT_HANDSHAKE_FAILURE"), (V1_3, "TLSV13_ALERT_CERTIFICATE_REQUIRED")],
)
async def test_a_missing_certificate_is_said(
    start: Start, refused: Any, context: Any, authority: Any, version: Any, alert: str
) -> None:
    """A client without a certificate is told so by an alert."""
    served = await start(*(each.format(authority.file) for each in REQUIRED))
    assert await refused(served, context(version)) == alert
    served.expect(HandshakeCause.NO_CLIENT_CERTIFICATE)


@pytest.mark.parametrize("version", [V1_2, V1_3])
async def test_a_certificate_of_another_authority_is_said(
    start: Start, refused: Any, context: Any, authority: Any, version: Any, tmp_path: Path
) -> None:
    """A client whose certificate nobody trusts is told so by an alert."""
    for name in ("other", "scraper"):
        authority.issue(tmp_path, name)
    served = await start(*(each.format(tmp_path / "other.pem") for each in REQUIRED))
    reason = await refused(served, context(version, tmp_path / "scraper.pem"))
    assert reason == "TLSV1_ALERT_UNKNOWN_CA"
    served.expect(HandshakeCause.CLIENT_CERTIFICATE_INVALID, says="certificate")


@pytest.mark.parametrize(
    ("version", "alert"),
    [(V1_2, "SSLV3_ALERT_BAD_CERTIFICATE"), (V1_3, "SSLV3_ALERT_UNEXPECTED_MESSAGE")],
)
async def test_a_name_that_is_not_allowed_is_said(
    start: Start,
    refused: Any,
    context: Any,
    authority: Any,
    version: Any,
    alert: str,
    tmp_path: Path,
) -> None:
    """A client whose certificate has no allowed name gets an alert; its names are told."""
    authority.issue(tmp_path, "other", "DNS:other.example,DNS:more.example")
    served = await start(
        *(each.format(authority.file) for each in REQUIRED), "client_allowed_sans: [scraper]"
    )
    assert await refused(served, context(version, tmp_path / "other.pem")) == alert
    served.expect(
        HandshakeCause.CLIENT_NAME_NOT_ALLOWED,
        says="none of its names (other.example, more.example)",
    )


async def test_a_name_that_cannot_be_read_is_not_allowed(
    start: Start,
    refused: Any,
    context: Any,
    authority: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client whose certificate has a name that is no text is turned away as one without names."""
    authority.issue(tmp_path, "other", "DER:30:05:82:03:FF:FE:0A")
    served = await start(
        *(each.format(authority.file) for each in REQUIRED), "client_allowed_sans: [scraper]"
    )
    reason = await refused(served, context(V1_2, tmp_path / "other.pem"))
    assert reason == "SSLV3_ALERT_BAD_CERTIFICATE"
    served.expect(HandshakeCause.CLIENT_NAME_NOT_ALLOWED, says="none of its names (it has none)")
    assert not caplog.records


async def test_an_old_version_is_said(start: Start, refused: Any, context: Any) -> None:
    """A client of TLS 1.1 is told that its version will not do."""
    old = context(V1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    served = await start()
    assert await refused(served, old) == "TLSV1_ALERT_PROTOCOL_VERSION"
    served.expect(HandshakeCause.PROTOCOL_VERSION)


@pytest.mark.parametrize(
    ("version", "setting"),
    [
        pytest.param(V1_2, "min_version: TLS13", id="too old"),
        pytest.param(V1_3, "max_version: TLS12", id="too new"),
    ],
)
async def test_a_version_that_is_not_served_is_said(
    start: Start, refused: Any, context: Any, version: Any, setting: str
) -> None:
    """The versions of the configuration are the only ones."""
    served = await start(setting)
    assert await refused(served, context(version)) == "TLSV1_ALERT_PROTOCOL_VERSION"
    served.expect(HandshakeCause.PROTOCOL_VERSION)


@pytest.mark.parametrize(
    ("version", "setting"),
    [
        pytest.param(V1_2, "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", id="suite"),
        pytest.param(V1_2, "curve_preferences: [CurveP521]", id="curve in TLS 1.2"),
        pytest.param(V1_3, "curve_preferences: [CurveP521]", id="curve in TLS 1.3"),
    ],
)
async def test_nothing_in_common_is_said(
    start: Start, refused: Any, context: Any, version: Any, setting: str
) -> None:
    """A client that has no suite or curve of the configuration is told so by an alert."""
    served = await start(setting)
    client = context(version)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    client.set_ecdh_curve("prime256v1")
    assert await refused(served, client) == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    served.expect(HandshakeCause.NO_COMMON_CIPHER)


@pytest.mark.parametrize("version", [V1_2, V1_3])
async def test_a_client_that_gives_up_is_told_of(start: Start, version: Any) -> None:
    """A client that does not trust our certificate says so, and that is the cause."""
    served = await start()
    stranger = ssl.create_default_context()
    stranger.minimum_version = stranger.maximum_version = version

    def give_up() -> None:
        place = (served.address.host, served.address.port)
        with (
            socket.create_connection(place, DEADLINE) as tcp,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            stranger.wrap_socket(tcp, server_hostname="localhost")

    await asyncio.to_thread(give_up)
    async with asyncio.timeout(DEADLINE):
        while not served.told:
            await connected(served)
    served.expect(HandshakeCause.CLIENT_ALERT, says="unknown ca")


async def connected(served: Served) -> None:
    """Connect and hang up, which takes the server some turns and counts as nothing."""
    _, writer = await asyncio.open_connection(served.address.host, served.address.port)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def sent(connect: Any, served: Served, *parts: bytes) -> bytes:
    """Send bytes, and return all that comes until the connection is closed in order."""
    reader, writer = await connect(served.address)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer: bytes = await asyncio.wait_for(reader.read(), DEADLINE)
    return answer


def one_at_a_time(data: bytes) -> Iterator[bytes]:
    """Yield each byte."""
    return (bytes((each,)) for each in data)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1",
        b"HEAD / HTTP/1.1",
        b"POST /-/reload HTTP/1.1",
        b"PUT /-/reload HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"DELETE /metrics HTTP/1.0",
        b"CONNECT example.org:443 HTTP/1.1",
    ],
)
async def test_plain_http_is_answered_in_plain_http(
    start: Start, connect: Any, operator: Any, request_line: bytes
) -> None:
    """Who forgot the s of https reads one sentence about it, and nothing is run."""
    served = await start()
    answer = await sent(connect, served, request_line + b"\r\nHost: x\r\n\r\n" + b"x" * 100_000)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert body == b"Client sent an HTTP request to an HTTPS server.\n"
    served.expect(HandshakeCause.PLAIN_HTTP)
    assert operator.reloads == 0


async def test_plain_http_in_pieces_is_answered_alike(start: Start, connect: Any) -> None:
    """It is known by its first bytes, however they come."""
    served = await start()
    answer = await sent(connect, served, *one_at_a_time(b"GET / "))
    assert answer.startswith(b"HTTP/1.0 400 ")
    served.expect(HandshakeCause.PLAIN_HTTP)


@pytest.mark.parametrize(
    ("data", "cause", "alert"),
    [
        pytest.param(b"hello, world\n", HandshakeCause.NOT_TLS, 10, id="text"),
        pytest.param(bytes(64), HandshakeCause.NOT_TLS, 10, id="zeros"),
        pytest.param(b"\xff" * 64, HandshakeCause.NOT_TLS, 10, id="ones"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", HandshakeCause.NOT_TLS, 10, id="ssh"),
        pytest.param(RECORD + b"\x00\x05hello", HandshakeCause.OTHER, 10, id="no hello"),
        pytest.param(RECORD + b"\xff\xff" + bytes(64), HandshakeCause.OTHER, 22, id="too long"),
    ],
)
async def test_garbage_gets_an_alert(
    start: Start, connect: Any, data: bytes, cause: HandshakeCause, alert: int
) -> None:
    """What is not TLS, or no sense, is answered by a record with a fatal alert."""
    served = await start()
    kind, major, *_, low, level, description = await sent(connect, served, data)
    assert (kind, major, low, level, description) == (0x15, 3, 2, 2, alert)
    served.expect(cause)


async def test_a_handshake_that_does_not_end_is_told_of(start: Start, connect: Any) -> None:
    """A client that says nothing, or half of it, runs out of time."""
    served = await start(header_timeout=0.1)
    reader, writer = await connect(served.address)
    writer.write(RECORD)
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), DEADLINE) == b""
    served.expect(HandshakeCause.TIMEOUT)


async def test_who_hangs_up_in_the_middle_is_told_of(start: Start, connect: Any) -> None:
    """A client that begins a handshake and leaves is counted; one that only connects is not."""
    served = await start()
    await connected(served)
    reader, writer = await connect(served.address)
    writer.write(RECORD)
    writer.write_eof()
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), DEADLINE) == b""
    served.expect(HandshakeCause.DISCONNECTED)


async def test_a_good_handshake_is_no_error(start: Start, connect: Any, context: Any) -> None:
    """Nothing is counted or told of what went well."""
    served = await start()
    reader, writer = await connect(served.address, ssl=context(V1_3), server_hostname="localhost")
    writer.write(GET)
    assert (await asyncio.wait_for(reader.readline(), DEADLINE)).startswith(b"HTTP/1.1 200")
    assert served.told == []
    assert served.server.handshake_errors == {}
