import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import bcrypt
import pytest

from exporter.address import ListenAddress
from exporter.config.tls_names import CIPHER_SUITES, CURVES
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.probe import DeadError, ask, main
from exporter.web.app import create_app
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.server import Server

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
DEMANDING = (
    TLS + "  client_ca_file: server.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
    "  {version}\n"
)
PASSWORD = "basic_auth_users: {{prometheus: {hashed}}}\n".format(
    hashed=bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
)
FATAL = 2
ALERTS = (10, 20, 22, 40, *range(42, 52), 70, 71, 80, 86, 109, 110, 112, 113, 115, 116, 120)
"""Those that TLS 1.2 and 1.3 know (RFC 8446, 6; RFC 5246, 7.2), but for the end and its kin."""

SPARING = "rate_limit: {interval: 1h, burst: 1}\n"

Face = Callable[..., Awaitable[ListenAddress]]
Answering = Callable[..., Awaitable[str]]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Give a folder with a certificate for another host, signed by nobody, if openssl is there."""
    if any("openssl" in marker.args for marker in request.node.iter_markers("program")):
        program_path: Callable[[str], str] = request.getfixturevalue("program_path")
        subprocess.run(  # noqa: S603 # openssl, with arguments of our own
            [
                *(program_path("openssl"), "req", "-x509", "-nodes", "-days", "2"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-subj", "/CN=elsewhere", "-keyout", "server.key", "-out", "server.pem"),
            ],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=30,
        )
    return tmp_path


@pytest.fixture
async def face(folder: Path) -> AsyncIterator[Face]:
    """Give a starter of the exporter's web face, healthy or not, guarded by a web file or not."""
    async with AsyncExitStack() as running:

        async def start(web_file: str = "", *, healthy: bool = True) -> ListenAddress:
            app = create_app(
                snapshot=lambda: ExporterSnapshot((), True, 0.0, 0.0, 60.0),  # noqa: FBT003 # a record
                exposition=Exposition(),
                healthy=lambda: healthy,
                waiting_for=lambda: "something",
                reload=lambda: asyncio.sleep(0, ()),
            )
            file = folder / "web.yml"
            file.write_text(web_file, encoding="utf-8")
            server = Server(
                app, web_config=WebConfigReloader(file, lambda _: None) if web_file else None
            )
            running.push_async_callback(server.stop, grace=0)
            (address,) = await server.start(ListenAddress("127.0.0.1", 0))
            return address

        yield start


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """Give a starter of servers that say some bytes, or nothing for empty ones, and then wait."""
    async with AsyncExitStack() as running:

        async def start(says: bytes | None, secured: ssl.SSLContext | None = None) -> str:
            async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if says is None:
                    writer.transport.abort()
                else:
                    writer.write(says)
                    running.callback(writer.transport.abort)

            server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=secured)
            running.callback(server.close)
            return f"http{'s' * (secured is not None)}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

        yield start


async def run(url: str) -> int:
    """Run the program on a thread, as the server that it asks runs on this one."""
    return await asyncio.to_thread(main, [url])


@pytest.mark.parametrize(
    ("web_file", "healthy", "code", "says"),
    [
        pytest.param("", True, 0, "status 200", id="healthy"),
        pytest.param("", False, 1, "status 503", id="not healthy"),
        pytest.param(PASSWORD, False, 0, "it requires a password", id="password"),
    ],
)
async def test_exporter_is_judged(
    face: Face,
    capfd: pytest.CaptureFixture[str],
    web_file: str,
    code: int,
    says: str,
    *,
    healthy: bool,
) -> None:
    """The exit code says whether the exporter lives, one line on the right stream says why."""
    url = f"{(await face(web_file, healthy=healthy)).url}/-/healthy"
    assert await run(url) == code
    lines = capfd.readouterr()[code].splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{url}: ")
    assert says in lines[0]


