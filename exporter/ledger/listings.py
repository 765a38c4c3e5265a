"""Rows of a ledger as plain values for JSON and CSV. Pure.

Texts are written as they are in JSON; in CSV nothing is taken for a formula.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from exporter.domain import SimCard
from exporter.ledger.queries import (
    REASON_CHARACTERS,
    AccountAction,
    AccountProblem,
)
from exporter.sanitize import excerpt, utc_time

Values = dict[str, object]

PROBLEM_COLUMNS = (
    "account",
    "sim_card_id",
    "iccid",
    "sim_card_group",
    "tags",
    "concern",
    "status",
    "opened_at",
    "attempts",
    "retrying",
    "action_id",
    "action_type",
    "reason",
    "reason_class",
    "url",
)
ACTION_COLUMNS = (
    "account",
    "sim_card_id",
    "iccid",
    "sim_card_group",
    "tags",
    "action_id",
    "action_type",
    "status",
    "stuck",
    "reason",
    "reason_class",
    "created_at",
    "ended_at",
    "url",
)

_FORMULA = (*"=+-@\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, which a foreign text must not be.

The full-width forms of the signs are taken for them where East Asian text is typed.
"""


def rfc3339(at: float | None) -> str | None:
    """Return a time in UTC, to the millisecond: ``2026-08-01T12:00:00.000Z``; None for none."""
    if at is None:
        return None
    return f"{utc_time(at).replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"


def problem_values(row: AccountProblem, url: str) -> Values:
    """Return a problem, in the order of PROBLEM_COLUMNS; ``url`` is that of its SIM card's page."""
    problem = row.problem
    return {
        "account": row.account,
        "sim_card_id": problem.sim_card_id,
        **card_values(row.sim_card),
        "concern": problem.concern,
        "status": problem.status.value,
        "opened_at": rfc3339(problem.opened_at),
        "attempts": problem.attempts,
        "retrying": problem.retrying,
        "action_id": problem.action_id,
        "action_type": problem.action_type,
        "reason": excerpt(problem.reason, REASON_CHARACTERS),
        "reason_class": problem.reason_class,
        "url": url,
    }


def action_values(row: AccountAction, url: str) -> Values:
    """Return an action, in the order of ACTION_COLUMNS."""
    return {
        "account": row.account,
        "sim_card_id": row.sim_card_id,
        **card_values(row.sim_card),
        "action_id": row.action_id,
        "action_type": row.action_type,
        "status": row.status,
        "stuck": row.stuck,
        "reason": excerpt(row.reason, REASON_CHARACTERS),
        "reason_class": row.reason_class,
        "created_at": rfc3339(row.created_at),
        "ended_at": rfc3339(row.ended_at),
        "url": url,
    }


def csv_text(
    columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, header: bool = True
) -> str:
    """Return rows as CSV (RFC 4180), with a header unless they go on; tags are a JSON list.

    A text that a spreadsheet would take for a formula gets a ``'`` in front.
    """
    written = io.StringIO()
    table = csv.writer(written)
    if header:
        table.writerow(columns)
    for row in rows:
        table.writerow([_cell(row[name]) for name in columns])
    return written.getvalue()


def card_values(card: SimCard | None) -> Values:
    """Return the names of a SIM card, empty where they are not known."""
    known = card or SimCard("")
    return {"iccid": known.iccid, "sim_card_group": known.group, "tags": list(known.tags)}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
