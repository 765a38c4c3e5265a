"""The official SDK, pointed at a real exporter, lists what the simulator says that happened."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain import KNOWN_ACTION_TYPES
from tests.support.loopback import NO_TLS

if TYPE_CHECKING:
    from telnyx import Telnyx
    from telnyx.types.sim_cards.action_list_params import Filter

Rows = list[dict[str, Any]]

ENDS = ("completed", "failed", "interrupted")
REASONS = ("SIM card is blocked by the operator.", "Network unreachable.")
ORDERS = ("-created_at", "created_at", "-ended_at", "ended_at")


@pytest.fixture
def client_of() -> "Iterator[Callable[[str], Telnyx]]":
    """Give a maker of clients of the API at a URL; all are closed in the end."""
    # It takes more than a second, in each process that collects tests.
    from telnyx import DefaultHttpxClient, Telnyx  # noqa: PLC0415

    clients: list[DefaultHttpxClient] = []

    def make(url: str) -> Telnyx:
        clients.append(DefaultHttpxClient(trust_env=False, verify=NO_TLS))
        return Telnyx(
            api_key="KEY-simulated", base_url=f"{url}/v2", max_retries=0, http_client=clients[-1]
        )

    yield make
    for client in clients:
        client.close()


def described(action: Any) -> dict[str, Any]:
    """Return an action as Telnyx's API gives it."""
    names = ("id", "record_type", "sim_card_id", "action_type", "settings")
    status = {"value": action.status.value, "reason": action.status.reason}
    times = {"created_at": action.created_at, "updated_at": action.updated_at}
    return {name: getattr(action, name) for name in names} | times | {"status": status}


def listed(client: "Telnyx", size: int = 250, **more: Any) -> Rows:
    """List by pages to the end."""
    return [described(row) for row in client.sim_cards.actions.list(page_size=size, **more)]


def value(row: dict[str, Any]) -> str:
    """Return the status of an action."""
    return str(row["status"]["value"])


def in_order(rows: Rows, sort: str = "-created_at") -> list[str]:
    """Return the ids in an order; what is in progress ends before all that ended."""

    def place(row: dict[str, Any]) -> tuple[float, str]:
        by_end = sort.endswith("ended_at")
        at = datetime.fromisoformat(row["updated_at" if by_end else "created_at"]).timestamp()
        return -1e15 if by_end and value(row) not in ENDS else at, row["id"]

    return [row["id"] for row in sorted(rows, key=place, reverse=sort.startswith("-"))]


def documented(record: Rows) -> "Iterator[Filter]":
    """Yield filters that Telnyx documents, each by itself and all at once."""
    for status in ("in-progress", "completed", "failed"):
        yield {"status": status}
    for action_type in KNOWN_ACTION_TYPES:
        yield {"action_type": action_type}  # type: ignore[typeddict-item]
    for sim_card_id in {row["sim_card_id"] for row in record}:
        yield {"sim_card_id": sim_card_id}
    failed = next(row for row in record if value(row) == "failed")
    yield {
        "status": "failed",
        "action_type": failed["action_type"],
        "sim_card_id": failed["sim_card_id"],
    }


def further(record: Rows) -> Iterator[tuple[str, str, Rows]]:
    """Yield filters that only the exporter has, and what they leave."""
    ended = [row for row in record if value(row) in ENDS]
    created, end = record[10]["created_at"], ended[10]["updated_at"]
    yield "filter[status]", "interrupted", [r for r in record if value(r) == "interrupted"]
    network = [r for r in record if r["status"]["reason"] == REASONS[1]]
    yield "filter[reason_class]", "network", network
    yield "filter[account]", "default", record
    yield "filter[created_at][gte]", created, [r for r in record if r["created_at"] >= created]
    yield "filter[created_at][lt]", created, [r for r in record if r["created_at"] < created]
    yield "filter[ended_at][gte]", end, [r for r in ended if r["updated_at"] >= end]
    yield "filter[ended_at][lt]", end, [r for r in ended if r["updated_at"] < end]


def test_the_sdk_reads_of_the_exporter_what_telnyx_says(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    client_of: "Callable[[str], Telnyx]",
) -> None:
    """With every filter and in every order, page by page."""
    simulator = simulate("--sim-cards", "5", "--history", "0")
    running = export(simulator.url)
    running.wait_for("baseline_taken")
    theirs, ours = client_of(simulator.url), client_of(running.url)
    ids: list[str] = []
    for number, action_type in enumerate(KNOWN_ACTION_TYPES[:5]):
        more = {"action_type": action_type, "count": 4 + number}
        ids += simulator.post("/_simulator/actions", more).json()["ids"]
    for number, action_id in enumerate(ids[:-2]):
        status = ENDS[number % 3]
        reason = None if status == "completed" else REASONS[number % 2]
        ended = {"status": status, "reason": reason}
        simulator.post(f"/_simulator/actions/{action_id}", ended)
    record = listed(theirs)
    until(
        lambda: (
            in_order(record) == in_order(listed(ours))
            and sorted(record, key=str) == sorted(listed(ours), key=str)
        )
    )
    assert len(record) == len(ids)
    for each in documented(record):
        wanted = listed(theirs, filter=each)
        assert [row["id"] for row in listed(ours, 3, filter=each)] == in_order(wanted), each
    for name, asked, wanted in further(record):
        found = listed(ours, 4, extra_query={name: asked})
        assert [row["id"] for row in found] == in_order(wanted), name
    for sort in ORDERS:
        found = listed(ours, 7, extra_query={"sort": sort})
        assert [row["id"] for row in found] == in_order(record, sort)
    by_id = ours.sim_cards.actions.retrieve(ids[0]).data
    assert described(by_id) == described(theirs.sim_cards.actions.retrieve(ids[0]).data)
    assert until(lambda: named(running, theirs))


def named(running: Any, theirs: "Telnyx") -> bool:
    """Tell whether the cards of failures are named, each as Telnyx does, and found by that."""
    failures = running.get("/v2/sim_card_actions?filter[status]=failed").json()["data"]
    for row in failures:
        if not row["iccid"]:
            return False
        card = theirs.sim_cards.retrieve(row["sim_card_id"]).data
        assert card is not None
        assert card.iccid == row["iccid"]
        assert card.tags == row["tags"]
        path = f"/v2/sim_card_actions?filter[iccid]={row['iccid']}"
        found = running.get(path).json()["data"]
        assert row["id"] in {each["id"] for each in found}
        assert {each["sim_card_id"] for each in found} == {card.id}
    return bool(failures)
