"""Receives what Alertmanager sends, in place of a pager, a ticket system and a chat.

It passes each notification on as it arrives, and must not evaluate it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a receiver, by its name; ``body`` is JSON in the format of its integration."""

    receiver: str
    body: dict[str, Any]

    @property
    def title(self) -> str:
        """The title, from wherever the integration has it; of a webhook, what the template says."""
        body = self.body
        if "attachments" in body:  # Slack
            return str(body["attachments"][0]["title"])
        if "payload" in body:  # PagerDuty
            return str(body["payload"]["summary"])
        firing = [each for each in self.alerts if each["status"] == "firing"]
        first, *more = firing or self.alerts
        what = body["commonLabels"].get("alertname", "")
        summary = first["annotations"].get("summary", "")
        number = f":{len(firing)}" if firing else ""
        text = f"[{body['status'].upper()}{number}] {what}{summary and ': '}{summary}"
        return f"{text}, and {len(more)} more" if more else text

    @property
    def alerts(self) -> tuple[dict[str, Any], ...]:
        """The alerts, as Alertmanager's webhook lists them; none from other integrations."""
        return tuple(self.body.get("alerts", ()))


class NotificationReceiver:
    """An HTTP server on a free port of 127.0.0.1; ``close`` stops it."""

    def __init__(self, on_notification: Callable[[Notification], None]) -> None:
        """Call ``on_notification`` for each notification, in other threads, one at a time."""
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with lock:
                    receiver = unquote(self.path.strip("/").partition("/")[0])
                    on_notification(Notification(receiver, json.loads(body)))
                self.send_response(HTTPStatus.OK)
                self.send_header("content-type", "text/plain")
                self.end_headers()
                self.wfile.write(b"ok")  # as Slack answers

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop the server; no notification is passed on after that."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
