"""Checks once whether an exporter is alive, for container probes.

`python -m exporter.probe [URL]` exits with 0 if it is alive, 1 if not and 2 for invalid arguments,
and prints the reason in one line. It is started every few seconds, so it must only import a few
modules of the standard library, and nothing of the exporter.
"""

import re
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

DEFAULT = "http://127.0.0.1:10874/-/healthy"
SECONDS = 3.0
"""Timeout for everything but name resolution, which cannot be interrupted."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""A socket address of any family."""

PORTS = {"http": 80, "https": 443}
LONGEST = 4096
"""Maximum length of the first line of a response, in bytes."""

PROTECTED = {401: "it requires a password", 429: "it limits the rate of requests"}
"""Status codes that show a live exporter, although a probe without a password gets no others."""

BAD_REQUEST = 400

_ALERT = re.compile(r"ALERT|TLSV1[ _]", re.IGNORECASE)
"""What OpenSSL calls an alert from the peer; older Pythons have no name for newer ones."""

_FIRST_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")


class DeadError(Exception):
    """The exporter is not alive or not healthy; the message says why."""


class NoHttpError(DeadError):
    """The response is not HTTP, so it may be TLS."""


class ClosedError(NoHttpError):
    """The connection was closed without a response."""


class Status400Error(DeadError):
    """The answer is 400, as it is to plain HTTP where TLS is spoken."""


ENDED = (ClosedError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a closed TLS connection is reported, by version of Python and OpenSSL."""


def main(arguments: Sequence[str]) -> int:
    """Probe the URL in the only argument, or the default URL; return the exit code."""
    try:
        url = _parse(arguments)
    except ValueError as exc:
        sys.stderr.write(f"usage: python -m exporter.probe [URL] (default: {DEFAULT}): {exc}\n")
        return 2
    try:
        answer = ask(url, SECONDS)
    except DeadError as exc:
        sys.stderr.write(f"{url.geturl()}: {exc}\n")
        return 1
    sys.stdout.write(f"{url.geturl()}: {answer}\n")
    return 0


def ask(url: SplitResult, seconds: float) -> str:
    """Return why the exporter at ``url`` is considered alive. Raises DeadError if it is not.

    An exporter that uses TLS is probed with TLS even if ``url`` says http, because the author of
    the probe may not know about it.
    """
    end = time.monotonic() + seconds
    try:
        if url.scheme == "http":
            try:
                with _connection(url, end) as plain:
                    return _answer(plain, url, end)
            except NoHttpError:
                pass
            except Status400Error:
                # What an exporter that speaks TLS answers; another server may mean what it says.
                with suppress(DeadError, OSError):
                    return _ask_in_tls(url, end)
                raise
        return _ask_in_tls(url, end)
    except TimeoutError:
        raise DeadError(f"no response within {seconds:g} s") from None
    except (OSError, UnicodeError) as exc:  # UnicodeError: an invalid host name
        raise DeadError(f"connection failed: {exc}") from exc


def _ask_in_tls(url: SplitResult, end: float) -> str:
    # No secret is sent and only the status of the response is used, so the certificate need not be
    # verified, and probes need no CA certificate.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL")  # the exporter may only accept what is off by default
    plain = _connection(url, end)
    with context.wrap_socket(
        plain, server_hostname=url.hostname, do_handshake_on_connect=False
    ) as secured:
        try:
            secured.do_handshake()
            return _answer(secured, url, end)
        except TimeoutError:
            raise
        except (NoHttpError, ConnectionError, ssl.SSLError) as exc:
            # A client without a certificate is rejected during the handshake, or after it in TLS
            # 1.3, with an alert or, if that is lost or never sent, by closing the connection. That
            # happens after the server has chosen a cipher, so it is alive and uses TLS.
            reason = getattr(exc, "reason", None) or str(exc)
            chosen = secured.cipher() is not None
            if _ALERT.search(reason) or (chosen and isinstance(exc, ENDED)):
                return f"alive: it requires a client certificate ({reason})"
            spoken = "not HTTP over TLS" if chosen else "neither HTTP nor TLS"
            raise DeadError(f"{spoken}: {reason}") from exc


def _answer(connection: socket.socket, url: SplitResult, end: float) -> str:
    """Request ``url`` on a connection; return why it is alive. Raises DeadError."""
    target = f"{url.path or '/'}{url.query and '?'}{url.query}"
    request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
    begin = b""
    try:
        connection.sendall(request.encode("ascii"))
        while begin[:5] == b"HTTP/"[: len(begin)] and b"\n" not in begin and len(begin) < LONGEST:
            connection.settimeout(_left(end))
            if not (piece := connection.recv(LONGEST)):
                break
            begin += piece
    except ConnectionError as exc:
        raise (NoHttpError if begin else ClosedError)(str(exc)) from exc
    if not begin:
        raise ClosedError("the connection was closed")
    found = _FIRST_LINE.match(begin)
    if found is None:
        raise NoHttpError("invalid status line")
    status = int(found[1])
    if status in PROTECTED:
        return f"alive: {PROTECTED[status]} (status {status})"
    if status // 100 != 2:  # noqa: PLR2004 # the class of success (RFC 9110, 15.3)
        raise (Status400Error if status == BAD_REQUEST else DeadError)(f"status {status}")
    return f"status {status}"


def connect(addresses: Sequence[tuple[int, SocketAddress]], seconds: float) -> socket.socket:
    """Connect to the first address, each with its family, that accepts the connection.

    The time is divided among the remaining addresses. Raises the OSError of the last one.
    """
    end = time.monotonic() + seconds
    for number, (family, address) in enumerate(addresses, 1):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(end) / (len(addresses) - number + 1))
            connection.connect(address)
        except BaseException as exc:
            connection.close()
            if number == len(addresses) or not isinstance(exc, OSError):
                raise
        else:
            return connection
    raise OSError("the host name has no address")


def _connection(url: SplitResult, end: float) -> socket.socket:
    # Never through a proxy, which would answer instead of the exporter.
    port = url.port or PORTS[url.scheme]
    found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    connection = connect([(family, address) for family, *_, address in found], _left(end))
    connection.settimeout(_left(end))
    return connection


def _left(end: float) -> float:
    """Return the seconds left until ``end``. Raises TimeoutError if there are none."""
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _parse(arguments: Sequence[str]) -> SplitResult:
    """Return the URL to probe. Raises ValueError if it is not valid."""
    if len(arguments) > 1:
        raise ValueError("more than one argument")
    text = arguments[0] if arguments else DEFAULT
    url = urlsplit(text)
    if "@" in url.netloc:
        raise ValueError(
            "do not pass a password: an exporter that requires one is considered alive"
        )
    if url.scheme not in PORTS or not url.hostname or url.port == 0:
        raise ValueError(f"{text!r} is not an http or https URL")
    if not text.isascii() or " " in text:
        raise ValueError(f"{text!r} has characters that must be escaped")
    return url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
