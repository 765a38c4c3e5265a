"""Proxies, TLS and addresses: what is between the exporter and Telnyx."""

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from exporter.doctor.connection_checks import connection_findings
from exporter.doctor.findings import Finding, Result
from exporter.doctor.seen import Reach, Seen
from exporter.telnyx.reach import AddressReached, Reached, reach
from tests.doctor.conftest import examined, settings_for
from tests.telnyx.network.conftest import authority, listening, proxying

__all__ = ["authority", "listening", "proxying"]
# Fixtures of these names are for this module too.

Listening = Callable[..., AbstractAsyncContextManager[Any]]

HERE, THERE = "192.0.2.1", "2001:db8::1"


async def checks_of(url: str, **environ: str) -> dict[str, Finding]:
    """Return what is found of an account at a URL."""
    (report,) = await examined(settings_for(url), environ)
    return {each.check: each for each in report.findings}


@pytest.mark.program("openssl")
async def test_an_unknown_authority_may_be_an_inspecting_proxy(
    authority: Callable[..., Any], listening: Listening
) -> None:
    """Its certificate is rejected, and the remedy names what to do; once trusted, it is named."""
    trusted = authority()
    certificate: Path = trusted.issue()
    async with listening(certificate) as api:
        url = f"https://localhost:{api.port}/v2"
        found = await checks_of(url)
        rejected, alone = found["tls"], {n for n, x in found.items() if x.result is Result.FAIL}
        accepted = (await checks_of(url, SSL_CERT_FILE=str(trusted.file)))["tls"]
    assert rejected.result is Result.FAIL
    assert alone == {"tls"}
    assert "its CA is not trusted" in rejected.details[0]
    assert "SSL_CERT_FILE" in rejected.remedy
    assert accepted.result is Result.OK
    assert accepted.details == ("issued by an authority",)


@pytest.mark.program("openssl")
async def test_an_api_behind_a_proxy_is_fine(
    authority: Callable[..., Any], listening: Listening, proxying: Listening
) -> None:
    """The proxy is named by its variable, never by its address or password."""
    trusted = authority()
    certificate = trusted.issue()
    async with listening(certificate) as api, proxying(password="me:secret") as proxy:
        found = await checks_of(
            f"https://api.telnyx.test:{api.port}/v2",
            HTTPS_PROXY=f"http://me:secret@127.0.0.1:{proxy.port}",
            SSL_CERT_FILE=str(trusted.file),
        )
    assert found["origin"].text == "Telnyx answers, through the proxy in HTTPS_PROXY"
    assert found["network"].text == "1 address of the proxy connected, IPv4 only"
    assert found["list"].result is Result.OK
    assert not [each for each in found.values() if "secret" in str(each)]


async def test_a_proxy_that_refuses_is_told(proxying: Listening) -> None:
    """It stands in the way; the error says which password to check."""
    async with proxying(password="me:secret") as proxy:
        found = await checks_of(
            "https://api.telnyx.test/v2", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}"
        )
    assert found["origin"].result is Result.FAIL
    assert found["origin"].text == "no response through the proxy in HTTPS_PROXY"
    assert "HTTP 407; check the user name" in found["origin"].details[0]


async def test_a_name_that_does_not_resolve_is_told() -> None:
    """No request is sent."""
    found = await checks_of("https://nowhere.invalid/v2")
    assert found["network"].result is Result.FAIL
    assert "DNS" in found["network"].remedy
    assert {each.result for name, each in found.items() if name != "network"} == {Result.SKIP}


async def test_addresses_are_tried_one_by_one() -> None:
    """One accepts, one refuses."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        found = await reach(["127.0.0.1", "::1"], port)
    assert [each.reached for each in found] == [Reached.REFUSED, Reached.CONNECTED]
    assert [each.family for each in found] == ["IPv4", "IPv6"]


def test_an_account_that_takes_too_long_is_told() -> None:
    """When the time is up, before the first question is answered."""
    seen = Seen(250, requests=1, stopped="the time was up after 22 s")
    found = connection_findings(seen, "https://api.telnyx.test/v2", 10)
    failed = [each for each in found if each.result is Result.FAIL]
    assert [each.text for each in failed] == [f"the list of actions was not read: {seen.stopped}"]


@pytest.mark.parametrize(
    ("four", "six", "result", "words"),
    [
        (Reached.CONNECTED, Reached.CONNECTED, Result.OK, "2 addresses connected"),
        (Reached.CONNECTED, Reached.NO_ROUTE, Result.OK, "IPv4 only"),
        (Reached.NO_ROUTE, Reached.CONNECTED, Result.OK, "IPv6 only"),
        (Reached.REFUSED, Reached.CONNECTED, Result.WARN, "1 of 2 addresses accept"),
        (Reached.CONNECTED, Reached.SILENT, Result.WARN, "1 of 2 addresses accept"),
        (Reached.SILENT, Reached.NO_ROUTE, Result.FAIL, "none of 2 addresses"),
    ],
)
def test_what_addresses_mean(four: Reached, six: Reached, result: Result, words: str) -> None:
    """A family without a route is no defect, an address that fails is; one must connect."""
    addresses = (AddressReached(HERE, four), AddressReached(THERE, six))
    seen = Seen(250, reach=Reach("api.telnyx.test", addresses=addresses))
    found = next(connection_findings(seen, "https://api.telnyx.test/v2", 10))
    assert (found.check, found.result) == ("network", result)
    assert words in found.text
    assert HERE not in found.text + found.remedy