async def test_limit_on_requests_is_a_sign_of_life(
    face: Face, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where others used up the rate limit, the exporter still lives."""
    url = f"{(await face(SPARING)).url}/-/healthy"
    assert [await run(url), await run(url)] == [0, 0]
    assert "it limits the rate" in capfd.readouterr().out.splitlines()[1]


@pytest.mark.program("openssl")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("web_file", "healthy", "code"),
    [
        pytest.param(TLS, True, 0, id="healthy"),
        pytest.param(TLS, False, 1, id="not healthy"),
        pytest.param(TLS + PASSWORD, False, 0, id="password"),
        pytest.param(DEMANDING.format(version="min_version: TLS13"), True, 0, id="certificate 1.3"),
        pytest.param(DEMANDING.format(version="max_version: TLS12"), True, 0, id="certificate 1.2"),
    ],
)
async def test_exporter_behind_tls_is_judged(
    face: Face, web_file: str, scheme: str, code: int, *, healthy: bool
) -> None:
    """TLS is spoken whatever the URL says, with a certificate that nobody would trust."""
    address = await face(web_file, healthy=healthy)
    assert await run(f"{scheme}://{address}/-/healthy") == code


@pytest.mark.program("openssl")
@pytest.mark.parametrize(
    "setting",
    [
        *(
            f"cipher_suites: [{name}]\n  max_version: TLS12"
            for name in CIPHER_SUITES
            if "_ECDSA_" in name
        ),
        *(f"curve_preferences: [{name}]" for name in CURVES if name != "X25519"),
    ],
)
async def test_exporter_is_judged_whatever_its_tls(face: Face, setting: str) -> None:
    """The probe offers every suite and curve that may be configured, so it sees the answer."""
    address = await face(f"{TLS}  {setting}\n", healthy=False)
    assert await run(f"https://{address}/-/healthy") == 1
    address = await face(f"{TLS}  {setting}\n")
    assert await run(f"https://{address}/-/healthy") == 0


@pytest.mark.parametrize("code", ALERTS)
async def test_an_alert_is_a_sign_of_life(answering: Answering, code: int) -> None:
    """Only who speaks TLS sends one, whatever it does not like about the probe."""
    url = urlsplit(await answering(bytes([21, 3, 3, 0, 2, FATAL, code])))
    assert "alive" in await asyncio.to_thread(ask, url, 3)


async def test_metrics_are_looked_for(face: Face) -> None:
    """Another page of the exporter can be asked for; one that there is none of does not do."""
    url = (await face()).url
    assert await run(f"{url}/metrics?x=1") == 0
    assert await run(f"{url}/metric") == 1


@pytest.mark.parametrize(
    ("says", "why"),
    [
        pytest.param(b"", "no response within 0.3 s", id="silent"),
        pytest.param(b"HTTP/1.1 2", "no response within 0.3 s", id="half"),
        pytest.param(b"HTTP/1.1 302 Found\r\n", "status 302", id="elsewhere"),
        pytest.param(b"HTTP/1.0 400 Bad Request\r\n", "status 400", id="bad request"),
        pytest.param(b"HTTP/1.1 500 \r\n", "status 500", id="error"),
        pytest.param(b"x" * 5000, "neither HTTP nor TLS", id="neither"),
        pytest.param(b"SSH-2.0-x\r\n", "neither HTTP nor TLS", id="another protocol"),
        pytest.param(None, "neither HTTP nor TLS", id="closing"),
    ],
)
async def test_anything_else_is_dead(answering: Answering, says: bytes, why: str) -> None:
    """Who does not answer, or not as the exporter does, is dead, and it takes no longer to say."""
    url = urlsplit(await answering(says))
    with pytest.raises(DeadError, match=why):
        await asyncio.to_thread(ask, url, 0.3)


@pytest.mark.program("openssl")
@pytest.mark.parametrize(
    ("says", "why"),
    [
        pytest.param(b"220 ready\r\n", "not HTTP over TLS", id="another protocol"),
        pytest.param(b"x" * 5000, "not HTTP over TLS", id="no line"),
        pytest.param(b"", "no response within 0.3 s", id="silent"),
        pytest.param(None, "", id="closing"),
    ],
)
async def test_what_speaks_no_http_in_tls_is_dead(
    answering: Answering, folder: Path, says: bytes | None, why: str
) -> None:
    """After a whole handshake only the end of the connection asks for a certificate."""
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(folder / "server.pem", folder / "server.key")
    url = urlsplit(await answering(says, secured))
    if why:
        with pytest.raises(DeadError, match=why):
            await asyncio.to_thread(ask, url, 0.3)
    else:
        assert "requires a client certificate" in await asyncio.to_thread(ask, url, 3)


async def test_silence_is_waited_for_in_vain(
    answering: Answering, capfd: pytest.CaptureFixture[str]
) -> None:
    """The program gives a silent server three seconds."""
    url = await answering(b"")
    assert await run(url) == 1
    assert capfd.readouterr().err == f"{url}: no response within 3 s\n"


def test_nobody_there_is_dead(capfd: pytest.CaptureFixture[str]) -> None:
    """A refused connection is told on stderr, by the program itself too."""
    command = [sys.executable, "-m", "exporter.probe", "http://127.0.0.1:1/-/healthy"]
    assert subprocess.run(command, check=False, timeout=30).returncode == 1  # noqa: S603 # our own
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("http://127.0.0.1:1/-/healthy: connection failed: ")


def test_host_that_is_no_name_is_dead() -> None:
    """A name that cannot even be looked up is no trace."""
    assert main([f"http://{'a' * 64}/"]) == 1


async def test_no_proxy_is_asked(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment, which the exporter may need for Telnyx, is not the exporter."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await run(f"{(await face()).url}/-/healthy") == 0
