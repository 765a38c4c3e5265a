"""The ledger in the shape of Telnyx's API: its parameters, its items, its errors. Pure.

It must not read the ledger, nor know the web framework.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from exporter.domain import is_uuid
from exporter.errors import ExporterError, QueryError, QueryTimeoutError
from exporter.ledger.listings import Values, card_values, rfc3339
from exporter.ledger.queries import (
    REASON_CHARACTERS,
    AccountAction,
    ActionQuery,
    LedgerView,
    Rows,
    action_query,
    lower_id,
)
from exporter.sanitize import excerpt

PAGE_SIZE = 20
MOST_PAGE_SIZE = 250
"""As in Telnyx's API."""

_MOST_PAGES = 10**9
"""The highest number of a page: more are in no ledger."""

_OF_ONE = {"filter[account]": "account"}
_FILTERS = {
    **_OF_ONE,
    "filter[status]": "status",
    "filter[action_type]": "action_type",
    "filter[sim_card_id]": "sim_card_id",
    "filter[bulk_sim_card_action_id]": "bulk_id",
    "filter[iccid]": "iccid",
    "filter[reason_class]": "reason_class",
    "filter[created_at][gte]": "since",
    "filter[created_at][lt]": "until",
    "filter[ended_at][gte]": "ended_since",
    "filter[ended_at][lt]": "ended_until",
    "sort": "sort",
    "page[after]": "after",
}
"""The parameters that say what is listed, by the names that the ledger has for them."""

_UUIDS = ("filter[sim_card_id]", "filter[bulk_sim_card_action_id]")

_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: (
        "10009",
        "the user name and password of this exporter, not an API key, are asked for here",
    ),
    HTTPStatus.NOT_FOUND: ("10005", "the ledger has only /v2/sim_card_actions"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("10005", "the ledger is only read; use GET"),
    HTTPStatus.TOO_MANY_REQUESTS: ("10011", "try again later"),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("10007", "a defect of the exporter; its log has more"),
}
"""Code and detail of what is refused by its status."""


class NotInLedgerError(QueryError):
    """There is nothing at an address."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list is wanted."""

    number: int
    size: int


def list_query(
    parameters: Sequence[tuple[str, str]], view: LedgerView, now: float
) -> tuple[ActionQuery, Paging]:
    """Return the query of a list and its page; raises QueryError, which names the parameter."""
    given = _once(parameters)
    number = _whole(given, "page[number]", 1, _MOST_PAGES)
    size = _whole(given, "page[size]", PAGE_SIZE, MOST_PAGE_SIZE)
    query = _query(given, _FILTERS, view, now)
    paged = replace(query, skip=(number - 1) * size, limit=size, counted=True)
    return paged, Paging(number, size)


def item_query(
    action_id: str, parameters: Sequence[tuple[str, str]], view: LedgerView, now: float
) -> ActionQuery:
    """Return the query of one action, which may be in several accounts."""
    return replace(_query(_once(parameters), _OF_ONE, view, now), action_id=lower_id(action_id))


def list_body(
    found: Rows[AccountAction], paging: Paging, complete_since: float | None
) -> dict[str, object]:
    """Return the body of a page; where the total is not known, it does not say how many pages.

    What was counted is no total where ``complete_since`` is None: there may be more.
    """
    meta: dict[str, object] = {"page_number": paging.number, "page_size": paging.size}
    if found.total is None:
        meta["total_is_capped"] = True
    elif complete_since is not None:
        meta["total_results"] = found.total
        meta["total_pages"] = -(-found.total // paging.size)
    meta |= {"complete_since": rfc3339(complete_since), "next": found.next}
    return {"data": [_item(row) for row in found.rows], "meta": meta}


def item_body(rows: Sequence[AccountAction]) -> dict[str, object]:
    """Return the body of one action, of the first account that has it; raises NotInLedgerError."""
    if not rows:
        raise NotInLedgerError("id: the ledger has no such action")
    return {"data": _item(min(rows, key=lambda row: row.account))}


def error_body(error: ExporterError) -> tuple[HTTPStatus, dict[str, object]]:
    """Return the status and the body of an error."""
    if isinstance(error, NotInLedgerError):
        return HTTPStatus.NOT_FOUND, _error("10005", "Resource not found", str(error))
    if isinstance(error, QueryError):
        name, _, text = str(error).partition(": ")
        body = _error("10015", "Invalid parameter", text, source={"parameter": name})
        return HTTPStatus.UNPROCESSABLE_ENTITY, body
    if isinstance(error, QueryTimeoutError):
        return HTTPStatus.GATEWAY_TIMEOUT, _error("10008", "Query takes too long", str(error))
    return HTTPStatus.SERVICE_UNAVAILABLE, _error("10008", "Ledger unavailable", str(error))


def is_below(path: str, prefix: str = "") -> bool:
    """Tell whether a path is one of this API; ``prefix`` is that of all paths."""
    return f"{path}/".startswith(f"{prefix}/v2/")


def refusal_body(status: HTTPStatus, detail: str = "") -> dict[str, object]:
    """Return the body of a request that was refused before it was looked at.

    ``detail`` says why; empty for what there is to say of the status.
    """
    code, known = _REFUSALS.get(status, ("10008", "try again later"))
    return _error(code, status.phrase, detail or known)


def _error(code: str, title: str, detail: str, **more: object) -> dict[str, object]:
    return {"errors": [{"code": code, "title": title, "detail": detail, **more}]}


def _item(row: AccountAction) -> Values:
    return {
        "id": row.action_id,
        "record_type": "sim_card_action",
        "sim_card_id": row.sim_card_id or None,
        "action_type": row.action_type,
        "status": {
            "value": row.status,
            "reason": excerpt(row.reason, REASON_CHARACTERS) or None,
        },
        "settings": None,  # the ledger does not keep them
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "ended_at": rfc3339(row.ended_at),
        "account": row.account,
        "reason_class": row.reason_class,
        **card_values(row.sim_card),
    }


def _once(parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parameters:
        if name in given:
            raise QueryError(f"{name}: is given more than once; give it once")
        if not value:
            raise QueryError(f"{name}: is empty; leave it out for all")
        given[name] = value
    return given


def _query(
    given: Mapping[str, str], names: Mapping[str, str], view: LedgerView, now: float
) -> ActionQuery:
    for name in given:
        if name not in names:
            raise QueryError(f"{name}: unknown parameter; use {', '.join(_known(names))}")
        if name in _UUIDS and not is_uuid(given[name]):
            raise QueryError(f"{name}: must be a UUID")
    try:
        return action_query({names[name]: value for name, value in given.items()}, view, now)
    except QueryError as exc:
        name, _, text = str(exc).partition(": ")
        (known,) = (theirs for theirs, ours in names.items() if ours == name)
        raise QueryError(f"{known}: {text}") from exc


def _known(names: Mapping[str, str]) -> Sequence[str]:
    return (*names, "page[number]", "page[size]") if names is _FILTERS else (*names,)


def _whole(given: dict[str, str], name: str, usual: int, most: int) -> int:
    """Take a whole number out of the parameters, at least 1."""
    word = given.pop(name, str(usual))
    if not re.fullmatch(r"0*[0-9]{1,10}", word) or not 1 <= int(word) <= most:
        raise QueryError(f"{name}: must be a whole number from 1 to {most}")
    return int(word)
