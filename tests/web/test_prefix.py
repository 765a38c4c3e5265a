import re
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.support.loopback import NO_TLS

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready")


@pytest.fixture
async def client(operator: Any, serve: Any) -> Any:
    """Give a client of a real server whose paths begin with /a/telnyx."""
    _, address = await serve(operator.app(prefix="/a/telnyx"))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_has_the_prefix(client: httpx.AsyncClient, path: str) -> None:
    """And none is there without it."""
    assert (await client.get(f"/a/telnyx{path}")).status_code == 200
    assert (await client.get(path)).status_code == (302 if path == "/" else 404)


async def test_reload_has_the_prefix(client: httpx.AsyncClient, operator: Any) -> None:
    """It is done there alone."""
    assert (await client.post("/-/reload")).status_code == 404
    assert (await client.post("/a/telnyx/-/reload")).status_code == 200
    assert operator.reloads == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/a/telnyx"])
async def test_the_root_leads_to_the_page(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    """With a slash at its end, or relative links would lead elsewhere."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/a/telnyx/")
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("external", "root", "bare"),
    [
        pytest.param("https://example.org/out", "/out/", "/out/", id="another path"),
        pytest.param("https://example.org/a/telnyx", "/a/telnyx/", "/a/telnyx/", id="the prefix"),
        pytest.param("https://example.org", "/a/telnyx/", "/", id="the root"),
    ],
)
async def test_redirects_lead_to_where_people_reach_the_page(
    operator: Any, serve: Any, external: str, root: str, bare: str
) -> None:
    """That is the external path, which a proxy maps to the prefix; none leads to itself."""
    _, address = await serve(operator.app(prefix="/a/telnyx", external_url=external))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        assert (await client.get("/")).headers["location"] == root
        assert (await client.get("/a/telnyx")).headers["location"] == bare


@pytest.mark.parametrize("path", ["/a", "/a/", "/a/telnyx/x", "/a/telnyxx", "/A/telnyx/"])
async def test_nothing_else_is_there(client: httpx.AsyncClient, path: str) -> None:
    """Neither above the prefix nor beside it."""
    assert (await client.get(path)).status_code == 404


async def test_links_of_the_page_work_wherever_it_is(client: httpx.AsyncClient) -> None:
    """They are relative, so that a proxy may put the page below any path."""
    page = "/a/telnyx/"
    links = re.findall(r'<a href="([^"#:]+)"', (await client.get(page)).text)
    assert len(links) >= 3
    for link in links:
        assert not link.startswith("/")
        assert (await client.get(urljoin(page, link))).status_code == 200
