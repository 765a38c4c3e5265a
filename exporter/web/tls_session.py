"""The server side of one TLS connection: bytes in, bytes out.

It must not use sockets or timers, or decide which certificates are required.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress

from exporter.metrics.self_metrics import HandshakeCause
from exporter.web.tls import Tls

CHUNK_BYTES = 256 * 1024
"""The maximum size of data that is encrypted at once."""

HTTP_ANSWER = (
    b"HTTP/1.0 400 Bad Request\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n"
    b"\r\n"
    b"Client sent an HTTP request to an HTTPS server.\n"
)

_HTTP_METHOD = re.compile(rb"[A-Z]{3,4} |[A-Z]{5}")
"""The first five bytes of a request in plain HTTP."""

MAX_RECORD_BYTES = 5 + 16384 + 256
"""A record's header, its plain text at most, and what encryption may add (RFC 8446, 5.2)."""

USELESS_BYTES = 2 * MAX_RECORD_BYTES
"""What may come without any plain text in it, once the handshake is over.

Records without data, like updates of keys, cost far more than they take on the wire; Go has a limit
of 16 such records.
"""

_BYTES_OF_ONE = 128
"""What one byte of plain text may take on the wire, in a record of its own or a padded one."""

_HANDSHAKE_RECORD = 0x16
_RECORD_HEADER_BYTES = 5
_MAX_NAMES = 5


def _alert(description: int) -> bytes:
    """Return an unencrypted fatal alert as a TLS 1.2 record (RFC 5246, 7.2)."""
    return bytes((0x15, 3, 3, 0, 2, 2, description))


_UNEXPECTED_MESSAGE = _alert(10)
_BAD_CERTIFICATE = _alert(42)
_EMPTY_HANDSHAKE_RECORD = bytes((_HANDSHAKE_RECORD, 3, 3, 0, 0))

_CAUSES: Mapping[str, HandshakeCause] = {
    "UNSUPPORTED_PROTOCOL": HandshakeCause.PROTOCOL_VERSION,
    "VERSION_TOO_LOW": HandshakeCause.PROTOCOL_VERSION,
    "VERSION_TOO_HIGH": HandshakeCause.PROTOCOL_VERSION,
    "INAPPROPRIATE_FALLBACK": HandshakeCause.PROTOCOL_VERSION,
    "NO_SHARED_CIPHER": HandshakeCause.NO_COMMON_CIPHER,
    "NO_SHARED_GROUPS": HandshakeCause.NO_COMMON_CIPHER,
    "NO_SUITABLE_GROUPS": HandshakeCause.NO_COMMON_CIPHER,
    "NO_SUITABLE_KEY_SHARE": HandshakeCause.NO_COMMON_CIPHER,
    "NO_SHARED_SIGNATURE_ALGORITHMS": HandshakeCause.NO_COMMON_CIPHER,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": HandshakeCause.NO_COMMON_CIPHER,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": HandshakeCause.NO_CLIENT_CERTIFICATE,
    "CERTIFICATE_VERIFY_FAILED": HandshakeCause.CLIENT_CERTIFICATE_INVALID,
    "HTTP_REQUEST": HandshakeCause.PLAIN_HTTP,
    "HTTPS_PROXY_REQUEST": HandshakeCause.PLAIN_HTTP,
}
"""The cause of a failed handshake, by OpenSSL's reason."""


class HandshakeError(Exception):
    """A failed handshake with its cause; the message has details for the log."""

    def __init__(self, cause: HandshakeCause, message: str) -> None:
        """Store the cause and the message."""
        super().__init__(message)
        self.cause = cause


