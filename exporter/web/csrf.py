"""Detects cross-site requests: those that a page of another site makes a browser send.

Such a request has the credentials and the network access of the user. It must not decide which
requests to protect. Programs other than browsers do not send the headers that are checked.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

_PORTS = {"http": 80, "https": 443}
_OURS = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site: the same site, or the user, for example in the address bar."""


def is_cross_site(headers: Headers, external_url: str | None) -> bool:
    """Tell whether the headers of a request show that it is cross-site.

    ``external_url`` is another URL of the exporter besides the one in the Host header.
    """
    sites = {each.strip().lower() for each in headers.getlist("sec-fetch-site")}
    origins = headers.getlist("origin")
    return bool(sites - _OURS) or not all(
        _is_own(each, headers.get("host", ""), external_url) for each in origins
    )


def _is_own(origin: str, host: str, external_url: str | None) -> bool:
    sent = _origin(origin)
    if sent is None:  # including "null": a page with an opaque origin
        return False
    scheme, *_ = sent
    # A proxy may terminate TLS: the scheme of the page can differ.
    own = {_origin(f"{scheme}://{host}")}
    if external_url is not None:
        own.add(_origin(external_url))
    return sent in own


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return the scheme, host and port of a URL, None if it is invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
