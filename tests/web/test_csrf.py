from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.loopback import NO_TLS

EXTERNAL = "https://telnyx.example.org/exporter/"


@pytest.fixture
async def reload(operator: Any, serve: Any) -> Callable[..., Any]:
    """Give what asks a real server for a reload with these headers; returns the status."""
    _, address = await serve(operator.app(external_url=EXTERNAL))

    async def ask(headers: list[tuple[str, str]], method: str = "POST") -> int:
        sent = [
            (name, value.replace("HOST", f"127.0.0.1:{address.port}")) for name, value in headers
        ]
        async with httpx.AsyncClient(
            base_url=address.url, trust_env=False, verify=NO_TLS
        ) as client:
            return (await client.request(method, "/-/reload", headers=sent)).status_code

    return ask


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Sec-Fetch-Site", "cross-site")], id="another site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], id="a neighbour"),
        pytest.param([("Sec-Fetch-Site", "Cross-Site")], id="in capitals"),
        pytest.param([("Sec-Fetch-Site", "new-word")], id="what nobody knows"),
        pytest.param([("Origin", "https://evil.example")], id="another origin"),
        pytest.param([("Origin", "null")], id="hidden origin"),
        pytest.param([("Origin", "")], id="empty origin"),
        pytest.param([("Origin", "http://127.0.0.1:1")], id="another port"),
        pytest.param([("Origin", "http://HOST.evil.example")], id="longer name"),
        pytest.param([("Origin", "http://[")], id="no address"),
        pytest.param([("Origin", "file://HOST")], id="another scheme"),
        pytest.param(
            [("Origin", "http://HOST"), ("Origin", "https://evil.example")], id="two origins"
        ),
        pytest.param(
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://HOST")], id="contradiction"
        ),
    ],
)
async def test_pages_of_other_sites_are_refused(
    reload: Callable[..., Any], operator: Any, headers: list[tuple[str, str]], method: str
) -> None:
    """What a page elsewhere makes a browser send is not done."""
    assert await reload(headers, method) == 403
    assert operator.reloads == 0


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="program"),
        pytest.param([("Sec-Fetch-Site", "none")], id="user"),
        pytest.param([("Sec-Fetch-Site", "same-origin"), ("Origin", "http://HOST")], id="own page"),
        pytest.param([("Origin", "http://HOST")], id="own origin"),
        pytest.param([("Origin", "https://HOST")], id="own origin behind TLS of a proxy"),
        pytest.param([("Origin", "https://telnyx.example.org")], id="external address"),
        pytest.param([("Origin", "https://TELNYX.example.org:443")], id="with its port"),
        pytest.param(
            [("Host", "telnyx.internal"), ("Origin", "http://telnyx.internal:80")], id="proxied"
        ),
    ],
)
async def test_programs_and_own_pages_are_obeyed(
    reload: Callable[..., Any], operator: Any, headers: list[tuple[str, str]]
) -> None:
    """Curl sends neither header, and a page of ours sends our own origin."""
    assert await reload(headers) == 200
    assert operator.reloads == 1
