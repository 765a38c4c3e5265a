"""A mail server on loopback that takes every message: no TLS, no passwords, no errors."""

import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer


class _Server(ThreadingTCPServer):
    request_queue_size = 256  # Alertmanager connects for all messages at once


class MailServer:
    """An SMTP server on a free port of 127.0.0.1; ``close`` stops it."""

    def __init__(self, on_mail: Callable[[EmailMessage], None]) -> None:
        """Call ``on_mail`` for each message, in other threads, one at a time."""
        lock = threading.Lock()

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                self._answer("220 ready")
                for line in self.rfile:
                    command = line[:4].upper().strip()
                    if command == b"DATA":
                        self._answer("354 go ahead")
                        self._take()
                    self._answer("221 bye" if command == b"QUIT" else "250 ok")
                    if command == b"QUIT":
                        return

            def _take(self) -> None:
                lines = [line.removeprefix(b".") for line in iter(self.rfile.readline, b".\r\n")]
                mail = message_from_bytes(b"".join(lines), policy=policy.default)
                assert isinstance(mail, EmailMessage)
                with lock:
                    on_mail(mail)

            def _answer(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop the server; no message is passed on after that."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return the body of a message, plain or html, with lines that end as in Python."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