class TlsSession:
    """Decrypts received data, and encrypts data to send.

    After each call, even one that raises, `outgoing` has bytes to send.
    """

    def __init__(self, tls: Tls) -> None:
        """Prepare for the handshake."""
        self._tls = tls
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = tls.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._begin = b""
        self._useless = 0
        self.established = False
        """Whether the handshake is complete and the client accepted."""
        self.ended = False
        """Whether the client closed its side of the session."""

    @property
    def started(self) -> bool:
        """Tell whether the client has sent anything."""
        return bool(self._begin)

    def receive(self, data: bytes) -> bytes:
        """Process data received over TCP and return its plain text.

        Raises HandshakeError; after the handshake, ssl.SSLError.
        """
        parts = memoryview(data)
        starts = range(0, len(parts), MAX_RECORD_BYTES)
        return b"".join(self._part(parts[each : each + MAX_RECORD_BYTES]) for each in starts)

    def send(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Encrypt ``data``; yields the bytes to send for each part of it."""
        left = memoryview(data)
        while left:
            left = left[self._ssl.write(left[:CHUNK_BYTES]) :]
            yield self._outgoing.read()

    def close(self) -> None:
        """Close this side of the session."""
        # The client has not closed its side yet, or the session has failed already.
        with suppress(ssl.SSLError):
            self._ssl.unwrap()

    def outgoing(self) -> bytes:
        """Return the bytes to send now."""
        return self._outgoing.read()

    def _part(self, data: memoryview) -> bytes:
        self._incoming.write(data)
        if not self.established:
            self._begin += data[: _RECORD_HEADER_BYTES - len(self._begin)]
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            except ssl.SSLError as exc:
                raise self._failed(exc) from exc
            self._admit()
            self.established = True
        plain = b"".join(self._plain())
        self._useless = max(0, self._useless + len(data) - _BYTES_OF_ONE * len(plain))
        if self._useless > USELESS_BYTES:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "too many records without data")
        return plain

    def _plain(self) -> Iterator[bytes]:
        while not self.ended:
            try:
                plain = self._ssl.read(CHUNK_BYTES)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:  # also raised after this side was closed
                plain = b""
            self.ended = not plain
            yield plain

    def _failed(self, exc: ssl.SSLError) -> HandshakeError:
        """Return why a handshake failed; the alert or an HTTP response is then to be sent."""
        reason = exc.reason or ""
        detail = getattr(exc, "verify_message", "") or reason.replace("_", " ").lower()
        if _HTTP_METHOD.match(self._begin):
            self._send_instead(HTTP_ANSWER)
            return HandshakeError(HandshakeCause.PLAIN_HTTP, "plain HTTP on an HTTPS port")
        if self._begin[0] != _HANDSHAKE_RECORD:
            # RFC 8446, 5: OpenSSL itself sends no alert for data that does not look like TLS.
            self._send_instead(_UNEXPECTED_MESSAGE)
            return HandshakeError(HandshakeCause.NOT_TLS, "the data received is not TLS")
        if "_ALERT_" in reason:
            return HandshakeError(HandshakeCause.CLIENT_ALERT, f"the client sent {detail}")
        return HandshakeError(_CAUSES.get(reason, HandshakeCause.OTHER), detail or "unknown error")

    def _admit(self) -> None:
        """Reject a client whose certificate has no allowed name."""
        if not self._tls.allowed_sans:
            return
        try:
            certificate = self._ssl.getpeercert()
        except (ValueError, ssl.SSLError):  # of names that are not encoded as they must be
            certificate = None
        if self._tls.admits(certificate):
            return
        if self._ssl.version() == "TLSv1.3":
            # The session is already encrypted, and ssl cannot send a specific alert: an invalid
            # record makes OpenSSL send the fatal alert unexpected_message.
            self._incoming.read()
            self._incoming.write(_EMPTY_HANDSHAKE_RECORD)
            with suppress(ssl.SSLError):
                self._ssl.read()
        else:
            # The alert replaces the last message of the handshake, which would be encrypted.
            self._send_instead(_BAD_CERTIFICATE)
        found = (certificate or {}).get("subjectAltName", ())
        names = [str(name) for _, name in found[:_MAX_NAMES]] if isinstance(found, tuple) else []
        raise HandshakeError(
            HandshakeCause.CLIENT_NAME_NOT_ALLOWED,
            f"client_allowed_sans has none of its names ({', '.join(names) or 'it has none'})",
        )

    def _send_instead(self, data: bytes) -> None:
        self._outgoing.read()
        self._outgoing.write(data)
