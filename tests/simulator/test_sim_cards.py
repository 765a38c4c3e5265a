"""SIM cards and groups of the simulated account, as the API shows them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.faults import FaultSettings
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.sim_cards import GROUPS, check_digit, iccid
from exporter.simulator.simulator import Simulator
from exporter.simulator.world import World
from tests.support.simulation import QUIET, InProcessTransport, ManualClock

if TYPE_CHECKING:
    from telnyx import Telnyx
    from telnyx.types import sim_card_list_params

Get = Callable[..., Awaitable[httpx.Response]]

COUNT = 300


@pytest.fixture
def account(clock: ManualClock) -> Simulator:
    """Return an account with SIM cards in which nothing happens by itself."""
    return Simulator(SimulatorSettings(world=replace(QUIET, sim_cards=COUNT)), clock)


def _luhn_sum(digits: str) -> int:
    doubled = [2 * int(each) for each in digits[-2::-2]]
    return sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)


def test_a_check_digit_is_that_of_luhn() -> None:
    """The textbook's number, and every ICCID: 19 or 20 digits, each once."""
    assert check_digit("7992739871") == "3"
    iccids = [iccid(number) for number in range(20_000)]
    assert len(set(iccids)) == len(iccids)
    assert {len(each) for each in iccids} == {19, 20}
    assert {_luhn_sum(each) % 10 for each in iccids} == {0}
    assert all(each.startswith("89") and each.isdigit() for each in iccids)


def test_the_sdk_lists_each_card_once(sdk: "Telnyx") -> None:
    """Paging to the end gives each SIM card once, some without a group, some without tags."""
    cards = list(sdk.sim_cards.list(page_size=100))
    assert len({each.id for each in cards}) == len({each.iccid for each in cards}) == COUNT
    assert {bool(each.tags) for each in cards} == {True, False}
    assert {bool(each.sim_card_group_id) for each in cards} == {True, False}
    assert {each.type for each in cards} == {"physical", "esim"}
    assert {each.status.value for each in cards if each.status} == {
        "enabled",
        "disabled",
        "standby",
    }


def test_the_sdk_reads_one_card_with_its_group(
    sdk: "Telnyx", errors: Any, account: Simulator
) -> None:
    """By its id a SIM card is what the list shows, with the group where it is asked for."""
    card_id = account.world.sim_cards.card(2).id
    bare = sdk.sim_cards.retrieve(card_id).data
    card = sdk.sim_cards.retrieve(card_id, include_sim_card_group=True).data
    assert card is not None
    assert bare is not None
    group: Any = card.sim_card_group  # type: ignore[attr-defined] # the SDK keeps what it does not declare
    assert (group["id"], group["name"]) == (card.sim_card_group_id, GROUPS[2])
    assert not hasattr(bare, "sim_card_group")
    assert card.iccid == iccid(2)
    with pytest.raises(errors.NotFoundError):
        sdk.sim_cards.retrieve("6a09cdc3-8948-47f0-aa62-74ac943d6c58")


def test_personal_fields_come_unasked(sdk: "Telnyx", account: Simulator) -> None:
    """As from the API: all but PIN and PUK, which have to be asked for."""
    card_id = account.world.sim_cards.card(0).id
    card = sdk.sim_cards.retrieve(card_id).data
    asked = sdk.sim_cards.retrieve(card_id, include_pin_puk_codes=True).data
    assert card is not None
    assert asked is not None
    assert all((card.imsi, card.msisdn, card.current_imei, card.ipv4, card.ipv6))
    assert card.current_device_location is not None
    assert card.pin_puk_codes is None
    assert asked.pin_puk_codes is not None
    assert asked.pin_puk_codes.pin1


