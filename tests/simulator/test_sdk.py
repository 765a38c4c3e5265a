"""The official SDK as an independent client, over real HTTP on loopback."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.simulator.actions import ActionFilter
from exporter.simulator.faults import BulkSummary, Fault
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.simulation import QUIET, ManualClock

if TYPE_CHECKING:
    from telnyx import Telnyx
    from telnyx.types.sim_cards import action_list_params

STATUSES = ("in-progress", "completed", "failed")


@pytest.fixture
def account(clock: ManualClock) -> Simulator:
    """Return an account with a history, single actions and a bulk, standing still."""
    simulator = Simulator(SimulatorSettings(world=replace(QUIET, history=600, sim_cards=9)), clock)
    ids = simulator.world.create(60)
    simulator.world.create(40, bulk=True)
    for each, status in zip(ids, list(Status)[1:] * 15, strict=False):
        simulator.world.finish(each, status, "Because.")
    return simulator


@pytest.mark.parametrize("size", [20, 250])
def test_it_pages_through_everything(sdk: "Telnyx", account: Simulator, size: int) -> None:
    """Paging to the end gives each action once, as many as the total says."""
    listed = [each.id for each in sdk.sim_cards.actions.list(page_size=size)]
    assert len(listed) == len(set(listed)) == account.world.total(ActionFilter()) == 700
    meta = sdk.sim_cards.actions.list(page_size=size).meta
    assert meta is not None
    assert (meta.total_pages, meta.page_number) == (-(-700 // size), 1)
    assert len(account.requests) == -(-700 // size) + 1


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        *(({"status": each}, ActionFilter(status=Status(each))) for each in STATUSES),
        *(({"action_type": each}, ActionFilter(action_type=each)) for each in KNOWN_ACTION_TYPES),
    ],
    ids=[*STATUSES, *KNOWN_ACTION_TYPES],
)
def test_it_filters(
    sdk: "Telnyx", account: Simulator, wanted: "action_list_params.Filter", shown: ActionFilter
) -> None:
    """Each documented status and type can be asked for: all that have it are listed, no others."""
    listed = [each.id for each in sdk.sim_cards.actions.list(filter=wanted, page_size=250)]
    actions = [account.world.get(each) for each in listed if each is not None]
    assert all(each is not None and shown.matches(each) for each in actions)
    assert len(set(listed)) == account.world.total(shown) > 0


@pytest.mark.parametrize(
    ("faults", "read"),
    [
        pytest.param({"totals_short": 100}, 600, id="short"),
        pytest.param({"totals_cap": 300}, 300, id="cap"),
        pytest.param({"totals_zero": 1.0}, 50, id="zero"),
        pytest.param({"totals_lag": 60.0}, 600, id="lag"),
        pytest.param({"totals_missing": 1.0}, 700, id="missing"),
        pytest.param({"page_depth": 300, "deep_page": "empty"}, 300, id="deep and empty"),
        pytest.param({"page_depth": 300, "deep_page": "repeat"}, 700, id="deep and repeated"),
    ],
)
def test_it_believes_the_totals(
    sdk: "Telnyx", account: Simulator, faults: dict[str, object], read: int
) -> None:
    """It reads as many pages as the totals say, or as come; without totals, all there are."""
    account.faults.settings = account.faults.settings.changed(**faults)
    assert sum(1 for _ in sdk.sim_cards.actions.list(page_size=50)) == read


@pytest.mark.parametrize(
    ("deep", "error"),
    [("unprocessable", "UnprocessableEntityError"), ("bad_request", "BadRequestError")],
)
def test_it_is_refused_a_deep_page(
    sdk: "Telnyx", errors: Any, account: Simulator, deep: str, error: str
) -> None:
    """It reads up to the depth and then raises its own error for the refusal."""
    account.faults.settings = account.faults.settings.changed(page_depth=300, deep_page=deep)
    listed = []
    with pytest.raises(getattr(errors, error)) as caught:
        listed += [each.id for each in sdk.sim_cards.actions.list(page_size=100, page_number=3)]
    assert "page[number]" in str(caught.value)
    assert account.served == 2


def test_it_filters_by_sim_card(sdk: "Telnyx") -> None:
    """The SIM cards of the account share out its actions."""
    counts = []
    for card in sdk.sim_cards.list():
        assert card.id is not None
        listed = list(sdk.sim_cards.actions.list(filter={"sim_card_id": card.id}, page_size=250))
        assert {each.sim_card_id for each in listed} == {card.id}
        counts.append(len(listed))
    assert (len(counts), sum(counts)) == (9, 700)


def test_it_filters_by_bulk(sdk: "Telnyx") -> None:
    """A bulk is listed, read by its id, and its actions are found by it."""
    (bulk,) = sdk.bulk_sim_card_actions.list()
    assert bulk.id is not None
    listed = list(sdk.sim_cards.actions.list(filter={"bulk_sim_card_action_id": bulk.id}))
    assert len(listed) == 40
    assert len({each.created_at for each in listed}) == 1
    assert sdk.bulk_sim_card_actions.retrieve(bulk.id).data == bulk


def test_it_reads_one_action(sdk: "Telnyx") -> None:
    """Each listed action, interrupted ones and those of the history too, is read by its id."""
    seen = {each.status.value: each for each in sdk.sim_cards.actions.list() if each.status}
    assert set(seen) == {"in-progress", "completed", "failed", "interrupted"}
    for each in seen.values():
        assert each.id is not None
        assert sdk.sim_cards.actions.retrieve(each.id).data == each


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (Fault.UNAUTHORIZED, "AuthenticationError", "10009"),
        (Fault.FORBIDDEN, "PermissionDeniedError", "10010"),
        (Fault.THROTTLED, "RateLimitError", "10011"),
    ],
)
def test_an_error_is_of_its_class(
    sdk: "Telnyx",
    errors: Any,
    account: Simulator,
    fault: Fault,
    error: str,
    code: str,
) -> None:
    """Each kind of refusal raises the SDK's own error for it."""
    account.faults.script(fault)
    with pytest.raises(getattr(errors, error)) as caught:
        sdk.sim_cards.actions.list()
    assert f"'code': '{code}'" in str(caught.value)


