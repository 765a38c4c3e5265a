"""Bulk actions: what is asked for, what is kept of the answer, and what a request may cost."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import BulkCounts, ListedBulk
from exporter.errors import InvalidResponseError, RateLimitedError, UnavailableError
from exporter.telnyx.query import Query
from exporter.telnyx.schema import decode_bulk, decode_bulk_page

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

DOCUMENTED = {
    "id": "6a09cdc3-8948-47f0-aa62-74ac943d6c58",
    "record_type": "bulk_sim_card_action",
    "action_type": "bulk_set_public_ips",
    "settings": {},
    "sim_card_actions_summary": [
        {"status": "in-progress", "count": 4},
        {"status": "completed", "count": 3},
        {"status": "failed", "count": 2},
        {"status": "interrupted", "count": 1},
    ],
    "created_at": "2018-02-02T22:25:27.521Z",
    "updated_at": "2018-02-02T22:25:27.521Z",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["id", "action_type", "created_at", "sim_card_actions_summary"])


def bulk(**fields: object) -> ListedBulk:
    """Decode one bulk action, alone and on a page, which must agree."""
    item = {"id": "a", **fields}
    alone = decode_bulk(json.dumps({"data": item}).encode())
    assert decode_bulk_page(json.dumps({"data": [item]}).encode()).bulks == (alone,)
    return alone


def test_the_documented_one_is_read() -> None:
    """With its counts by status, interrupted included."""
    assert decode_bulk(json.dumps({"data": DOCUMENTED}).encode()) == ListedBulk(
        "6a09cdc3-8948-47f0-aa62-74ac943d6c58",
        "bulk_set_public_ips",
        1517610327.521,
        BulkCounts(4, 3, 2, 1),
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("x" * 5_000, "x" * 100), ("a\nb", "a b"), ("bulk_enable_voice", "bulk_enable_voice")],
)
def test_a_type_is_one_line_of_limited_length(sent: str, kept: str) -> None:
    """It becomes the value of a label."""
    assert bulk(action_type=sent).action_type == kept


@pytest.mark.parametrize(
    ("summary", "counts"),
    [
        pytest.param([], BulkCounts(), id="empty"),
        pytest.param(
            [{"status": "In_Progress", "count": 2}], BulkCounts(2), id="spelled otherwise"
        ),
        pytest.param(
            [{"status": {"value": "failed"}, "count": 2}], BulkCounts(failed=2), id="object"
        ),
        pytest.param({"completed": 2}, BulkCounts(completed=2), id="mapping"),
        pytest.param(
            [{"status": "parked", "count": 2}, {"status": "new", "count": 1}],
            BulkCounts(other=3),
            id="unknown statuses",
        ),
        pytest.param([{"status": "failed", "count": 1}] * 2, BulkCounts(failed=2), id="twice"),
        pytest.param(None, None, id="null"),
        pytest.param("failed", None, id="text"),
        pytest.param([{"status": "failed"}], None, id="no count"),
        pytest.param([{"status": None, "count": 3}], None, id="no status"),
        pytest.param([{"status": "failed", "count": -1}], None, id="negative"),
        pytest.param([None], None, id="null in it"),
    ],
)
def test_a_summary_is_read_or_missing(summary: object, counts: BulkCounts | None) -> None:
    """One that cannot be read whole is none: a part of it would be a wrong sum."""
    assert bulk(sim_card_actions_summary=summary).counts == counts


def test_everything_but_the_id_may_be_missing() -> None:
    """Null or not there."""
    nothing = ListedBulk("a", "", None, None)
    assert bulk() == bulk(**dict.fromkeys(DOCUMENTED, None) | {"id": "a"}) == nothing


def test_items_without_an_id_are_counted() -> None:
    """The rest of the page is kept."""
    items = [None, {"id": 7}, {"id": ""}, {"id": "a"}]
    body = {"data": items, "meta": {"total_results": 9, "page_size": 4}}
    page = decode_bulk_page(json.dumps(body).encode())
    assert [each.id for each in page.bulks] == ["a"]
    assert (page.malformed, page.length, page.total, page.page_size) == (3, 4, 9, 4)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":null}', b'{"data":{}}', b"<html>"])
def test_what_is_no_answer_is_told(body: bytes) -> None:
    """Neither a page nor a bulk action."""
    with pytest.raises(InvalidResponseError):
        decode_bulk_page(body)
    with pytest.raises(InvalidResponseError):
        decode_bulk(body)


@given(fields=st.dictionaries(FIELDS, JSON), others=st.lists(JSON, max_size=3))
def test_any_page_is_read(fields: dict[str, object], others: list[object]) -> None:
    """Whatever is in its items: none makes another error, and none is lost."""
    body = json.dumps({"data": [fields, *others]}).encode()
    assert decode_bulk_page(body).length == 1 + len(others)


async def test_the_requests_are_those_documented(desk: Desk, answer: Answer) -> None:
    """Page and size, the id in the path, the filter of members."""
    one = b'{"data":{"id":"a"}}'
    used = desk([answer(200, b'{"data":[]}'), answer(200, one), answer(200, b'{"data":[]}')])
    await used.client.bulk_actions(2, 100)
    await used.client.bulk_action("a/b")
    await used.client.bulk_members(Query(3, 1, bulk_id="b-1"))
    of_bulk = "filter%5Bbulk_sim_card_action_id%5D=b-1"
    paths = [each.url.raw_path.decode() for each in used.requests]
    assert paths == [
        "/v2/bulk_sim_card_actions?page%5Bnumber%5D=2&page%5Bsize%5D=100",
        "/v2/bulk_sim_card_actions/a%2Fb",
        f"/v2/sim_card_actions?page%5Bnumber%5D=3&page%5Bsize%5D=1&{of_bulk}",
    ]
    assert [name for name, _, _ in used.notes.done] == [
        "bulk_actions",
        "bulk_action",
        "bulk_members",
    ]


async def test_a_failure_is_not_retried(desk: Desk, answer: Answer) -> None:
    """The next poll asks again."""
    used = desk([answer(503), answer(200, b'{"data":[]}')])
    with pytest.raises(UnavailableError):
        await used.client.bulk_actions()
    assert len(used.requests) == 1


async def test_a_rate_limit_holds_for_bulk_actions_alone(desk: Desk, answer: Answer) -> None:
    """Polls and lookups of SIM cards go on; the next request for bulk actions is not sent."""
    limited = answer(429, b"", **{"retry-after": "600"})
    used = desk([limited, answer(200, b'{"data":[]}'), answer(200, b'{"data":[]}')])
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            await used.client.bulk_actions()
    await used.client.list(Query())
    await used.client.sim_cards()
    assert len(used.requests) == 3


async def test_malformed_ones_are_noted(desk: Desk, answer: Answer) -> None:
    """As actions that cannot be read."""
    used = desk([answer(200, b'{"data":[{},{"id":"a"}]}')])
    assert len((await used.client.bulk_actions()).bulks) == 1
    assert used.notes.malformed == [1]
