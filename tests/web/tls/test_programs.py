import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo_stack.programs import free_port

DEADLINE = 60.0

PROMETHEUS = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: telnyx
    scheme: https
    basic_auth: {{username: prometheus, password: {password}}}
    tls_config: {{ca_file: {ca}, cert_file: {stem}.pem, key_file: {stem}.key}}
    static_configs: [{{targets: ["localhost:{port}"]}}]
"""


class Scraped:
    """An app that says when it was asked for metrics the second time."""

    def __init__(self, app: ASGIApp) -> None:
        """Pass requests on to ``app``."""
        self._app = app
        self._count = 0
        self.twice = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def counted(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and scope["path"] == "/metrics":
                self._count += 1
                if self._count == 2:
                    self.twice.set()

        await self._app(scope, receive, counted)


@pytest.fixture
async def server(
    operator: Any,
    serve: Any,
    web_file: Any,
    secured: Callable[..., str],
    authority: Any,
    hashed: Callable[..., str],
) -> tuple[Scraped, int]:
    """Give an app behind TLS, client certificates and a password, and its port."""
    text = secured(
        f"client_ca_file: {authority.file}",
        "client_auth_type: RequireAndVerifyClientCert",
        "client_allowed_sans: [scraper]",
    )
    text += f"basic_auth_users: {{prometheus: {hashed('geheim', 10)}}}\n"
    text += "http_server_config: {headers: {Strict-Transport-Security: max-age=60}}\n"
    authority.issue(web_file.path.parent, "scraper", "DNS:scraper")
    app = Scraped(operator.app())
    _, address = await serve(app, web_config=web_file.reloader(text))
    return app, address.port


@asynccontextmanager
async def running(
    *command: str, stderr: int = asyncio.subprocess.DEVNULL
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program, and kill it in the end if it still runs."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=stderr)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.program("openssl", "curl")
@pytest.mark.parametrize(
    ("arguments", "prints"),
    [
        pytest.param(("-u", "prometheus:geheim"), "200 1.1 max-age=60", id="all right"),
        pytest.param((), "401 1.1 max-age=60", id="no password"),
        pytest.param(("-u", "prometheus:falsch"), "401 1.1 max-age=60", id="wrong password"),
        pytest.param(
            ("--tls-max", "1.2", "-u", "prometheus:geheim"), "200 1.1 max-age=60", id="1.2"
        ),
        pytest.param(("--tlsv1.0", "--tls-max", "1.1"), "000 0 ", id="TLS 1.1"),
        pytest.param(("--no-cert",), "000 0 ", id="no certificate"),
    ],
)
async def test_curl_is_let_in_with_all_and_nothing_less(
    server: tuple[Scraped, int],
    authority: Any,
    web_file: Any,
    program_path: Callable[[str], str],
    arguments: Sequence[str],
    prints: str,
) -> None:
    """The real curl gets the metrics with certificate and password, and only then."""
    stem = web_file.path.parent / "scraper"
    certificate = (
        () if "--no-cert" in arguments else ("--cert", f"{stem}.pem", "--key", f"{stem}.key")
    )
    command = (
        *(program_path("curl"), "-q", "-s", "-o", "/dev/null", "--noproxy", "*"),
        *("-w", "%{http_code} %{http_version} %header{strict-transport-security}"),
        *("--cacert", str(authority.file), "--max-time", f"{DEADLINE / 2:.0f}"),
        *certificate,
        *(each for each in arguments if each != "--no-cert"),
        f"https://localhost:{server[1]}/metrics",
    )
    async with running(*command) as curl:
        output, _ = await asyncio.wait_for(curl.communicate(), DEADLINE)
    assert output.decode() == prints


@pytest.mark.program("openssl", "curl")
async def test_curl_is_told_that_tls_is_spoken(
    server: tuple[Scraped, int], program_path: Callable[[str], str]
) -> None:
    """The real curl, asking in plain HTTP, shows the sentence and gets nothing else."""
    command = (
        *(program_path("curl"), "-q", "-s", "--noproxy", "*", "--max-time", f"{DEADLINE / 2:.0f}"),
        *("-w", "%{http_code}", f"http://localhost:{server[1]}/metrics"),
    )
    async with running(*command) as curl:
        output, _ = await asyncio.wait_for(curl.communicate(), DEADLINE)
    assert output == b"Client sent an HTTP request to an HTTPS server.\n400"


@pytest.mark.program("openssl")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "alert protocol version", id="1.1"),
        pytest.param(("-tls1_2",), "alert handshake failure", id="no certificate in TLS 1.2"),
        pytest.param(("-tls1_3",), "alert certificate required", id="no certificate in TLS 1.3"),
    ],
)
async def test_openssl_is_told_why(
    server: tuple[Scraped, int],
    program_path: Callable[[str], str],
    arguments: Sequence[str],
    says: str,
) -> None:
    """The real s_client shows the alert for which it is not let in."""
    connect = f"localhost:{server[1]}"
    command = (program_path("openssl"), "s_client", "-connect", connect, "-ign_eof", *arguments)
    async with running(*command, stderr=asyncio.subprocess.STDOUT) as client:
        output, _ = await asyncio.wait_for(client.communicate(b"GET / HTTP/1.0\r\n\r\n"), DEADLINE)
    assert says in output.decode(errors="replace")


@pytest.mark.program("openssl", "prometheus")
async def test_prometheus_scrapes_over_tls_with_a_password(
    server: tuple[Scraped, int],
    authority: Any,
    web_file: Any,
    program_path: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """A real Prometheus with certificate and password finds the exporter up."""
    app, port = server
    stem = web_file.path.parent / "scraper"
    file = tmp_path / "prometheus.yml"
    file.write_text(PROMETHEUS.format(password="geheim", ca=authority.file, stem=stem, port=port))
    listen = f"127.0.0.1:{free_port()}"
    async with running(
        program_path("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={listen}",
    ):
        # The second scrape begins when the first is stored.
        await asyncio.wait_for(app.twice.wait(), DEADLINE)
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE) as client:
            answer = await client.get(f"http://{listen}/api/v1/query", params={"query": "up"})
    assert [each["value"][1] for each in json.loads(answer.text)["data"]["result"]] == ["1"]
