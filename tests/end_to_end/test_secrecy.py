import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SECRET = "KEY0123456789abcdef_SECRET"


REFUSED = 3
"""How many requests are refused before the answers are no HTTP any more."""


class Parrot(BaseHTTPRequestHandler):
    """Refuses every request, and repeats in its answer what it was sent."""

    def do_GET(self) -> None:
        """Answer 400, later with what is no HTTP."""
        sent = self.headers["authorization"]
        if len(self.server.seen) >= REFUSED:  # type: ignore[attr-defined] # set by the fixture
            self.wfile.write(f"{sent}\r\n\r\n".encode())
        else:
            body = json.dumps({"errors": [{"code": 1, "title": sent, "detail": sent}]}).encode()
            self.send_response(400, sent)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.server.seen.append(sent)  # type: ignore[attr-defined] # likewise

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base
        """Keep quiet."""


@pytest.fixture
def parrot() -> Iterator[tuple[str, list[str]]]:
    """Serve the parrot; give its URL, and what it was sent."""
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as server:
        server.seen = seen  # type: ignore[attr-defined] # read by the handler
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_the_key_is_shown_nowhere(
    parrot: tuple[str, list[str]], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """Whatever an API answers, the key is in no log line, page, metric or process list."""
    url, seen = parrot
    # Started by another program, its command line is its own.
    exporter = export(url, "--log.level", "debug", key=SECRET, before=("env",))
    for cause in ("invalid_response", "unavailable"):
        until(lambda c=cause: exporter.total("telnyx_exporter_poll_failures_total", cause=c) > 0)
    assert f"Bearer {SECRET}" in seen
    pages = [exporter.get(path).text for path in ("/", "/metrics", "/-/ready")]
    pages.append(exporter.post("/-/reload").text)
    pages.append(Path(f"/proc/{exporter.process.pid}/cmdline").read_text(encoding="utf-8"))
    assert exporter.end() == 0
    assert exporter.events("poll_failed")
    assert exporter.events("configuration_reloaded")
    assert not [text for text in (*pages, *exporter.out, *exporter.err) if SECRET in text]
