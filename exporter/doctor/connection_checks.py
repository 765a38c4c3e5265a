"""From the connection to the first page: who answers, and whether it takes the key. Pure."""

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from exporter.doctor.findings import Finding, fail, ok, skip, warn
from exporter.doctor.seen import INTERRUPTED, NO_LIST, Answer, Seen
from exporter.errors import AccountError, AuthError, RateLimitedError, RefusedError
from exporter.telnyx.client import Received
from exporter.telnyx.http import refused_certificate
from exporter.telnyx.interception import interceptor
from exporter.telnyx.rate_limit_headers import ROUNDING, read_clock_offset, read_rate_limit
from exporter.telnyx.reach import AddressReached, Reached
from exporter.telnyx.responses import is_transient
from exporter.telnyx.schema import ApiError, decode_errors

_FORBIDDEN = 403

_EPOCH_FROM = 1e9


def connection_findings(seen: Seen, base_url: str, rate: float) -> Iterator[Finding]:
    """Yield a finding for each check of the connection, the key and the headers.

    ``rate`` is how many requests a second the exporter may send.
    """
    yield _network(seen)
    yield _tls(seen, base_url)
    yield _origin(seen)
    yield _key(seen)
    yield _account(seen)
    yield _list(seen)
    yield _clock(seen)
    yield _rate_limit(seen, rate)


def not_asked(seen: Seen) -> str:
    """Return why there is nothing to say of what Telnyx answers."""
    return seen.stopped or INTERRUPTED


def api_errors(answer: Answer) -> tuple[ApiError, ...]:
    """Return the errors in the body of an answer."""
    return () if answer.received is None else decode_errors(answer.received.answer.body)


def described(answer: Answer) -> str:
    """Return our words for an answer that is an error."""
    return "no response" if answer.status is None else f"HTTP {answer.status}"


def _network(seen: Seen) -> Finding:
    check, reach = "network", seen.reach
    if reach is None:
        return skip(check, not_asked(seen))
    what = "the proxy" if reach.proxy else "the host of base_url"
    name = reach.proxy or "base_url"
    if reach.error:
        return fail(
            check,
            f"{what} was not found",
            f"{reach.host}: {reach.error}",
            remedy=f"check DNS on this machine, and {name}",
        )
    shown = [f"{each.address}: {each.reached}" for each in reach.addresses]
    if reach.host not in {each.address for each in reach.addresses}:
        shown.insert(0, reach.host)
    connected = [each for each in reach.addresses if each.reached is Reached.CONNECTED]
    if not connected:
        return fail(
            check,
            f"none of {_addresses(reach.addresses)} accepts a connection",
            *shown,
            remedy=f"check firewall, route and {name}"
            + ("" if reach.proxy else "; where a proxy is needed, set HTTPS_PROXY"),
        )
    # Without a route to a family, connections go to the other at once, which is no defect.
    late = [
        each
        for each in reach.addresses
        if each.reached not in {Reached.CONNECTED, Reached.NO_ROUTE}
    ]
    through = f" of {what}" if reach.proxy else ""
    if late:
        return warn(
            check,
            f"{len(connected)} of {_addresses(reach.addresses)}{through} accept connections",
            *shown,
            remedy="connections to the others fail or are delayed: check firewall and routes",
        )
    families = {each.family for each in connected}
    only = f", {next(iter(families))} only" if len(families) == 1 else ""
    return ok(check, f"{_addresses(connected)}{through} connected{only}", reach.host)


def _addresses(addresses: tuple[AddressReached, ...] | list[AddressReached]) -> str:
    return f"{len(addresses)} address{'es' if len(addresses) != 1 else ''}"


def _tls(seen: Seen, base_url: str) -> Finding:
    check = "tls"
    if urlsplit(base_url).scheme != "https":
        return ok(check, "not used: plain http to this machine")
    for answer in seen.answers.values():
        refused = refused_certificate(answer.error)
        if refused is not None:
            return fail(
                check,
                "the certificate was rejected",
                str(answer.error),
                remedy="if a proxy or firewall inspects TLS here, add its CA to the system's trust "
                "store or set SSL_CERT_FILE; else check base_url and the clock",
            )
        if _has_broken_tls(answer):
            return fail(
                check,
                "the server does not speak TLS, or breaks it",
                str(answer.error),
                remedy="check base_url and what is between here and Telnyx",
            )
    if not seen.received:
        return skip(check, not_asked(seen))
    issuer = seen.received[0].issuer
    return ok(check, "the certificate is trusted", f"issued by {issuer or 'nobody known'}")


def _has_broken_tls(answer: Answer) -> bool:
    error: BaseException | None = answer.error
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _origin(seen: Seen) -> Finding:
    check = "origin"
    remedy = "allow api.telnyx.com, port 443, in the firewall or proxy; check base_url"
    for received in seen.received:
        if not _is_genuine(received):
            words = interceptor(received.answer)
            return fail(
                check,
                "something else answers in Telnyx's place",
                *([words] if words else ()),
                remedy=remedy,
            )
    proxy = seen.reach.proxy if seen.reach else ""
    if seen.received:
        through = f"through the proxy in {proxy}" if proxy else "without a proxy"
        return ok(check, f"Telnyx answers, {through}")
    first = seen.first
    if first is None or not seen.requests or _has_broken_tls(first):
        return skip(check, not_asked(seen))
    through = f" through the proxy in {proxy}" if proxy else ""
    return fail(check, f"no response{through}", str(first.error), remedy=remedy)


