"""The page /actions: filters, order, paging and download."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import httpx
import pytest

from exporter.domain import BulkAction, BulkCounts, SimCard
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.snapshot import InFlightAction
from exporter.web.detail_routes import LedgerSource
from tests.views import a_problem
from tests.web.conftest import VIEW

NOW = 1_785_585_605.0


def _ids(page: str) -> list[str]:
    return re.findall(r"<code>(action-[^<]+)</code>", page)


def _headers(page: str) -> dict[str, tuple[str, str]]:
    """Return the order and the link of each column that has them, by its name."""
    found = re.findall(r'aria-sort="(\w+)"><a href="([^"]+)">(\w+)</a>', page)
    return {name: (order, unescape(link)) for order, link, name in found}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["action-3", "action-2", "action-1"]),
        ("account=default&status=&since=", ["action-3", "action-2", "action-1"]),
        ("sort=created_at", ["action-1", "action-2", "action-3"]),
        ("sort=-ended_at", ["action-3", "action-2", "action-1"]),
        ("status=in-progress", ["action-1"]),
        ("action_type=set_standby", ["action-3", "action-2"]),
        ("reason_class=other", ["action-2"]),
        ("sim_card_id=sim-1", ["action-1"]),
        ("iccid=8988", ["action-3", "action-2"]),
        ("since=10m", ["action-3", "action-2"]),
        ("until=2026-08-01T11:00:00Z", ["action-1"]),
        ("ended_since=5m&status=failed", ["action-2"]),
        ("account=one", []),
    ],
)
async def test_filters_and_order(
    operator: Any,
    client: httpx.AsyncClient,
    snapshot: Callable[..., Any],
    busy: Any,
    up: Any,
    query: str,
    ids: list[str],
) -> None:
    """The page shows what passes, and the download has the same."""
    failed, interrupted = busy.failures
    failures = (failed, replace(interrupted, created_at=NOW - 60, updated_at=NOW - 50))
    cards = {"sim-2": SimCard("sim-2", "8988")}
    operator.snapshot = snapshot((replace(busy, failures=failures, sim_cards=cards), up))
    page = (await client.get(f"/actions?{query}")).text
    assert _ids(page) == ids
    table = (await client.get(f"/actions?{query}&format=csv")).text
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["action_id"] for row in rows] == ids
    assert {row["stuck"] for row in rows if row["action_id"] == "action-1"} <= {"true"}
    if not ids:
        assert "No actions with these filters." in page


@pytest.mark.parametrize(("members", "bulk_id"), [(3, "b"), (4, "b"), (3, "other"), (4, "")])
async def test_it_says_that_members_of_a_bulk_action_are_missing(
    operator: Any,
    client: httpx.AsyncClient,
    snapshot: Callable[..., Any],
    busy: Any,
    up: Any,
    members: int,
    bulk_id: str,
) -> None:
    """And who knows them; nothing if all are known, or if the list is of all actions."""
    counts = BulkCounts(members, 0, 0)
    bulk = BulkAction("b", "bulk_set_public_ips", NOW, NOW, NOW, NOW, None, counts, members_page=0)
    operator.snapshot = snapshot((replace(busy, baseline_at=NOW - 600, bulks=(bulk,)), up))
    page = (await client.get(f"/actions?bulk_id={bulk_id}")).text
    said = "Not all members of this bulk action are known" in page
    assert said is ((members, bulk_id) in {(4, "b"), (3, "other")})


async def test_a_status_that_is_not_documented_stays_chosen(client: httpx.AsyncClient) -> None:
    """What is listed can be asked for, and the form says what was."""
    answer = await client.get("/actions?status=parked")
    assert answer.status_code == 200
    assert re.search(r"<option[^>]* selected[^>]*>parked<", answer.text)


async def test_columns_change_the_order_and_keep_the_filters(client: httpx.AsyncClient) -> None:
    """The column that orders says so, to a screen reader too, and turns the order round."""
    page = (await client.get("/actions?status=failed")).text
    assert _headers(page) == {
        "Created": ("descending", "actions?status=failed&sort=created_at"),
        "Ended": ("none", "actions?status=failed&sort=-ended_at"),
    }
    page = (await client.get("/" + _headers(page)["Ended"][1])).text
    assert _headers(page) == {
        "Created": ("none", "actions?status=failed&sort=-created_at"),
        "Ended": ("descending", "actions?status=failed&sort=ended_at"),
    }
    assert '<input type="hidden" name="sort" value="-ended_at">' in page


async def test_problems_are_ordered_by_their_column(
    operator: Any, client: httpx.AsyncClient, snapshot: Callable[..., Any], view: Any, up: Any
) -> None:
    """The oldest first, until it is turned round."""
    operator.snapshot = snapshot((view(problems=(a_problem(),)), up))
    for query, order, other in (
        ("", "ascending", "-opened_at"),
        ("?sort=-opened_at", "descending", "opened_at"),
    ):
        found = _headers((await client.get(f"/problems{query}")).text)
        assert found == {"Since": (order, f"problems?sort={other}")}


async def test_paging_goes_through_all(
    operator: Any, client: httpx.AsyncClient, snapshot: Callable[..., Any], view: Any, up: Any
) -> None:
    """In any order, with the filters, each once."""
    flights = tuple(
        InFlightAction(f"action-{number:03}", "sim", "enable", NOW - number, stuck=False)
        for number in range(250)
    )
    operator.snapshot = snapshot((view(in_flight=flights), up))
    for order in ("-created_at", "created_at", "-ended_at", "ended_at"):
        seen: list[str] = []
        link: str | None = f"actions?sort={order}&sim_card_id=sim"
        while link is not None:
            page = (await client.get("/" + link)).text
            seen += _ids(page)
            following = re.search(r'href="([^"]+)" rel="next"', page)
            link = unescape(following[1]) if following else None
        assert len(seen) == 250
        assert sorted(seen) == [each.action_id for each in flights]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=failed", "state: unknown parameter; did you mean status?"),
        ("status=stuck", "status: unknown value 'stuck'"),
        ("status=failed%00", "status: 'failed\\x00' has characters that no status has"),
        ("action_type=enable_vioce", "unknown value 'enable_vioce'; did you mean enable_voice?"),
        ("since=yesterday", "since: 'yesterday' is not a time"),
        ("sort=reason", "sort: unknown value 'reason'"),
        ("format=xml", "format: unknown value 'xml'; use csv or html"),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient, query: str, sentence: str
) -> None:
    """With what it can be."""
    answer = await client.get(f"/actions?{query}")
    assert answer.status_code == 400
    assert sentence in unescape(answer.text)


async def test_a_misspelt_type_is_refused_for_failures_too(client: httpx.AsyncClient) -> None:
    """One that nobody knows may be new."""
    answer = await client.get("/failures?action_type=enalbe")
    assert (answer.status_code, "did you mean enable?" in answer.text) == (400, True)
    assert (await client.get("/failures?action_type=bulk_enable_voice")).status_code == 200


async def test_reasons_have_the_class_of_the_present_rules(
    operator: Any, snapshot: Callable[..., Any], busy: Any, up: Any
) -> None:
    """A rule that a reload brought counts for what was seen before, too."""
    operator.snapshot = snapshot((replace(busy, problems=(a_problem(reason="Quux"),)), up))
    rules = Reasons.with_configured((Rule("quux", re.compile("Quux|script")),))
    view = replace(VIEW, classify=rules.classify, reason_classes=rules.classes)
    source = LedgerSource(lambda: view, operator.ledger)
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = (await client.get("/actions?reason_class=quux")).text
        found = (await client.get("/api/v1/problems?reason_class=quux")).json()
    assert _ids(page) == ["action-2"]
    assert [each["reason_class"] for each in found["data"]["problems"]] == ["quux"]
