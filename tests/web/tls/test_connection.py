import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.address import ListenAddress
from exporter.web.connection_limiter import MAX_CONNECTIONS

pytestmark = pytest.mark.program("openssl")

DEADLINE = 30.0

Start = Callable[..., Awaitable[ListenAddress]]


@pytest.fixture
def start(operator: Any, serve: Any, web_file: Any, secured: Callable[..., str]) -> Start:
    """Give a starter of servers with TLS; options of the server may be given."""

    async def started(*more: str, users: str = "", **options: Any) -> ListenAddress:
        reloader = web_file.reloader(secured(*more) + users)
        _, address = await serve(operator.app(), web_config=reloader, **options)
        return ListenAddress("localhost", address.port)

    return started


@contextlib.asynccontextmanager
async def client(
    address: ListenAddress, context: ssl.SSLContext
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that speaks TLS."""
    url = f"https://localhost:{address.port}"
    async with httpx.AsyncClient(
        base_url=url, verify=context, trust_env=False, timeout=DEADLINE
    ) as opened:
        yield opened


async def ask(address: ListenAddress, context: ssl.SSLContext) -> str:
    """Return the answer to one request over a new connection."""
    async with client(address, context) as opened:
        return (await opened.get("/-/healthy")).text


def open_files() -> int:
    """Count the files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, be it closed or reset."""
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        return await asyncio.wait_for(reader.read(), DEADLINE)
    return b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_is_spoken(start: Start, authority: Any, version: ssl.TLSVersion) -> None:
    """A client that trusts the authority is served, by TLS 1.2 and 1.3."""
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    assert await ask(await start(), context) == "healthy\n"


async def test_password_goes_through_tls(
    start: Start, authority: Any, hashed: Callable[..., str]
) -> None:
    """TLS and a password work together."""
    address = await start(users=f"basic_auth_users: {{ann: {hashed('x')}}}\n")
    async with client(address, authority.context()) as opened:
        assert (await opened.get("/metrics")).status_code == 401
        assert (await opened.get("/metrics", auth=("ann", "x"))).status_code == 200


async def test_silent_client_holds_up_nobody(start: Start, authority: Any, connect: Any) -> None:
    """A client that connects and says nothing, or half a handshake, is dropped in time."""
    address = await start(header_timeout=0.2)
    silent, _ = await connect(address)
    half, writer = await connect(address)
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    quiet, _ = await connect(
        address, ssl=authority.context()
    )  # shakes hands, then sends no request
    assert await ask(address, authority.context()) == "healthy\n"
    assert [await rest(each) for each in (silent, half, quiet)] == [b"", b"", b""]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half"])
async def test_held_handshakes_keep_nobody_out(
    start: Start, authority: Any, connect: Any, sent: bytes
) -> None:
    """Connections whose handshake never ends count, and the oldest gives way."""
    address = await start()
    held = []
    for _ in range(MAX_CONNECTIONS + 150):
        held.append(await connect(address))
        held[-1][1].write(sent)
    assert await ask(address, authority.context()) == "healthy\n"
    assert await rest(held[0][0]) == b""


async def test_plain_client_is_dropped(start: Start, authority: Any, connect: Any) -> None:
    """Plain HTTP at the TLS port gets no page."""
    address = await start()
    reader, writer = await connect(address)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" not in await rest(reader)
    assert await ask(address, authority.context()) == "healthy\n"


async def test_new_certificate_is_shown_without_a_restart(
    start: Start, authority: Any, secured: Callable[..., str], web_file: Any
) -> None:
    """The next connection sees it, and a connection from before is not used any longer."""
    address = await start()

    async def shown(opened: httpx.AsyncClient) -> bytes:
        answer = await opened.get("/-/healthy")
        stream = answer.extensions["network_stream"]
        certificate: bytes = stream.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate

    async with client(address, authority.context()) as kept:
        before = await shown(kept)
        assert await shown(kept) == before
        secured()
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            await kept.get("/-/healthy")
        assert await shown(kept) != before
    assert web_file.reports == [()]


async def test_spoilt_certificate_leaves_the_old_one(
    start: Start, authority: Any, web_file: Any
) -> None:
    """A bad new file is reported, and TLS goes on as before."""
    address = await start()
    (web_file.path.parent / "server.pem").write_text("junk")
    assert await ask(address, authority.context()) == "healthy\n"
    assert await ask(address, authority.context()) == "healthy\n"
    assert len(web_file.reports) == 1


CLIENTS = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: {}")


async def test_client_needs_a_certificate_of_the_authority(
    start: Start, authority: Any, tmp_path: Any
) -> None:
    """Without one, or with one that nobody trusts, there is no answer."""
    address = await start(*(each.format(authority.file) for each in CLIENTS))
    authority.issue(tmp_path, "scraper", "DNS:scraper")
    with pytest.raises(ssl.SSLError, match="certificate required"):
        await ask(address, authority.context())
    assert await ask(address, authority.context(tmp_path / "scraper.pem")) == "healthy\n"


async def test_certificate_of_another_authority_is_refused(
    start: Start, authority: Any, tmp_path: Any
) -> None:
    """The file of authorities decides, not those of the system."""
    authority.issue(tmp_path, "other")
    address = await start(*(each.format(tmp_path / "other.pem") for each in CLIENTS))
    authority.issue(tmp_path, "scraper", "DNS:scraper")
    with pytest.raises(ssl.SSLError, match="unknown ca"):
        await ask(address, authority.context(tmp_path / "scraper.pem"))


async def test_certificate_is_optional_where_the_file_says_so(
    start: Start, authority: Any, tmp_path: Any
) -> None:
    """With VerifyClientCertIfGiven none is as good as a right one."""
    address = await start(
        "client_auth_type: VerifyClientCertIfGiven", f"client_ca_file: {authority.file}"
    )
    authority.issue(tmp_path, "scraper", "DNS:scraper")
    assert await ask(address, authority.context()) == "healthy\n"
    assert await ask(address, authority.context(tmp_path / "scraper.pem")) == "healthy\n"


async def test_client_of_another_name_does_nothing(
    start: Start, authority: Any, tmp_path: Any, operator: Any
) -> None:
    """A certificate without an allowed name gets no answer, and its request is not run."""
    address = await start(
        *(each.format(authority.file) for each in CLIENTS), "client_allowed_sans: [scraper]"
    )
    authority.issue(tmp_path, "scraper", "DNS:scraper")
    authority.issue(tmp_path, "other", "DNS:other")
    async with client(address, authority.context(tmp_path / "other.pem")) as opened:
        with pytest.raises(ssl.SSLError):
            await opened.post("/-/reload")
    assert operator.reloads == 0
    async with client(address, authority.context(tmp_path / "scraper.pem")) as opened:
        assert (await opened.post("/-/reload")).status_code == 200
    assert operator.reloads == 1


@pytest.mark.parametrize("requests", [1, 3], ids=["one", "pipelined"])
async def test_who_does_not_take_an_answer_is_let_go(
    serve: Any,
    connect: Any,
    authority: Any,
    web_file: Any,
    secured: Callable[..., str],
    requests: int,
) -> None:
    """What waits in the buffers of TLS is not kept for ever either."""
    large = b"x" * 32_000_000  # more than the buffers of both ends hold

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(large)(scope, receive, send)

    reloader = web_file.reloader(secured())
    _, address = await serve(app, web_config=reloader, answer_timeout=0.2)
    context = authority.context()
    reader, writer = await connect(address, ssl=context, server_hostname="localhost")
    before = open_files()
    writer.transport.pause_reading()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * requests)
    async with asyncio.timeout(DEADLINE):
        while open_files() >= before:
            passed = asyncio.Event()
            asyncio.get_running_loop().call_later(0.01, passed.set)
            await passed.wait()
    writer.transport.resume_reading()
    assert len(await rest(reader)) < len(large) * requests


class Client:
    """A client that says when its bytes are sent."""

    def __init__(self, reader: Any, writer: Any, context: ssl.SSLContext) -> None:
        """Speak TLS over a TCP connection."""
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    @classmethod
    async def connected(
        cls, connect: Any, address: ListenAddress, context: ssl.SSLContext
    ) -> "Client":
        """Shake hands; the last bytes of it are not sent yet."""
        reader, writer = await connect(address)
        made = cls(reader, writer, context)
        while True:
            try:
                made.tls.do_handshake()
            except ssl.SSLWantReadError:
                made.send()
                made.incoming.write(await asyncio.wait_for(made.reader.read(65536), DEADLINE))
            else:
                return made

    def send(self) -> None:
        """Send what waits."""
        self.writer.write(self.outgoing.read())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_request_that_comes_with_the_end_is_answered(
    start: Start, authority: Any, connect: Any, version: ssl.TLSVersion
) -> None:
    """A client that sends a request and its end at once gets the answer, and then our end."""
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    opened = await Client.connected(connect, await start(), context)
    opened.tls.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    with contextlib.suppress(ssl.SSLWantReadError):
        opened.tls.unwrap()
    opened.send()
    opened.incoming.write(await asyncio.wait_for(opened.reader.read(), DEADLINE))
    answer = b""
    with contextlib.suppress(ssl.SSLZeroReturnError):
        while True:
            answer += opened.tls.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_large_answer_arrives_whole_and_then_the_end(
    serve: Any,
    connect: Any,
    authority: Any,
    web_file: Any,
    secured: Callable[..., str],
    version: ssl.TLSVersion,
) -> None:
    """A client that reads late gets each byte, and the end as TLS says it."""
    large = b"0123456789abcdef" * 500_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(large)(scope, receive, send)

    _, address = await serve(app, web_config=web_file.reloader(secured()))
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    reader, writer = await connect(address, ssl=context, server_hostname="localhost")
    writer.transport.pause_reading()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with client(address, context) as opened:
        assert (await opened.get("/")).content == large
    writer.transport.resume_reading()
    heads = (await asyncio.wait_for(reader.read(), DEADLINE)).split(large)
    assert [each[:15] for each in heads] == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""]


async def test_running_request_may_end_within_the_grace(
    operator: Any,
    serve: Any,
    connect: Any,
    authority: Any,
    web_file: Any,
    secured: Callable[..., str],
) -> None:
    """A request that runs when the stop begins gets its answer, and the end of TLS."""
    reloader = web_file.reloader(secured())
    server, address = await serve(operator.app(waits=True), web_config=reloader)
    reader, writer = await connect(address, ssl=authority.context(), server_hostname="localhost")
    writer.write(b"POST /-/reload HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(operator.arrived.acquire(), DEADLINE)
    stop = asyncio.create_task(server.stop(grace=DEADLINE))
    operator.block.set()
    assert (await asyncio.wait_for(reader.read(), DEADLINE)).endswith(b"reloaded\n")
    await asyncio.wait_for(stop, DEADLINE)


async def test_nobody_holds_up_the_stop(
    operator: Any,
    serve: Any,
    connect: Any,
    authority: Any,
    web_file: Any,
    secured: Callable[..., str],
) -> None:
    """Handshakes that never end, and clients that never say goodbye, are let go."""
    server, address = await serve(operator.app(), web_config=web_file.reloader(secured()))
    silent, _ = await connect(address)
    context = authority.context()
    mute = await Client.connected(connect, address, context)
    mute.send()
    assert await ask(ListenAddress("localhost", address.port), context) == "healthy\n"
    await asyncio.wait_for(server.stop(grace=DEADLINE * 10), DEADLINE / 3)
    assert await rest(silent) == b""


async def test_records_without_data_end_a_connection(
    start: Start, authority: Any, program_path: Callable[[str], str]
) -> None:
    """A client that only has keys updated, which costs the server much, is not kept."""
    address = await start(header_timeout=2 * DEADLINE)
    client = await asyncio.create_subprocess_exec(
        program_path("openssl"),
        *("s_client", "-connect", f"localhost:{address.port}", "-CAfile", str(authority.file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert client.stdin is not None
    assert client.stderr is not None
    updates = 0
    try:
        async with asyncio.timeout(DEADLINE):
            client.stdin.write(b"K\n")
            while line := await client.stderr.readline():
                if line == b"KEYUPDATE\n":
                    updates += 1
                    client.stdin.write(b"K\n")  # by itself: of what it reads it takes one command
    finally:
        with contextlib.suppress(ProcessLookupError):
            client.kill()
        await client.wait()
    assert updates > 100
