"""Listen addresses: parses and formats HOST:PORT.

It must not open sockets or resolve names.
"""

import re
from dataclasses import dataclass

MAX_PORT = 65535

_FORM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a TCP port.

    An empty ``host`` means all addresses of the machine; with port 0 the system selects one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Return the form that `parse_listen_address` accepts."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL for a browser on the same machine, without a trailing slash."""
        everywhere = self.host in {"", "0.0.0.0", "::"}  # noqa: S104 # compared, not bound
        return f"http://{ListenAddress('localhost', self.port) if everywhere else self}"

    def covers(self, other: "ListenAddress") -> bool:
        """Tell whether listening here prevents listening on ``other``; also true if they are equal.

        Port 0 is a different port each time. Names are compared without resolving them.
        """
        if self.port != other.port or self.port == 0:
            return False
        everywhere_in_ipv4 = self.host == "0.0.0.0" and ":" not in other.host  # noqa: S104 # compared
        same = self.host.lower() == other.host.lower()
        return same or self.host in {"", "::"} or everywhere_in_ipv4


def parse_listen_address(text: str) -> ListenAddress:
    """Parse ``:10874``, ``127.0.0.1:10874``, ``localhost:10874`` or ``[::1]:10874``.

    Raises `ValueError` with a message that shows the valid forms.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a listen address; use HOST:PORT, :PORT or [IPv6]:PORT, "
            "for example 127.0.0.1:10874"
        )
    port = int(match["port"])
    if port > MAX_PORT:
        raise ValueError(f"port {port} in {text!r} is out of range; use 0 to {MAX_PORT}")
    return ListenAddress(match["v6"] or match["host"] or "", port)
