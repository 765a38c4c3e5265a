"""The ledger in the shape of Telnyx's API: parameters, pages and errors."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from exporter.domain import BulkAction, BulkCounts
from exporter.errors import QueryTimeoutError, StateError
from exporter.ledger.snapshot import AccountSnapshot, InFlightAction
from exporter.web.auth import AuthMiddleware
from exporter.web.detail_routes import LedgerSource
from tests.web.conftest import NOW, VIEW

LIST = "/v2/sim_card_actions"
ID = "6a09cdc3-8948-47f0-aa62-74ac943d6c58"
BULK = "47a1c2b0-cc7b-4ab1-bb98-b33fb0fc61b9"


@pytest.fixture
def show(
    operator: Any, snapshot: Callable[..., Any], busy: AccountSnapshot, up: Any
) -> Callable[..., None]:
    """Give what shows an account that has its baseline, with further changes."""

    def changed(**changes: Any) -> None:
        operator.snapshot = snapshot((replace(busy, baseline_at=NOW - 600, **changes), up))

    return changed


async def ids(client: httpx.AsyncClient, query: str) -> list[str]:
    """Return the ids of a page."""
    answer = await client.get(f"{LIST}?{query}")
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


async def test_an_item_is_as_telnyx_has_it_and_more(client: httpx.AsyncClient) -> None:
    """What is not known is null, or empty where it names a SIM card."""
    answer = await client.get(f"{LIST}/action-1")
    assert answer.json() == {
        "data": {
            "id": "action-1",
            "record_type": "sim_card_action",
            "sim_card_id": "sim-1",
            "action_type": "enable",
            "status": {"value": "in-progress", "reason": None},
            "settings": None,
            "created_at": "2026-08-01T10:36:45.000Z",
            "updated_at": None,
            "ended_at": None,
            "account": "default",
            "reason_class": "none",
            "iccid": "",
            "sim_card_group": "",
            "tags": [],
        }
    }


async def test_a_list_has_pages_by_number_and_by_position(
    client: httpx.AsyncClient, show: Callable[..., None]
) -> None:
    """The totals are of what is listed: with a position, of what follows it."""
    show()
    account = f"{LIST}?filter[account]=default"
    whole = (await client.get(account)).json()
    assert [row["id"] for row in whole["data"]] == ["action-2", "action-1", "action-3"]
    assert whole["meta"] == {
        "page_number": 1,
        "page_size": 20,
        "total_results": 3,
        "total_pages": 1,
        "complete_since": "2026-08-01T11:50:05.000Z",
        "next": None,
    }
    first = (await client.get(f"{account}&page[size]=1")).json()
    assert (first["meta"]["total_pages"], first["meta"]["page_number"]) == (3, 1)
    assert await ids(client, "page[size]=1&page[number]=3") == ["action-3"]
    assert await ids(client, "page[size]=1&page[number]=4") == []
    after = f"page[size]=1&page[after]={first['meta']['next']}"
    rest = (await client.get(f"{account}&{after}")).json()
    assert [row["id"] for row in rest["data"]] == ["action-1"]
    assert rest["meta"]["total_results"] == 2
    assert await ids(client, f"{after}&page[number]=2") == ["action-3"]


async def test_there_is_no_total_before_the_baseline_of_each_account(
    client: httpx.AsyncClient, show: Callable[..., None]
) -> None:
    """What is known by then is a part: two of the accounts have none yet."""
    show()
    meta = (await client.get(f"{LIST}?page[size]=2")).json()["meta"]
    assert meta.pop("next")
    assert meta == {"page_number": 1, "page_size": 2, "complete_since": None}


@pytest.mark.parametrize(
    ("bulk_id", "members", "members_page", "total"),
    [
        (BULK, 3, 0, 3),
        (BULK.upper(), 3, 0, 3),
        (BULK, 4, 0, None),
        (BULK, 3, 2, None),
        (ID, 3, 0, None),
    ],
)
async def test_the_total_of_a_bulk_action_is_that_of_all_its_members(
    client: httpx.AsyncClient,
    show: Callable[..., None],
    bulk_id: str,
    members: int,
    members_page: int,
    total: int | None,
) -> None:
    """Absent if some are not known; other accounts do not count, though they have no baseline."""
    counts = BulkCounts(members, 0, 0)
    bulk = BulkAction(
        BULK, "bulk_set_public_ips", NOW, NOW, NOW, NOW, None, counts, members_page=members_page
    )
    show(bulks=(bulk,))
    query = f"filter[bulk_sim_card_action_id]={bulk_id}"
    answer = (await client.get(f"{LIST}?{query}")).json()
    assert len(answer["data"]) == (0 if bulk_id == ID else 3)
    assert answer["meta"].get("total_results") == total
    assert ("total_pages" in answer["meta"]) is (total is not None)
    assert (answer["meta"]["complete_since"] is None) is (total is None)
    assert "total_is_capped" not in answer["meta"]


async def test_ids_may_be_in_upper_case(
    client: httpx.AsyncClient, show: Callable[..., None]
) -> None:
    """They are found in lower case, as Telnyx writes them."""
    show(in_flight=(InFlightAction(ID, BULK, "enable", NOW, stuck=False),))
    assert await ids(client, f"filter[sim_card_id]={BULK.upper()}") == [ID]
    answer = await client.get(f"{LIST}/{ID.upper()}")
    assert answer.json()["data"]["id"] == ID


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[status]=interrupted", ["action-3"]),
        ("filter[status]=failed&filter[action_type]=set_standby", ["action-2"]),
        ("filter[action_type]=unheard_of", []),
        ("filter[status]=parked", []),
        ("filter[status]=(gone)", []),
        ("filter[action_type]=set_standby_v2", []),
        (f"filter[sim_card_id]={ID}", []),
        ("filter[reason_class]=other", ["action-2"]),
        ("filter[reason_class]=none", ["action-1", "action-3"]),
        ("filter[created_at][gte]=2026-08-01T11:00:00Z", ["action-2"]),
        ("filter[created_at][lt]=2h", ["action-3"]),
        ("filter[ended_at][gte]=1h", ["action-2"]),
        ("sort=created_at", ["action-3", "action-1", "action-2"]),
        ("filter%5Baccount%5D=one", []),
    ],
)
async def test_filters(client: httpx.AsyncClient, query: str, found: list[str]) -> None:
    """Those of Telnyx's API and further ones, also with the brackets escaped."""
    assert await ids(client, query) == found


