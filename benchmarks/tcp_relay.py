"""A relay of TCP connections on loopback that can fall silent, as a network that is cut does.

Nothing is closed or refused then: what was sent is not answered. It must not know what it relays.
"""

import socket
import threading
from contextlib import suppress

_PART = 65_536


class TcpRelay:
    """Passes connections to its port on to another one."""

    def __init__(self, target: int) -> None:
        """Listen on a free port of loopback."""
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Pass nothing on from now on."""
        self._open.clear()

    def mend(self) -> None:
        """Pass on again, what was held back too."""
        self._open.set()

    def close(self) -> None:
        """Accept no more connections."""
        self._closed = True
        self._open.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        self._open.wait()
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as up:
            back = threading.Thread(target=self._pass_on, args=(up, client), daemon=True)
            back.start()
            self._pass_on(client, up)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(_PART):
                self._open.wait()
                target.sendall(part)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
