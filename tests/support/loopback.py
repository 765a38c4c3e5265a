"""What clients of servers on loopback share; it must not know who serves there."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx, as ``verify``: to read the trusted certificates takes longer than most requests."""
