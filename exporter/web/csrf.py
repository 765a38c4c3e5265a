"""Tell a request that a page of another site made a browser send.

A browser sends with it what it knows of the user, a password or the way into the network. It must
not decide which requests matter. Programs send neither of the headers that are looked at.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

_PORTS = {"http": 80, "https": 443}
_OURS = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site: a page of ours, or the user, by the address bar say."""


def is_cross_site(headers: Headers, external_url: str | None) -> bool:
    """Tell whether the headers of a request say that it comes from another site's page.

    ``external_url`` is where people reach the exporter besides the host that they name.
    """
    sites = {each.strip().lower() for each in headers.getlist("sec-fetch-site")}
    origins = headers.getlist("origin")
    return bool(sites - _OURS) or not all(
        _is_ours(each, headers.get("host", ""), external_url) for each in origins
    )


def _is_ours(origin: str, host: str, external_url: str | None) -> bool:
    sent = _place(origin)
    if sent is None:  # "null" among them: a page that hides where it is from
        return False
    scheme, *_ = sent
    # A proxy may speak TLS before us: the scheme of the page need not be ours.
    places = {_place(f"{scheme}://{host}")}
    if external_url is not None:
        places.add(_place(external_url))
    return sent in places


def _place(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a web address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