def _key(seen: Seen) -> Finding:
    check = "key"
    first = seen.first
    if first is None or first.received is None or not _is_genuine(first.received):
        if first is not None and not seen.requests:
            return fail(
                check,
                "the key cannot be read",
                str(first.error),
                remedy="check api_key or api_key_file",
            )
        return skip(check, not_asked(seen))
    errors = [str(each) for each in api_errors(first)]
    if isinstance(first.error, AuthError) and first.status != _FORBIDDEN:
        return fail(
            check,
            f"Telnyx does not accept the key ({described(first)})",
            *errors,
            remedy="create a new key in the Telnyx portal and replace the configured one",
        )
    if isinstance(first.error, AuthError):
        return fail(
            check,
            "the key may not list SIM card actions (HTTP 403)",
            *errors,
            remedy="give the key that right in the Telnyx portal, or use another key",
        )
    if first.page is None and not isinstance(first.error, AccountError):
        return skip(check, not_asked(seen))
    return ok(check, "accepted")


def _is_genuine(received: Received) -> bool:
    """Tell whether a response is Telnyx's: its gateway may answer an outage with a page."""
    return interceptor(received.answer) is None or is_transient(received.answer.status)


def _account(seen: Seen) -> Finding:
    check = "account"
    first = seen.first
    if first is None:
        return skip(check, not_asked(seen))
    if isinstance(first.error, AccountError):
        return fail(
            check,
            f"the account is blocked, inactive or out of funds ({described(first)})",
            *(str(each) for each in api_errors(first)),
            remedy="settle it in the Telnyx portal or with Telnyx's support; the key is not the "
            "problem",
        )
    if first.page is None:
        return skip(check, NO_LIST)
    return ok(check, "in good standing")


def _list(seen: Seen) -> Finding:
    check = "list"
    first = seen.first
    if first is None and seen.requests and seen.stopped != INTERRUPTED:
        return fail(
            check,
            f"the list of actions was not read: {seen.stopped}",
            remedy="try again later; see Telnyx's status page, and what is between here and Telnyx",
        )
    if first is None or first.received is None or not _is_genuine(first.received):
        return skip(check, not_asked(seen))
    page = first.page
    if isinstance(first.error, RefusedError):
        return skip(check, NO_LIST)
    if page is None:
        remedy = "check base_url, which ends in /v2"
        if isinstance(first.error, RateLimitedError):
            remedy = "wait, and check what else uses this account"
        elif first.status is not None and is_transient(first.status):
            remedy = "try again later; see Telnyx's status page"
        text = f"the list of actions cannot be read ({described(first)})"
        return fail(check, text, str(first.error), remedy=remedy)
    if page.malformed:
        return warn(
            check,
            f"{page.malformed:,} of {page.length:,} actions have no valid ID",
            remedy="they cannot be counted; report it to Telnyx",
        )
    total = "" if page.total is None else f" of {page.total:,}"
    return ok(check, f"{page.length:,}{total} actions read")


def _clock(seen: Seen) -> Finding:
    check = "clock"
    genuine = [each for each in seen.received if _is_genuine(each)]
    if not genuine:
        return skip(check, not_asked(seen))
    found = [read_clock_offset(each.headers, each.at) for each in genuine]
    offsets = [each for each in found if each is not None]
    remedy = "synchronize the clock of this machine, for example with chrony"
    if not offsets:
        if not any("date" in each.headers for each in genuine):
            return warn(
                check,
                "responses have no date",
                remedy="make sure that the clock of this machine is right; it is used instead",
            )
        return warn(check, "more than a day from the date of the responses", remedy=remedy)
    # A response that was slow makes the difference appear larger, never smaller.
    offset = min(offsets, key=abs)
    if not offset:
        return ok(check, f"within {ROUNDING:g} s of Telnyx's")
    side = "behind" if offset > 0 else "ahead of"
    return warn(check, f"{abs(offset):,.0f} s {side} Telnyx's", remedy=remedy)


def _rate_limit(seen: Seen, rate: float) -> Finding:
    check = "rate_limit"
    genuine = [each for each in seen.received if _is_genuine(each)]
    if not genuine:
        return skip(check, not_asked(seen))
    refused = sum(each.answer.status == 429 for each in genuine)  # noqa: PLR2004 # HTTP
    if refused:
        return warn(
            check,
            f"{refused} of {len(genuine)} requests were refused with HTTP 429",
            remedy=f"lower poll.rate_limit ({rate:g} a second), or find what else uses the account",
        )
    limits = [read_rate_limit(each.headers, each.at) for each in genuine]
    with_limit = [each for each in limits if each.limit is not None or each.remaining is not None]
    if not with_limit:
        return warn(
            check,
            "no header says what the limit is",
            remedy="none is needed unless polls fail as rate_limited: then lower poll.rate_limit "
            f"({rate:g} a second)",
        )
    limit = with_limit[-1].limit
    remaining = min((each.remaining for each in limits if each.remaining is not None), default=None)
    text = "" if limit is None else f"limit {limit:g}"
    if remaining is not None:
        text += f"{', ' * bool(text)}lowest remaining {remaining:g}"
    text += f", {_reset_style([each.headers.get('x-ratelimit-reset', '') for each in genuine])}"
    if remaining == 0:
        return warn(
            check, text, remedy=f"polls wait for it: lower poll.rate_limit ({rate:g} a second)"
        )
    return ok(check, text)


def _reset_style(values: list[str]) -> str:
    given = [each for each in values if each]
    if not given:
        return "no reset"
    try:
        return f"reset as {'an epoch time' if float(given[-1]) > _EPOCH_FROM else 'seconds'}"
    except ValueError:
        return "reset unreadable"
