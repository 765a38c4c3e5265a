import ssl
from collections.abc import Callable
from typing import Any

import pytest

from exporter.web.tls_session import CHUNK_BYTES, TlsSession

pytestmark = pytest.mark.program("openssl")

Ends = tuple["Client", TlsSession]


class Client:
    """The client's side, which hands over bytes one at a time."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Begin with nothing sent."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def shake(self, session: TlsSession) -> None:
        """Shake hands to the end."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.deliver(session)
        self.deliver(session)

    def deliver(self, session: TlsSession) -> bytes:
        """Exchange what waits to be sent; returns what the server reads."""
        read = b"".join(session.receive(bytes((each,))) for each in self._outgoing.read())
        self.take(session.outgoing())
        return read

    def take(self, data: bytes) -> None:
        """Get bytes from the server."""
        self._incoming.write(data)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def ends(
    request: pytest.FixtureRequest, web_file: Any, secured: Callable[..., str], authority: Any
) -> Ends:
    """Give both ends of a connection whose handshake is over."""
    tls = web_file.reloader(secured()).current().tls
    context = authority.context()
    context.minimum_version = context.maximum_version = request.param
    client, session = Client(context), TlsSession(tls)
    assert not session.started
    client.shake(session)
    assert session.established
    return client, session


def test_bytes_may_come_one_at_a_time(ends: Ends) -> None:
    """However the client's bytes are cut, the server reads what was sent."""
    client, session = ends
    client.tls.write(b"question")
    assert client.deliver(session) == b"question"


def test_what_is_large_is_sent_in_parts(ends: Ends) -> None:
    """An answer of several chunks arrives whole, and is never encrypted as a whole."""
    client, session = ends
    answer = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"end"
    parts = list(session.send(answer))
    assert len(parts) == 4
    client.take(b"".join(parts))
    read = b""
    while len(read) < len(answer):
        read += client.tls.read(CHUNK_BYTES)
    assert read == answer


def test_the_end_is_said_by_both(ends: Ends) -> None:
    """Each side learns in TLS that the other sends no more, so nothing can be cut off unseen."""
    client, session = ends
    session.close()
    client.take(session.outgoing())
    assert client.tls.read() == b""
    client.tls.unwrap()
    client.deliver(session)
    assert session.ended


def test_what_was_tampered_with_ends_the_connection(ends: Ends) -> None:
    """A record that was not encrypted by the client is an error, and the client is told."""
    client, session = ends
    with pytest.raises(ssl.SSLError):
        session.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    client.take(session.outgoing())
    with pytest.raises(ssl.SSLError, match="bad record mac"):
        client.tls.read()
