"""Clients that cannot set up TLS with the exporter are told why, and the operator can see it."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.program("openssl")

METRIC = "telnyx_exporter_web_tls_handshake_errors_total"


@pytest.fixture
def certificate(tmp_path: Path, program_path: Callable[[str], str]) -> Path:
    """Give the certificate in server.pem, whose key is in server.key beside it."""
    subprocess.run(  # noqa: S603 # openssl, with arguments of our own
        [
            *(program_path("openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=exporter", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(tmp_path / "server.key"), "-out", str(tmp_path / "server.pem")),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return tmp_path / "server.pem"


def test_failed_handshakes_are_counted_and_logged(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    certificate: Path,
    tmp_path: Path,
) -> None:
    """Plain HTTP and a client that does not trust the certificate show by cause and address."""
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    exporter = export(simulate().url, "--web.config.file", str(file), "--log.level", "debug")
    context = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url=exporter.url, verify=context, trust_env=False) as client:

        def counted() -> dict[str, float]:
            lines = client.get("/metrics").text.splitlines()
            shown = (each.partition('{cause="')[2] for each in lines if each.startswith(METRIC))
            return {cause: float(value) for cause, _, value in (s.partition('"} ') for s in shown)}

        before = counted()
        assert set(before.values()) == {0.0}
        answer = exporter.http.get(exporter.url.replace("https:", "http:"))
        assert (answer.status_code, answer.text) == (
            400,
            "Client sent an HTTP request to an HTTPS server.\n",
        )
        with pytest.raises(httpx.ConnectError):
            exporter.http.get(exporter.url)
        until(lambda: sum(counted().values()) == 2)
        after = counted()
    assert after["plain_http"] == 1
    until(lambda: len(exporter.events("tls_handshake_failed")) == 2)
    told = exporter.events("tls_handshake_failed")
    assert {each["level"] for each in told} == {"debug"}
    assert [after[each["cause"]] for each in told] == [1, 1]
    assert all(each["client"].startswith("127.0.0.1:") for each in told)