def test_the_sdk_reads_groups(sdk: "Telnyx") -> None:
    """A group says how many SIM cards it has, which are those that the filter finds."""
    groups = list(sdk.sim_card_groups.list())
    assert [each.name for each in groups] == list(GROUPS)
    for group in groups:
        assert group.id is not None
        listed = list(sdk.sim_cards.list(filter_sim_card_group_id=group.id, page_size=250))
        assert {each.sim_card_group_id for each in listed} == {group.id}
        assert listed
        assert len(listed) == group.sim_card_count
        one = sdk.sim_card_groups.retrieve(group.id).data
        assert (one.name if one else None) == group.name
    assert [each.name for each in sdk.sim_card_groups.list(filter_name="met")] == ["Smart meters"]


def test_the_sdk_filters(sdk: "Telnyx") -> None:
    """Part of an ICCID, any of the statuses, all of the tags."""
    cards = list(sdk.sim_cards.list(page_size=250))
    part = (cards[7].iccid or "")[5:12]
    tags = next(each.tags for each in cards if len(each.tags or ()) == 2) or []

    def ids(**wanted: Any) -> set[str | None]:
        found = sdk.sim_cards.list(
            filter=cast("sim_card_list_params.Filter", wanted), page_size=250
        )
        return {each.id for each in found}

    assert ids(iccid=part) == {each.id for each in cards if part in (each.iccid or "")} != set()
    assert ids(tags=tags) == {each.id for each in cards if set(tags) <= set(each.tags or ())}
    statuses = ["disabled", "standby"]
    assert ids(status=statuses) == {
        each.id for each in cards if each.status and each.status.value in statuses
    }
    assert ids(tags=["nobody"]) == set()


@pytest.mark.parametrize(
    "query",
    [
        "filter[status][]=enabled&filter[status][]=standby",
        "filter[status]=enabled&filter[status]=standby",
        "filter[status]=enabled,standby",
    ],
)
async def test_several_statuses_may_be_written_in_some_ways(
    account: Simulator, get: Get, query: str
) -> None:
    """Repeated, with or without brackets, or separated by commas, they mean the same."""
    async with httpx.AsyncClient(
        transport=InProcessTransport(account),
        headers={"authorization": f"Bearer {account.key}"},
    ) as client:
        some = await client.get(f"http://simulator/v2/sim_cards?{query}")
    rest = await get(account, "sim_cards", **{"filter[status]": "disabled"})
    found = [each.json()["meta"]["total_results"] for each in (some, rest)]
    assert sum(found) == COUNT
    assert min(found) > 0


async def test_each_sim_card_of_an_action_exists(account: Simulator, get: Get) -> None:
    """What an action shows can be asked for by its id."""
    account.world.create(20)
    for action in (await get(account, "sim_card_actions")).json()["data"]:
        answer = await get(account, f"sim_cards/{action['sim_card_id']}")
        assert answer.json()["data"]["id"] == action["sim_card_id"]


async def test_a_status_follows_from_the_latest_action(account: Simulator, get: Get) -> None:
    """While an action runs and when it has ended, its SIM card says so."""
    card = next(each for each in account.world.sim_cards if each.resting_status == "enabled")

    async def status() -> str:
        shown = (await get(account, f"sim_cards/{card.id}")).json()["data"]["status"]["value"]
        return str(shown)

    (first,) = account.world.create(action_type="disable", sim_card_id=card.id)
    assert await status() == "disabling"
    account.world.finish(first, Status.FAILED, "The data limit was exceeded.")
    assert await status() == "data_limit_exceeded"
    (second,) = account.world.create(action_type="set_standby", sim_card_id=card.id)
    account.world.finish(second, Status.COMPLETED)
    assert await status() == "standby"
    account.world.create(action_type="set_public_ip", sim_card_id=card.id)
    assert await status() == "standby"


