"""An API whose certificate is not to be trusted gets no key, and that shows and passes."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.loopback import NO_TLS

pytestmark = pytest.mark.program("openssl")

HERE = "IP:127.0.0.1"


class Relay(BaseHTTPRequestHandler):
    """Passes each request on to the simulator."""

    def do_GET(self) -> None:
        """Answer as the simulator does."""
        server = self.server
        assert isinstance(server, Front)
        headers = {"authorization": self.headers["authorization"]}
        answer = httpx.get(
            f"{server.behind}{self.path}", headers=headers, trust_env=False, verify=NO_TLS
        )
        self.send_response(answer.status_code)
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base
        """Keep quiet."""


class Front(ThreadingHTTPServer):
    """Speaks TLS in front of the simulator; each request is a connection of its own."""

    daemon_threads = True

    def __init__(self, certificate: Path, behind: str) -> None:
        """Show ``certificate``, and pass requests on to the URL ``behind``."""
        super().__init__(("127.0.0.1", 0), Relay)
        self.behind = behind
        self.refused = 0
        self.accepted: set[Path] = set()
        self.show(certificate)

    def show(self, certificate: Path) -> None:
        """Show this certificate from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.shown = certificate, context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, in the connection's own thread, and answer."""
        certificate, context = self.shown
        try:
            with context.wrap_socket(request, server_side=True) as secure:
                self.accepted.add(certificate)
                super().finish_request(secure, client_address)
                with suppress(OSError):
                    secure.unwrap()
        except OSError:
            self.refused += 1


@pytest.fixture
def certify(tmp_path: Path, program_path: Callable[[str], str]) -> Callable[..., Path]:
    """Give a maker of files with a key and a certificate that vouches for itself."""

    def make(name: str, names: str) -> Path:
        file = tmp_path / f"{name}.pem"
        subprocess.run(  # noqa: S603 # openssl, with arguments of our own
            [
                *(program_path("openssl"), "req", "-x509", "-nodes", "-days", "2"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
                *("-keyout", f"{file}.key", "-out", f"{file}"),
            ],
            check=True,
            capture_output=True,
            timeout=30,
        )
        file.write_text(Path(f"{file}.key").read_text() + file.read_text())
        return file

    return make


@pytest.fixture
def front(simulate: Callable[..., Any], certify: Callable[..., Path]) -> Iterator[Front]:
    """Serve the account of a simulator with TLS, and a certificate that is good."""
    with Front(certify("good", HERE), simulate().url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("names", "trusted"),
    [
        pytest.param(HERE, False, id="of nobody we trust"),
        pytest.param("IP:127.0.0.2,DNS:api.telnyx.test", True, id="of another host"),
    ],
)
def test_a_certificate_that_is_wrong_is_an_outage_and_gets_no_key(
    front: Front,
    certify: Callable[..., Path],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
    names: str,
    *,
    trusted: bool,
) -> None:
    """telnyx_up is 0, no series of an action moves, and it is polled again after the mend."""
    bad = certify("bad", names)
    bundle = tmp_path / "bundle.pem"
    good = (tmp_path / "good.pem").read_text()
    bundle.write_text(good + (bad.read_text() if trusted else ""))
    url = f"https://127.0.0.1:{front.server_port}"
    exporter = export(url, SSL_CERT_FILE=str(bundle))
    until(lambda: exporter.total("telnyx_up") == 1)

    def domain() -> dict[str, Any]:
        return dict(exporter.samples("telnyx_sim_card_action"))

    before = domain()
    front.show(bad)
    until(lambda: front.refused > 0)
    until(lambda: exporter.total("telnyx_exporter_poll_failures_total", cause="unavailable") > 0)
    assert exporter.total("telnyx_up") == 0
    assert front.accepted == {tmp_path / "good.pem"}
    assert domain() == before
    assert exporter.get("/-/healthy").status_code == 200
    failed = until(lambda: exporter.events("poll_failed"))
    assert [each["cause"] for each in failed] == ["unavailable"]

    front.show(tmp_path / "good.pem")
    ended = exporter.total("telnyx_exporter_poll_failures_total")
    until(lambda: exporter.total("telnyx_up") == 1)
    assert exporter.total("telnyx_exporter_poll_failures_total") - ended <= 1
    assert domain() == before
