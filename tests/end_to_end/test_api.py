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


def make(simulator: Any, theirs: "Telnyx") -> tuple[dict[str, Any], dict[str, set[str]]]:
    """Create actions and end most; returns the status of each, and the members of each bulk."""
    statuses: dict[str, Any] = {}
    members: dict[str, set[str]] = {}
    orders: list[dict[str, Any]] = [
        {"action_type": action_type, "count": 4 + number}
        for number, action_type in enumerate(KNOWN_ACTION_TYPES[:5])
    ]
    orders += [{"bulk": True, "count": count} for count in (14, 6)]
    for more in orders:
        ids = simulator.post("/_simulator/actions", more).json()["ids"]
        if "bulk" in more:
            known = {str(each.id) for each in theirs.bulk_sim_card_actions.list()}
            (new,) = known - members.keys()
            members[new] = {*ids}
        # A bulk action of which nothing is in progress when it is seen first is not followed.
        statuses[ids[-1]] = {"value": "in-progress", "reason": None}
        for action_id in ids[:-1]:
            number = len(statuses)
            status = ENDS[number % 3]
            reason = None if status == "completed" else REASONS[number % 2]
            ended = {"status": status, "reason": reason}
            simulator.post(f"/_simulator/actions/{action_id}", ended)
            statuses[action_id] = {"value": status, "reason": reason}
    return statuses, members


def documented(record: Rows) -> "Iterator[tuple[Filter, Rows]]":
    """Yield the filters that Telnyx documents besides that of bulks, and what they leave.

    None, each by itself, and all at once.
    """
    yield {}, record
    for status in ("in-progress", "completed", "failed"):
        yield {"status": status}, [r for r in record if value(r) == status]
    for action_type in KNOWN_ACTION_TYPES:
        left = [r for r in record if r["action_type"] == action_type]
        yield {"action_type": action_type}, left  # type: ignore[typeddict-item]
    for sim_card_id in {row["sim_card_id"] for row in record}:
        left = [r for r in record if r["sim_card_id"] == sim_card_id]
        yield {"sim_card_id": sim_card_id}, left
        left = [r for r in left if value(r) == "failed" and r["action_type"] == "set_public_ip"]
        yield (
            {"status": "failed", "action_type": "set_public_ip", "sim_card_id": sim_card_id},
            left,
        )


def further(record: Rows, iccids: dict[str, str]) -> Iterator[tuple[str, str, Rows]]:
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
    for sim_card_id, iccid in iccids.items():
        yield "filter[iccid]", iccid, [r for r in record if r["sim_card_id"] == sim_card_id]


def named(ours: "Telnyx", theirs: "Telnyx") -> dict[str, str]:
    """Return the ICCIDs of the cards of failures; each has to be named as Telnyx names it."""
    iccids = {}
    for each in ours.sim_cards.actions.list(filter={"status": "failed"}):
        row: dict[str, Any] = each.to_dict()
        card = theirs.sim_cards.retrieve(row["sim_card_id"]).data
        assert card is not None
        assert card.iccid == row["iccid"]
        assert card.tags == row["tags"]
        iccids[row["sim_card_id"]] = row["iccid"]
    return iccids


def test_the_sdk_reads_of_the_exporter_what_telnyx_says(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    client_of: "Callable[[str], Telnyx]",
) -> None:
    """With every filter, of all and of a bulk action, and in every order, page by page."""
    simulator = simulate("--sim-cards", "5", "--history", "0")
    # Lookups may take half of it, and bulk actions a quarter; then there are none for a while.
    running = export(simulator.url, poll={"interval": "2s", "audit_interval": "2s"})
    running.wait_for("baseline_taken")
    theirs, ours = client_of(simulator.url), client_of(running.url)
    statuses, members = make(simulator, theirs)
    record = listed(theirs)
    assert {row["id"]: row["status"] for row in record} == statuses
    until(lambda: sorted(record, key=str) == sorted(listed(ours), key=str))
    iccids = until(lambda: named(ours, theirs))
    of_bulks: list[tuple[Filter, set[str]]] = [
        ({"bulk_sim_card_action_id": bulk_id}, ids) for bulk_id, ids in members.items()
    ]
    until(lambda: all(len(listed(ours, filter=bulk)) == len(ids) for bulk, ids in of_bulks))
    unknown: Filter = {"bulk_sim_card_action_id": record[0]["id"]}
    of_bulks += [({}, {*statuses}), (unknown, set())]
    for bulk, ids in of_bulks:
        for each, left in documented(record):
            both: Filter = {**bulk, **each}
            wanted = in_order([row for row in left if row["id"] in ids])
            found = listed(ours, 5, filter=both)
            assert [row["id"] for row in found] == wanted, both
            assert in_order(listed(theirs, filter=both)) == wanted, both
        for name, asked, left in further(record, iccids):
            wanted = in_order([row for row in left if row["id"] in ids])
            found = listed(ours, 5, filter=bulk, extra_query={name: asked})
            assert [row["id"] for row in found] == wanted, (bulk, name)
    for sort in ORDERS:
        found = listed(ours, 7, extra_query={"sort": sort})
        assert [row["id"] for row in found] == in_order(record, sort)
    by_id = ours.sim_cards.actions.retrieve(record[0]["id"]).data
    assert described(by_id) == described(theirs.sim_cards.actions.retrieve(record[0]["id"]).data)
