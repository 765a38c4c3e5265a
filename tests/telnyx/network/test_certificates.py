from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from exporter.errors import UnavailableError
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

pytestmark = pytest.mark.program("openssl")

Listening = Callable[..., AbstractAsyncContextManager[Any]]

UNNAMED = ("subjectKeyIdentifier=none", "authorityKeyIdentifier=none")
FORMAL_DEFECTS = [
    pytest.param({}, {"extensions": UNNAMED}, id="no authority key identifier"),
    pytest.param(
        {"extensions": ("basicConstraints=CA:TRUE", "keyUsage=critical,keyCertSign")},
        {},
        id="basic constraints not critical",
    ),
    pytest.param(
        {"extensions": ("basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash")},
        {},
        id="no key usage",
    ),
]
"""What an authority, and what it signs, is made with: only the form is wrong."""


@pytest.fixture
def ask(desk: Callable[..., Any], listening: Listening) -> Callable[..., Any]:
    """Give what asks a server with a certificate once, in an environment."""

    async def list_one(
        certificate: Any, *, host: str = "127.0.0.1", strict: bool = False, **environ: str
    ) -> Any:
        async with listening(certificate) as api:
            base_url = f"https://{host}:{api.port}/v2"
            route = Network.read([base_url], environ, strict=strict).routes[base_url]
            try:
                await desk(base_url=base_url, route=route).client.list(Query())
            except UnavailableError as exc:
                assert api.heads == []  # so the key was not sent
                return str(exc)
            return None

    return list_one


async def test_the_authority_that_is_named_is_trusted_and_no_other(
    ask: Any, authority: Any
) -> None:
    """What is wrong with a certificate is said in words, and what to set."""
    ours, other = authority("ours"), authority("other")
    environ = {"SSL_CERT_FILE": str(ours.file)}
    assert await ask(ours.issue(), **environ) is None
    error = await ask(other.issue(), **environ)
    assert "its CA is not trusted (unable to get local issuer" in error
    assert "SSL_CERT_FILE" in error


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"end": "20210101000000Z"}, "it has expired (certificate has expired); check the clock"),
        ({"begin": "20980101000000Z"}, "it is not valid yet (certificate is not yet valid); check"),
        (
            {"names": "IP:127.0.0.2"},
            "certificate is not valid for '127.0.0.1'); check base_url",
        ),
    ],
)
async def test_what_is_wrong_is_said_in_words(
    ask: Any, authority: Any, given: dict[str, str], words: str
) -> None:
    """Time and host are always checked."""
    ours = authority()
    error = await ask(ours.issue(**given), SSL_CERT_FILE=str(ours.file))
    assert error.startswith("connection failed: the server's certificate was rejected: ")
    assert words in error


async def test_the_name_of_another_host_is_said(ask: Any, authority: Any) -> None:
    """The host that was asked is quoted."""
    ours = authority()
    certificate = ours.issue(names="DNS:api.telnyx.test")
    error = await ask(certificate, host="localhost", SSL_CERT_FILE=str(ours.file))
    assert "certificate is not valid for 'localhost'); check base_url" in error


@pytest.mark.parametrize(("own", "given"), FORMAL_DEFECTS)
async def test_formal_defects_pass_unless_strictness_is_asked_for(
    ask: Any, authority: Any, own: dict[str, Any], given: dict[str, Any]
) -> None:
    """It is so on every Python; where they do not pass, the error says how to let them."""
    ours = authority(**own)
    certificate = ours.issue(**given)
    environ = {"SSL_CERT_FILE": str(ours.file)}
    assert await ask(certificate, **environ) is None
    error = await ask(certificate, strict=True, **environ)
    assert "is invalid (" in error
    assert error.endswith("set poll.tls_strict to false")


async def test_a_sound_certificate_passes_where_strictness_is_asked_for(
    ask: Any, authority: Any
) -> None:
    """The strict setting refuses no more than it has to."""
    ours = authority()
    assert await ask(ours.issue(), strict=True, SSL_CERT_FILE=str(ours.file)) is None


async def test_what_is_no_authority_signs_nothing(ask: Any, authority: Any) -> None:
    """Who has a certificate for a server cannot vouch for others, strict or not."""
    odd = authority(extensions=("basicConstraints=critical,CA:FALSE",))
    error = await ask(odd.issue(), SSL_CERT_FILE=str(odd.file))
    assert "certificate was rejected" in error


async def test_the_certificate_of_a_proxy_is_checked_too(
    desk: Callable[..., Any], authority: Any, proxying: Listening
) -> None:
    """One that nobody vouches for gets neither password nor key."""
    async with proxying(authority("other").issue()) as proxy:
        base_url = "https://api.telnyx.test/v2"
        environ = {
            "HTTPS_PROXY": f"https://user:secret@127.0.0.1:{proxy.port}",
            "SSL_CERT_FILE": str(authority("ours").file),
        }
        route = Network.read([base_url], environ, strict=False).routes[base_url]
        with pytest.raises(
            UnavailableError, match="certificate was rejected: its CA is not trusted"
        ):
            await desk(base_url=base_url, route=route).client.list(Query())
    assert proxy.heads == []


async def test_tls_that_breaks_after_the_handshake_is_an_outage(
    desk: Callable[..., Any], authority: Any, breaking: Listening
) -> None:
    """It is no defect of ours: a firewall may cut in, or a server refuse who has no certificate."""
    ours = authority()
    async with breaking(ours.issue()) as api:
        base_url = f"https://127.0.0.1:{api.port}/v2"
        environ = {"SSL_CERT_FILE": str(ours.file)}
        route = Network.read([base_url], environ, strict=False).routes[base_url]
        with pytest.raises(UnavailableError, match="connection failed: SSLError: "):
            await desk(base_url=base_url, route=route).client.list(Query())
