"""Ask an exporter once whether it lives, for the probes of containers.

`python -m exporter.probe [URL]` exits with 0 where it lives, 1 where it does not, 2 for wrong
usage, and says why in one line. It is started every few seconds beside the exporter, so it must
import nothing but a little of the standard library, and nothing of the exporter.
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
"""Time for everything but the look-up of a host's name, which nothing can break off."""

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""What names a place of a family of addresses, as the socket module has it."""

PORTS = {"http": 80, "https": 443}
LONGEST = 4096
"""Bytes in which the first line of an answer has to end."""

PROTECTED = {401: "it asks for a password", 429: "it limits how often it may be asked"}
"""Answers of an exporter that lives, and of which a probe without a password gets no other."""

BAD_REQUEST = 400

_ALERT = re.compile(r"ALERT|TLSV1[ _]", re.IGNORECASE)
"""What OpenSSL calls an alert of the other side; an older Python has no name for the newest."""

_FIRST_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")


class DeadError(Exception):
    """It does not live, or not well; says why."""


class NoHttpError(DeadError):
    """What came back is no HTTP; so it may be TLS."""


class ClosedError(NoHttpError):
    """Nothing came back but the end of the connection."""


class BadRequestError(DeadError):
    """The answer is 400, as it is to plain HTTP where TLS is spoken."""


ENDED = (ClosedError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How TLS tells that the server ended the connection, by the versions of Python and OpenSSL."""


def main(arguments: Sequence[str]) -> int:
    """Probe the URL that is the only argument, or the default; return the exit code."""
    try:
        url = _parse(arguments)
    except ValueError as exc:
        sys.stderr.write(f"usage: python -m exporter.probe [URL], {DEFAULT} by default ({exc})\n")
        return 2
    try:
        answer = ask(url, SECONDS)
    except DeadError as exc:
        sys.stderr.write(f"{url.geturl()}: {exc}\n")
        return 1
    sys.stdout.write(f"{url.geturl()}: {answer}\n")
    return 0


def ask(url: SplitResult, seconds: float) -> str:
    """Return why the exporter at ``url`` is taken to live. Raises DeadError where it is not.

    An exporter that speaks TLS is asked in TLS whatever ``url`` says, as who wrote the probe
    need not know of it.
    """
    end = time.monotonic() + seconds
    try:
        if url.scheme == "http":
            try:
                with _connection(url, end) as plain:
                    return _answer(plain, url, end)
            except NoHttpError:
                pass
            except BadRequestError:
                # What an exporter that speaks TLS answers; another server may mean what it says.
                with suppress(DeadError, OSError):
                    return _ask_in_tls(url, end)
                raise
        return _ask_in_tls(url, end)
    except TimeoutError:
        raise DeadError(f"no answer within {seconds:g} s") from None
    except (OSError, UnicodeError) as exc:  # UnicodeError: a name that cannot be looked up
        raise DeadError(f"no connection: {exc}") from exc


def _ask_in_tls(url: SplitResult, end: float) -> str:
    # No secret is sent and nothing is done with the answer but to look at its status. So it is no
    # matter who answers, and a probe would rather not know which authority signs for the exporter.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL")  # the exporter may offer what a client of today leaves out
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
            # Who has no certificate is turned away in the middle of the handshake, or in TLS 1.3
            # after it, by an alert or, where that gets lost or the server's TLS sends none, by the
            # end of the connection, in order or not. All of it comes after the server has chosen
            # a cipher, so it is there and speaks TLS.
            reason = getattr(exc, "reason", None) or str(exc)
            chosen = secured.cipher() is not None
            if _ALERT.search(reason) or (chosen and isinstance(exc, ENDED)):
                return f"alive: it refuses TLS without a client's certificate ({reason})"
            spoken = "no HTTP in TLS" if chosen else "neither HTTP nor TLS"
            raise DeadError(f"{spoken}: {reason}") from exc


def _answer(connection: socket.socket, url: SplitResult, end: float) -> str:
    """Ask for ``url`` on a connection; return why it lives. Raises DeadError."""
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
        raise NoHttpError("it begins otherwise")
    status = int(found[1])
    if status in PROTECTED:
        return f"alive: {PROTECTED[status]} (status {status})"
    if status // 100 != 2:  # noqa: PLR2004 # the class of success (RFC 9110, 15.3)
        raise (BadRequestError if status == BAD_REQUEST else DeadError)(f"status {status}")
    return f"status {status}"


def connect(addresses: Sequence[tuple[int, Address]], seconds: float) -> socket.socket:
    """Connect to the first of some addresses, each with its family, that lets in.

    One that says nothing has no more than its share of the time. Raises the OSError of the last.
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
    raise OSError("its name has no address")


def _connection(url: SplitResult, end: float) -> socket.socket:
    # Never through a proxy: it would answer for the exporter.
    port = url.port or PORTS[url.scheme]
    found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    connection = connect([(family, address) for family, *_, address in found], _left(end))
    connection.settimeout(_left(end))
    return connection


def _left(end: float) -> float:
    """Return the seconds that are left until ``end``. Raises TimeoutError if none are."""
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _parse(arguments: Sequence[str]) -> SplitResult:
    """Return the URL to ask. Raises ValueError where there is none that can be asked."""
    if len(arguments) > 1:
        raise ValueError("more than one argument")
    text = arguments[0] if arguments else DEFAULT
    url = urlsplit(text)
    if "@" in url.netloc:
        raise ValueError("a probe takes no password: where one is asked for, it lives")
    if url.scheme not in PORTS or not url.hostname or url.port == 0:
        raise ValueError(f"{text!r} is no http or https address")
    if not text.isascii() or " " in text:
        raise ValueError(f"{text!r} has characters that have to be escaped")
    return url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
