import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from exporter.errors import UnavailableError
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

pytestmark = pytest.mark.program("openssl")

Listening = Callable[..., AbstractAsyncContextManager[Any]]

KEY = "KEY0123-secret"
PASSWORD = "user:s/c@ret"


@pytest.fixture
def ask(desk: Callable[..., Any]) -> Callable[..., Any]:
    """Give what asks for a page of ``base_url`` in an environment."""

    async def list_one(base_url: str, **environ: str) -> None:
        route = Network.read([base_url], environ, strict=False).routes[base_url]
        at = desk(base_url=base_url, route=route, key=KEY, timeout=5.0)
        await at.client.list(Query())

    return list_one


@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
@pytest.mark.parametrize("password", ["", PASSWORD])
async def test_the_key_passes_the_proxy_in_tls_alone(
    ask: Any, authority: Any, listening: Listening, proxying: Listening, scheme: str, password: str
) -> None:
    """A proxy, itself with TLS or without, sees the host and its own password, and no key."""
    trusted = authority()
    certificate = trusted.issue()
    user = password.replace("/", "%2F").replace("t:", "t%3A").replace("c@", "c%40")
    secured = certificate if scheme == "https://" else None
    async with listening(certificate) as api, proxying(secured, password) as proxy:
        base_url = f"https://api.telnyx.test:{api.port}/v2"
        at = f"{user}@" if user else ""
        await ask(
            base_url,
            HTTPS_PROXY=f"{scheme}{at}localhost:{proxy.port}",
            SSL_CERT_FILE=str(trusted.file),
        )
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT api.telnyx.test:{api.port} HTTP/1.1\r\n")
    assert KEY not in head
    assert ("Proxy-Authorization" in head) == bool(password)
    assert len(api.heads) == 1
    assert f"Bearer {KEY}" in api.heads[0]
    assert "roxy-" not in api.heads[0]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]"],  # noqa: S104 # asked
)
async def test_no_proxy_sees_plain_http(
    ask: Any, listening: Listening, proxying: Listening, host: str
) -> None:
    """The key goes to this machine directly, with a proxy for everything in the environment."""
    async with listening() as api, proxying() as proxy:
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        environ = dict.fromkeys(names, f"http://127.0.0.1:{proxy.port}")
        await ask(f"http://{host}:{api.port}/v2", **environ)
    assert (len(api.heads), proxy.heads) == (1, [])


async def test_the_environment_of_the_process_has_no_say(
    desk: Callable[..., Any],
    listening: Listening,
    proxying: Listening,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the HTTP library itself would read there is neither used nor an error."""
    async with listening() as api, proxying() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", "socks4://h")
        monkeypatch.setenv("NO_PROXY", "fd00::/108")
        base_url = f"http://127.0.0.1:{api.port}/v2"
        route = Network.read([base_url], {}, strict=False).routes[base_url]
        await desk(base_url=base_url, route=route).client.list(Query())
    assert (len(api.heads), proxy.heads) == (1, [])


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        pytest.param(
            b"HTTP/1.1 407 ECHO\r\ncontent-length: 0\r\n\r\n",
            "HTTP 407; check the user name and password in ALL_PROXY",
            id="password",
        ),
        pytest.param(b"HTTP/1.1 502 ECHO\r\ncontent-length: 0\r\n\r\n", "HTTP 502", id="broken"),
        pytest.param(b"ECHO\r\n\r\n", "RemoteProtocolError", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nECHO", "RemoteProtocolError", id="odd header"),
    ],
)
async def test_a_proxy_that_refuses_is_named_by_its_variable(
    ask: Any, proxying: Listening, refusal: bytes, error: str
) -> None:
    """Whatever it answers, neither its password nor the key is in the error."""
    async with proxying(password=PASSWORD, refusal=refusal) as proxy:
        with pytest.raises(UnavailableError) as caught:
            await ask(
                "https://api.telnyx.test/v2",
                ALL_PROXY=f"http://user:s%2Fc%40ret@127.0.0.1:{proxy.port}",
            )
    text = str(caught.value)
    assert text.startswith("connection through the proxy in ALL_PROXY failed: ")
    assert error in text
    secrets = (KEY, "s/c@ret", "s%2Fc%40ret", base64.b64encode(PASSWORD.encode()).decode())
    assert not [each for each in secrets if each in text]


async def test_a_proxy_that_is_down_is_named_by_its_variable(ask: Any, proxying: Listening) -> None:
    """So is one that asks for a password and got none."""
    async with proxying(password=PASSWORD) as proxy:
        there = f"http://127.0.0.1:{proxy.port}"
        with pytest.raises(
            UnavailableError, match="the proxy in HTTPS_PROXY failed: it responds with HTTP 407"
        ):
            await ask("https://api.telnyx.test/v2", HTTPS_PROXY=there)
    with pytest.raises(UnavailableError, match="through the proxy in HTTPS_PROXY failed: "):
        await ask("https://api.telnyx.test/v2", HTTPS_PROXY=there)


@pytest.mark.parametrize(
    ("names", "words"),
    [("DNS:other.test", "check HTTPS_PROXY"), ("", "SSL_CERT_FILE")],
    ids=["other-host", "not-trusted"],
)
async def test_a_certificate_of_the_proxy_is_told_as_its_own(
    ask: Any, authority: Any, proxying: Listening, names: str, words: str
) -> None:
    """What to check is the variable that names it, not base_url."""
    trusted, other = authority(), authority("other")
    certificate = trusted.issue(names) if names else other.issue()
    async with proxying(certificate) as proxy:
        with pytest.raises(
            UnavailableError, match=r"the proxy's certificate was rejected"
        ) as caught:
            await ask(
                "https://api.telnyx.test/v2",
                HTTPS_PROXY=f"https://localhost:{proxy.port}",
                SSL_CERT_FILE=str(trusted.file),
            )
    assert words in str(caught.value)
    assert "base_url" not in str(caught.value)


async def test_a_certificate_behind_a_secured_proxy_is_the_server_s(
    ask: Any, authority: Any, listening: Listening, proxying: Listening
) -> None:
    """The one of the proxy was taken."""
    trusted = authority()
    good, wrong = trusted.issue(), authority("other").issue()
    async with listening(wrong) as api, proxying(good) as proxy:
        with pytest.raises(UnavailableError, match=r"the server's certificate was rejected"):
            await ask(
                f"https://api.telnyx.test:{api.port}/v2",
                HTTPS_PROXY=f"https://localhost:{proxy.port}",
                SSL_CERT_FILE=str(trusted.file),
            )