@pytest.mark.parametrize(
    ("query", "parameter", "text"),
    [
        ("filter[status]=fialed", "filter[status]", "did you mean failed?"),
        ("filter[status]=failed,completed", "filter[status]", "no status has"),
        ("filter[status]=failed%00", "filter[status]", r"'failed\x00' has characters"),
        ("filter[action_type]=enable,disable", "filter[action_type]", "no action type has"),
        ("filter[action_type]=enalbe", "filter[action_type]", "did you mean enable?"),
        ("filter[sim_card_id]=sim-1", "filter[sim_card_id]", "must be a UUID"),
        (f"filter[sim_card_id]={ID}%0A", "filter[sim_card_id]", "must be a UUID"),
        (
            "filter[bulk_sim_card_action_id]=x",
            "filter[bulk_sim_card_action_id]",
            "must be a UUID",
        ),
        ("filter[account]=x", "filter[account]", "use one of default, one, two"),
        ("filter[reason_class]=x", "filter[reason_class]", "unknown value 'x'"),
        ("filter[created_at][gte]=yesterday", "filter[created_at][gte]", "is not a time"),
        ("filter[ended_at][lt]=2026-13-01", "filter[ended_at][lt]", "is not a time"),
        ("sort=id", "sort", "unknown value 'id'"),
        ("page[number]=0", "page[number]", "a whole number from 1"),
        ("page[size]=251", "page[size]", "from 1 to 250"),
        ("page[size]=9999999999999999", "page[size]", "from 1 to 250"),
        ("page[after]=xyz", "page[after]", "is not a position"),
        ("filter[stat]=failed", "filter[stat]", "unknown parameter"),
        ("filter[status]=", "filter[status]", "is empty"),
        ("sort=created_at&sort=created_at", "sort", "more than once"),
        ("filter[bulk_sim_card_action_id]=", "filter[bulk_sim_card_action_id]", "is empty"),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient, query: str, parameter: str, text: str
) -> None:
    """422, as Telnyx answers; nothing is ignored, as a list that is not filtered misleads."""
    answer = await client.get(f"{LIST}?{query}")
    (error,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert error["source"] == {"parameter": parameter}
    assert text in error["detail"]


async def test_a_position_belongs_to_its_order(client: httpx.AsyncClient) -> None:
    """In another order it would stand anywhere."""
    after = (await client.get(f"{LIST}?page[size]=1")).json()["meta"]["next"]
    answer = await client.get(f"{LIST}?sort=ended_at&page[after]={after}")
    assert answer.json()["errors"][0]["source"] == {"parameter": "page[after]"}


@pytest.mark.parametrize(
    "path",
    [f"{LIST}/nothing", f"{LIST}/action-1?filter[account]=one", "/v2/sim_cards", "/v2/", "/v2"],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    """In the shape of Telnyx's errors."""
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "10005")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [LIST, f"{LIST}/action-1"])
async def test_the_ledger_is_only_read(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Other methods are refused in the same shape, with those that are taken."""
    answer = await client.request(method, path)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, "use GET" in error["detail"]) == (405, True)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("prefix", ["", "/a"])
async def test_what_is_off_is_told_in_the_same_shape(operator: Any, prefix: str) -> None:
    """With the setting that turned it off."""
    transport = httpx.ASGITransport(operator.app(ledger=None, prefix=prefix))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in (LIST, f"{LIST}/x", "/v2"):
            answer = await client.get(prefix + path)
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["code"]) == (404, "10005")
            assert error["detail"].startswith("web.details is false")


async def test_a_defect_is_told_in_the_same_shape(operator: Any) -> None:
    """Without what it is: that is for the log."""

    class Broken:
        def actions(self, *_: object) -> Any:
            raise ZeroDivisionError("a secret")

    source: Any = LedgerSource(lambda: VIEW, Broken())  # type: ignore[arg-type]
    transport = httpx.ASGITransport(operator.app(ledger=source), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(LIST)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "10007")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("error", "status", "again"),
    [
        (QueryTimeoutError("the query takes longer than 2 s; narrow the filters"), 504, "false"),
        (StateError("state database x: database is locked"), 503, None),
    ],
)
async def test_a_ledger_that_cannot_be_read(
    operator: Any, error: StateError, status: int, again: str | None
) -> None:
    """The SDK is told not to ask again for what would take as long then."""

    class Refusing:
        def actions(self, *_: object) -> Any:
            raise error

    source: Any = LedgerSource(lambda: VIEW, Refusing())  # type: ignore[arg-type]
    transport = httpx.ASGITransport(operator.app(ledger=source))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(LIST)
    assert answer.json()["errors"][0]["detail"] == str(error)
    assert (answer.status_code, answer.headers.get("x-should-retry")) == (status, again)


async def test_without_a_password_it_refuses_as_telnyx_does(
    operator: Any, web_file: Any, hashed: Any
) -> None:
    """Other paths say so in words."""
    settings = web_file.reloader(f"basic_auth_users: {{jo: {hashed('secret')}}}\n")
    transport = httpx.ASGITransport(AuthMiddleware(operator.app(), settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(LIST, headers={"Authorization": "Bearer KEY"})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "10009")
        assert (await client.get("/v2")).json()["errors"][0]["code"] == "10009"
        assert (await client.get("/metrics")).text == "Unauthorized\n"
        assert (await client.get(LIST, auth=("jo", "secret"))).status_code == 200
