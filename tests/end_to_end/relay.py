"""A relay between exporter and simulator that adds what the simulator has no control for.

It must not decide what happens in the account: it passes requests on, and changes answers.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.support.loopback import NO_TLS

Row = dict[str, Any]

LIMITS = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "99", "x-ratelimit-reset": "1"}


class Relay(ThreadingHTTPServer):
    """Serves the API of the simulator at ``upstream`` below any first part of a path.

    ``changes`` are by the id of an action or SIM card, and made wherever it is answered.
    ``throttled`` is how many requests are still refused with 429, and ``totals_unknown`` names who
    gets no totals, both by the first part of their paths. ``requests`` are the paths asked for,
    with the rows of the simulator.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = httpx.Client(base_url=upstream, trust_env=False, verify=NO_TLS, timeout=10)
        self.changes: dict[str, Callable[[Row], None]] = {}
        self.throttled: Counter[str] = Counter()
        self.totals_unknown: set[str] = set()
        self.requests: list[tuple[str, list[Row]]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, key: str) -> tuple[int, bytes]:
        """Return status and body for a GET of ``path``."""
        _, first, rest = path.split("/", 2)
        with self.lock:
            if self.throttled[first]:
                self.throttled[first] -= 1
                problem = {"code": "10011", "title": "Too many requests"}
                return 429, json.dumps({"errors": [problem]}).encode()
        answer = self.upstream.get(f"/{rest}", headers={"authorization": key})
        body = answer.json()
        data = body.get("data", [])
        rows = data if isinstance(data, list) else [data]
        with self.lock:
            self.requests.append((f"/{rest}", deepcopy(rows)))
        for row in rows:
            if (change := self.changes.get(row["id"])) is not None:
                change(row)
        if first in self.totals_unknown:
            body.pop("meta", None)
        return answer.status_code, json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_GET(self) -> None:
        """Pass one request on."""
        status, body = self.server.answer(self.path, self.headers.get("authorization", ""))
        self.send_response(status)
        for name, value in LIMITS.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base
        """Keep quiet."""


@contextmanager
def relay_to(upstream: str) -> Iterator[Relay]:
    """Give a relay that serves until the end of the block."""
    with Relay(upstream) as relay, relay.upstream:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()
