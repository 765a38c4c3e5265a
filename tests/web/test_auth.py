import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from exporter.web.auth import AuthMiddleware

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready", "/x")


class Clock:
    """A time that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock at 0."""
    return Clock()


@pytest.fixture
def guarded(operator: Any, web_file: Any, clock: Clock) -> Callable[[str], Any]:
    """Give an opener of clients for the app behind a web configuration."""

    @asynccontextmanager
    async def opened(text: str) -> AsyncIterator[httpx.AsyncClient]:
        app = AuthMiddleware(operator.app(), web_file.reloader(text), monotonic=clock)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client

    return opened


@pytest.fixture
def users(hashed: Callable[..., str]) -> str:
    """Give a configuration with one user, whose name and password are not all ASCII."""
    return f"basic_auth_users: {{jürgen: {hashed('geheim:ä')}}}\n"


AUTH = httpx.BasicAuth("jürgen", "geheim:ä")
BASIC = "Basic " + base64.b64encode("jürgen:geheim:ä".encode()).decode()


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_asks_for_a_password(
    guarded: Callable[[str], Any], users: str, path: str
) -> None:
    """Without one nothing is told, not even which paths there are; with it all is as ever."""
    async with guarded(users) as client:
        answer = await client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert answer.text == "Unauthorized\n"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        inside = await client.get(path, auth=AUTH)
        assert inside.status_code == (404 if path == "/x" else 200)
        assert "www-authenticate" not in inside.headers


async def test_reload_asks_for_a_password(
    guarded: Callable[[str], Any], users: str, operator: Any
) -> None:
    """What is refused is not done."""
    async with guarded(users) as client:
        assert (await client.post("/-/reload")).status_code == 401
        assert operator.reloads == 0
        assert (await client.post("/-/reload", auth=AUTH)).status_code == 200
        assert operator.reloads == 1


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic anVlcmdlbg==",  # no colon
        "Basic Og==",  # a colon alone
        "Bearer anVlcmdlbg==",
        "Basic w7w6eA==\u00e9",
        "Basic " + "QUFB" * 3000,
    ],
)
async def test_odd_authorization_is_refused(
    guarded: Callable[[str], Any], users: str, header: str
) -> None:
    """Whatever is sent in place of a password gets a 401, not a crash."""
    async with guarded(users) as client:
        answer = await client.get("/", headers={"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401


async def test_two_authorizations_are_refused(guarded: Callable[[str], Any], users: str) -> None:
    """Two headers mean two things to two readers: neither counts."""
    async with guarded(users) as client:
        assert (await client.get("/", headers=[("Authorization", BASIC)])).status_code == 200
        both = [("Authorization", BASIC), ("Authorization", "Basic eDp5")]
        for headers in (both, both[::-1]):
            assert (await client.get("/", headers=headers)).status_code == 401


async def test_scheme_is_read_in_any_case(guarded: Callable[[str], Any], users: str) -> None:
    """RFC 7617 leaves the case of the word Basic open."""
    async with guarded(users) as client:
        header = BASIC.replace("Basic", "bAsIC")
        assert (await client.get("/", headers={"Authorization": header})).status_code == 200


async def test_changed_users_hold_from_the_next_request(
    guarded: Callable[[str], Any], users: str, web_file: Any, hashed: Callable[..., str]
) -> None:
    """A password that was taken away stops to work, though it was remembered."""
    async with guarded(users) as client:
        assert (await client.get("/", auth=AUTH)).status_code == 200
        web_file.write(f"basic_auth_users: {{ann: {hashed('x')}}}")
        assert (await client.get("/", auth=AUTH)).status_code == 401
        assert (await client.get("/", auth=("ann", "x"))).status_code == 200


async def test_bad_change_keeps_the_password(
    guarded: Callable[[str], Any], users: str, web_file: Any
) -> None:
    """A file that was spoilt neither opens nor shuts the door."""
    async with guarded(users) as client:
        web_file.write("basic_auth_users:")
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", auth=AUTH)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/x", "/metrics"])
async def test_headers_of_the_file_win(
    guarded: Callable[[str], Any], users: str, path: str
) -> None:
    """They are on every answer, refusals included; what is not named stays ours."""
    text = (
        "http_server_config: {headers: {X-Frame-Options: sameorigin, "
        "Strict-Transport-Security: max-age=60, Content-Security-Policy: default-src 'self'}}\n"
    )
    async with guarded(users + text) as client:
        for auth in (None, AUTH):
            headers = (await client.get(path, auth=auth)).headers
            assert headers.get_list("x-frame-options") == ["sameorigin"]
            assert headers["strict-transport-security"] == "max-age=60"
            assert headers.get_list("content-security-policy") == ["default-src 'self'"]
            assert headers["x-content-type-options"] == "nosniff"


async def test_rate_limit_counts_all_requests(guarded: Callable[[str], Any], clock: Clock) -> None:
    """A burst passes, then one request each interval; unused time fills up to the burst again."""
    async with guarded("rate_limit: {interval: 2s, burst: 3}") as client:

        async def passed(count: int) -> list[int]:
            return [(await client.get("/-/healthy")).status_code for _ in range(count)]

        assert await passed(4) == [200, 200, 200, 429]
        clock.now = 1.9
        assert await passed(1) == [429]
        clock.now = 2.0
        assert await passed(2) == [200, 429]
        clock.now = 1000.0
        assert await passed(4) == [200, 200, 200, 429]


async def test_changed_rate_limit_holds_at_once(
    guarded: Callable[[str], Any], web_file: Any
) -> None:
    """A limit can be changed, and taken away, while the exporter runs."""
    async with guarded("rate_limit: {interval: 1h, burst: 1}") as client:
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/")).headers["retry-after"] == "1"
        web_file.write("rate_limit: {interval: 1h, burst: 2}")
        assert [(await client.get("/")).status_code for _ in range(3)] == [200, 200, 429]
        web_file.write("{}")
        assert (await client.get("/")).status_code == 200


async def test_nothing_configured_changes_nothing(guarded: Callable[[str], Any]) -> None:
    """A file that asks for nothing lets everybody in."""
    async with guarded("{}") as client:
        assert (await client.get("/-/healthy")).text == "healthy\n"
