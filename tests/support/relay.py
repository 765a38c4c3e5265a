"""A relay on loopback between a client and a server: it counts turns, and loses what it is told to.

It must not know the protocol that it carries, but for the bytes that it is told to look for.
"""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Relay:
    """Carries connections to ``target``, a port on loopback.

    ``turns`` counts how often a client spoke after the server had: the round trips. Of a client's
    bytes that contain ``watched``, the answer is lost: the connection of the client ends at once.
    They are carried at once if ``carry`` is set, else once `let_through` is called.
    """

    target: int
    port: int = 0
    turns: int = 0
    watched: bytes | None = None
    carry: bool = True
    held: list[tuple[socket.socket, bytes]] = field(default_factory=list)

    def let_through(self) -> None:
        """Carry what was held back, and end those connections."""
        for server, said in self.held:
            with server, suppress(OSError):  # the server may have ended it
                server.sendall(said)
                server.shutdown(socket.SHUT_WR)
                while server.recv(65536):
                    pass
        self.held.clear()

    def drop(self) -> None:
        """End the connections of what was held back, without carrying it."""
        for server, _ in self.held:
            server.close()
        self.held.clear()

    def serve(self, listener: socket.socket) -> None:
        """Carry each connection, until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        spoken_to = True
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    source = key.fileobj
                    try:
                        said = source.recv(65536)  # type: ignore[union-attr]
                    except OSError:
                        said = b""
                    if not said:
                        client.close()
                        server.close()
                        return
                    if source is server:
                        spoken_to = True
                        client.sendall(said)
                        continue
                    self.turns += spoken_to
                    spoken_to = False
                    if self.watched is None or self.watched not in said:
                        server.sendall(said)
                        continue
                    self.watched = None
                    self.held.append((server, b"" if self.carry else said))
                    if self.carry:
                        server.sendall(said)
                        server.recv(65536)  # it was done
                    client.close()
                    return


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Relay connections to a port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Relay(target, listener.getsockname()[1])
        thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            made.drop()