async def test_a_deleted_card_is_not_listed(account: Simulator, get: Get) -> None:
    """Pages, totals and groups go on without it, and its id is 404."""
    cards = account.world.sim_cards
    gone = [cards.card(number).id for number in (0, 1, 5, 299)]
    for each in gone:
        account.world.delete_sim_card(each)
    assert [(await get(account, f"sim_cards/{each}")).status_code for each in gone] == [404] * 4
    listed: list[str] = []
    for number in range(1, 7):
        page = await get(account, "sim_cards", **{"page[number]": number, "page[size]": 50})
        assert page.json()["meta"]["total_results"] == COUNT - 4
        listed += [each["id"] for each in page.json()["data"]]
    assert listed == [
        cards.card(number).id for number in range(COUNT) if number not in {0, 1, 5, 299}
    ]
    assert sum(cards.group_size(number) for number in range(len(GROUPS))) == sum(
        each.group_number is not None for each in cards
    )


def test_sim_cards_can_be_forbidden_alone(sdk: "Telnyx", errors: Any, account: Simulator) -> None:
    """A key that may not read SIM cards reads actions all the same."""
    account.faults.settings = FaultSettings(sim_cards_forbidden=1.0)
    for request in (sdk.sim_cards.list, sdk.sim_card_groups.list):
        with pytest.raises(errors.PermissionDeniedError):
            request()
    assert list(sdk.sim_cards.actions.list()) == []


async def test_sim_cards_can_fail_alone(account: Simulator, get: Get) -> None:
    """The endpoints of SIM cards can be down while those of actions answer."""
    account.faults.settings = FaultSettings(sim_cards_error=1.0)
    card_id = account.world.sim_cards.card(0).id
    for path in ("sim_cards", f"sim_cards/{card_id}", "sim_card_groups"):
        assert (await get(account, path)).status_code in {500, 502, 503}
    assert (await get(account, "sim_card_actions")).status_code == 200


async def test_ten_million_cards_are_no_table(clock: ManualClock, get: Get) -> None:
    """The last page of a very long list is computed like the first."""
    simulator = Simulator(SimulatorSettings(world=replace(QUIET, sim_cards=10**9)), clock)
    page = await get(simulator, "sim_cards", **{"page[number]": 10**9 // 250, "page[size]": 250})
    last = page.json()["data"][-1]
    assert last["id"] == simulator.world.sim_cards.card(10**9 - 1).id
    assert page.json()["meta"]["total_pages"] == 10**9 // 250


def _run(**options: Any) -> World:
    """Return a world that ran for an hour with many failures, and then came to rest."""
    settings = replace(
        QUIET, rate=0.5, duration=5.0, failed=0.3, interrupted=0.0, stuck=0.0, sim_cards=100_000
    )
    world = World(replace(settings, **options), 1_700_000_000.0)
    world.advance(world.now + 3600)
    return world


def test_failed_actions_are_retried_on_the_same_card() -> None:
    """With retries most SIM cards that failed are mended; without, hardly any."""
    retried, alone = _run(retried=1.0, retried_after=30.0), _run()
    mended = sum(retried.record().problems.mended.values())
    opened = sum(retried.record().problems.opened.values())
    assert 0.9 * opened < mended < opened
    assert sum(alone.record().problems.mended.values()) < 0.1 * opened


def test_retries_stop_with_the_arrivals() -> None:
    """After a pause nothing new begins."""
    world = _run(retried=1.0)
    world.pause()
    created = sum(world.record().created.values())
    world.advance(world.now + 3600)
    assert sum(world.record().created.values()) == created


def test_some_cards_of_the_first_bulk_stay_broken() -> None:
    """They fail for certain and are not retried; later bulk actions are like any other."""
    world = _run(rate=0.0, failed=0.0, bulk_every=600.0, bulk_size=20, bulk_failures=5, retried=1.0)
    assert len(world.bulks) == 6
    failed = [
        [each.status for each in world.actions_of(bulk)].count(Status.FAILED)
        for bulk in world.bulks
    ]
    assert failed == [5, 0, 0, 0, 0, 0]
    assert len(world.record().problems.open) == 5
