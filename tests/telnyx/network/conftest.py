"""Real TLS servers and proxies on loopback, and certificates of every kind for them."""

import asyncio
import base64
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SOUND = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign",
    "subjectKeyIdentifier=hash",
)
IDENTIFIED = ("authorityKeyIdentifier=keyid", "subjectKeyIdentifier=hash")
LOOPBACK = "IP:127.0.0.1,DNS:api.telnyx.test,DNS:localhost"

_CONFIG = """\
[req]
distinguished_name=dn
prompt=no
x509_extensions=own
[dn]
CN=an authority
[own]
{own}
[ca]
default_ca=here
[here]
database={folder}/index.txt
new_certs_dir={folder}
rand_serial=yes
unique_subject=no
default_md=sha256
policy=any
x509_extensions=issued
[any]
commonName=supplied
[issued]
{issued}
"""


class Authority:
    """Signs certificates with the openssl program; ``file`` is its own certificate."""

    def __init__(self, openssl: str, folder: Path, extensions: tuple[str, ...]) -> None:
        """Make its key and certificate, with these ``extensions``."""
        folder.mkdir()
        (folder / "index.txt").touch()
        self.file = folder / "authority.pem"
        self._openssl, self._folder, self._extensions = openssl, folder, extensions
        self._run(
            *("req", "-x509", "-nodes", "-newkey", "ec", "-days", "2", "-config", self._config()),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", f"{folder}/authority.key", "-out", f"{self.file}"),
        )

    def issue(
        self,
        names: str = LOOPBACK,
        begin: str = "20200101000000Z",
        end: str = "20991231235959Z",
        extensions: tuple[str, ...] = IDENTIFIED,
    ) -> Path:
        """Sign a certificate for ``names``; returns the file of its key and itself."""
        key, request, signed = (self._folder / f"server.{each}" for each in ("key", "csr", "crt"))
        config = self._config(f"subjectAltName={names}", *extensions)
        self._run(
            *("req", "-new", "-nodes", "-newkey", "ec", "-subj", "/CN=a server"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-config", config),
            *("-keyout", f"{key}", "-out", f"{request}"),
        )
        self._run(
            *("ca", "-batch", "-notext", "-config", config, "-startdate", begin, "-enddate", end),
            *("-cert", f"{self.file}", "-keyfile", f"{self._folder}/authority.key"),
            *("-in", f"{request}", "-out", f"{signed}"),
        )
        file = self._folder / "server.pem"
        file.write_text(key.read_text() + signed.read_text())
        return file

    def _config(self, *issued: str) -> str:
        file = self._folder / "openssl.cnf"
        own, given = "\n".join(self._extensions), "\n".join(issued)
        file.write_text(_CONFIG.format(folder=self._folder, own=own, issued=given))
        return str(file)

    def _run(self, *words: str) -> None:
        subprocess.run(  # noqa: S603 # openssl, with arguments of our own
            [self._openssl, *words], check=True, capture_output=True, timeout=30
        )


@pytest.fixture
def authority(tmp_path: Path, program_path: Callable[[str], str]) -> Callable[..., Authority]:
    """Give a maker of authorities; ``extensions`` are those of its own certificate."""

    def make(name: str = "authority", extensions: tuple[str, ...] = SOUND) -> Authority:
        return Authority(program_path("openssl"), tmp_path / name, extensions)

    return make


@dataclass
class Heard:
    """A server that listens: its port, and the head of each request that came."""

    port: int = 0
    heads: list[str] = field(default_factory=list)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
Listening = Callable[..., AbstractAsyncContextManager[Heard]]


@asynccontextmanager
async def _listening(certificate: Path | None = None) -> AsyncIterator[Heard]:
    """Answer each request with an empty list, over TLS if there is a certificate."""
    heard = Heard()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = b'{"data":[]}'
        head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async with _serving(answer, certificate) as heard.port:
        yield heard


@pytest.fixture
def listening() -> Listening:
    """Give a context of a server that listens on loopback: ``listening(certificate)``."""
    return _listening


@asynccontextmanager
async def _breaking(certificate: Path) -> AsyncIterator[Heard]:
    """Answer each request over TLS with what is no TLS."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        os.write(writer.get_extra_info("socket").fileno(), b"blocked " * 40)
        with suppress(ssl.SSLError):
            await reader.read()

    heard = Heard()
    async with _serving(answer, certificate) as heard.port:
        yield heard


@pytest.fixture
def breaking() -> Listening:
    """Give a context of a server that breaks its TLS: ``breaking(certificate)``."""
    return _breaking


@asynccontextmanager
async def _proxying(
    certificate: Path | None = None, password: str = "", refusal: bytes = b""
) -> AsyncIterator[Heard]:
    """Serve a proxy; every host is this machine to it. ``refusal`` is what it says to refuse."""
    heard = Heard()
    expected = f"Proxy-Authorization: Basic {base64.b64encode(password.encode()).decode()}\r\n"

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heard.heads.append(head)
        if password and expected not in head:
            writer.write(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")
        elif refusal:
            writer.write(refusal.replace(b"ECHO", head.replace("\r\n", " ").encode()))
        else:
            port = int(head.split()[1].rpartition(":")[2])
            behind, beyond = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, beyond))
                group.create_task(_pump(behind, writer))

    async with _serving(tunnel, certificate) as heard.port:
        yield heard


@pytest.fixture
def proxying() -> Listening:
    """Give a context of a proxy on loopback: ``proxying(certificate, password, refusal)``."""
    return _proxying


@asynccontextmanager
async def _serving(handle: Handler, certificate: Path | None) -> AsyncIterator[int]:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        open_ones.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):
            await task
        await _close(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if open_ones:
            await asyncio.wait(open_ones, timeout=5)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