def test_three_server_errors_are_server_errors(
    sdk: "Telnyx", errors: Any, account: Simulator
) -> None:
    """Whichever 5xx comes, it is an InternalServerError."""
    account.faults.script(*[Fault.SERVER_ERROR] * 3)
    for _ in range(3):
        with pytest.raises(errors.InternalServerError):
            sdk.sim_cards.actions.list()


def test_a_wrong_key_is_an_authentication_error(sdk: "Telnyx", errors: Any) -> None:
    """A client with another key is not let in."""
    with pytest.raises(errors.AuthenticationError):
        sdk.with_options(api_key="KEY-wrong").sim_cards.actions.list()


def test_an_unknown_action_is_not_found(sdk: "Telnyx", errors: Any) -> None:
    """An id that nothing has raises NotFoundError."""
    with pytest.raises(errors.NotFoundError):
        sdk.sim_cards.actions.retrieve("6a09cdc3-8948-47f0-aa62-74ac943d6c58")


def test_a_bad_parameter_is_unprocessable(sdk: "Telnyx", errors: Any) -> None:
    """A page that is too large raises UnprocessableEntityError."""
    with pytest.raises(errors.UnprocessableEntityError):
        sdk.sim_cards.actions.list(page_size=251)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SILENCE])
def test_a_broken_connection_is_a_connection_error(
    sdk: "Telnyx", errors: Any, account: Simulator, fault: Fault
) -> None:
    """Resets and silence raise the SDK's APIConnectionError or its time-out."""
    account.faults.script(fault)
    with pytest.raises(errors.APIConnectionError):
        sdk.with_options(timeout=0.2).sim_cards.actions.list()


@pytest.mark.parametrize("summary", list(BulkSummary))
def test_it_reads_bulk_actions_and_their_members(
    sdk: "Telnyx", account: Simulator, summary: BulkSummary
) -> None:
    """In a list and by id, with the summary where there is one; the members by a filter."""
    account.faults.settings = account.faults.settings.changed(bulk_summary=summary)
    (bulk,) = sdk.bulk_sim_card_actions.list()
    assert bulk.id is not None
    assert bulk.action_type == "bulk_set_public_ips"
    one = sdk.bulk_sim_card_actions.retrieve(bulk.id).data
    assert one is not None
    counts = {"in-progress": 40, "completed": 0, "failed": 0, "interrupted": 0}
    for each, places in ((bulk, ("list",)), (one, ("list", "object"))):
        found = {part.status: part.count for part in each.sim_card_actions_summary or ()}
        assert found == (counts if summary in places else {})
    members = sdk.sim_cards.actions.list(filter={"bulk_sim_card_action_id": bulk.id}, page_size=25)
    ids = [each.id for each in members]
    assert len(ids) == len(set(ids)) == 40
    first = account.world.bulks[0]
    assert set(ids) == {each.id for each in account.world.actions_of(first)}
