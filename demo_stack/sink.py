"""Takes what Alertmanager sends, in the place of a pager, a ticket system and a chat.

It hands each notification on as it comes, and must not judge it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a receiver, by its name; ``body`` is the JSON of the receiver's kind."""

    receiver: str
    body: dict[str, Any]

    @property
    def title(self) -> str:
        """The line that says what it is about, wherever its kind of receiver has it."""
        body = self.body
        if "attachments" in body:  # Slack
            return str(body["attachments"][0]["title"])
        if "payload" in body:  # PagerDuty
            return str(body["payload"]["summary"])
        labels = body["commonLabels"]
        of = [labels[name] for name in ("account", "action_type") if name in labels]
        what = ", ".join([labels.get("alertname", ""), *of])
        summary = body["commonAnnotations"].get("summary", "")
        return f"[{body['status'].upper()}] {what}{summary and ': '}{summary}"


class Sink:
    """An HTTP server on a free port of loopback; a context manager that ends it."""

    def __init__(self, take: Callable[[Notification], None]) -> None:
        """Hand each notification to ``take``, from threads of its own, one after the other."""
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with lock:
                    take(Notification(self.path.strip("/").partition("/")[0], json.loads(body)))
                self.send_response(HTTPStatus.OK)
                self.send_header("content-type", "text/plain")
                self.end_headers()
                self.wfile.write(b"ok")  # as Slack answers

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End the server; no notification comes after that."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
