"""Each check has a case in which the account misbehaves just so."""

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.doctor.findings import ACCOUNT_CHECKS, Result
from exporter.doctor.probe import Probe
from exporter.domain import Status
from exporter.simulator.faults import Fault
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.telnyx.http import Route
from tests.doctor.conftest import HastyClock, examined, settings_for

Examine = Callable[..., Awaitable[Any]]

WARN, FAIL, SKIP, OK = Result.WARN, Result.FAIL, Result.SKIP, Result.OK


def create_bulk(simulator: Simulator) -> None:
    """Let a bulk action begin."""
    simulator.world.create(3, action_type="set_public_ip", bulk=True)


def fail_oddly(simulator: Simulator) -> None:
    """Let an action fail for a reason that no rule matches."""
    for number in range(3):
        (action,) = simulator.world.create(1, action_type="enable")
        reason = f"Quux {'a' if number else 'b'} in 7c9e6679-7425-40de-944b-e07fc1f90ae7"
        simulator.world.finish(action, Status.FAILED, reason)


async def test_a_good_account_is_good(examine: Examine) -> None:
    """Everything is checked, in the promised order, and nothing is found."""
    found = await examine({"rate_limit": 1000}, prepare=create_bulk)
    assert tuple(found.checks) == ACCOUNT_CHECKS
    odd = {name: each for name, each in found.checks.items() if each.result is not OK}
    assert odd.keys() == {"deep_pages"}, "the only page"
    assert found.checks["totals"].text.startswith("205 in all; interrupted, as the rest: ")
    assert found.requests == found.simulator.served


@pytest.mark.parametrize(
    ("options", "check", "result", "words"),
    [
        pytest.param({"order": "none"}, "order", WARN, "not sorted", id="no-order"),
        pytest.param({"order": "oldest"}, "order", OK, "oldest first", id="oldest"),
        pytest.param({"page_size_cap": 100}, "page_size", WARN, "250, 100 come", id="capped"),
        pytest.param({"page_depth": 100}, "page_size", FAIL, "HTTP 422", id="250-refused"),
        pytest.param(
            {"page_depth": 500, "history": 1000}, "deep_pages", WARN, "HTTP 422", id="deep"
        ),
        pytest.param(
            {"page_depth": 500, "history": 1000, "deep_page": "empty"},
            *("deep_pages", WARN, "no actions"),
            id="deep-empty",
        ),
        pytest.param(
            {"page_depth": 250, "history": 1000, "deep_page": "repeat"},
            *("deep_pages", WARN, "repeats the first"),
            id="deep-repeat",
        ),
        pytest.param({"history": 1000}, "deep_pages", OK, "can be read", id="deep-good"),
        pytest.param({"totals_short": 9}, "totals", WARN, "193, but there are 202", id="short"),
        pytest.param(
            {"totals_cap": 300, "history": 2000}, "totals", WARN, "more by status", id="cap"
        ),
        pytest.param({"totals_missing": 1}, "totals", WARN, "does not say", id="no-totals"),
        pytest.param({"meta_missing": 1}, "totals", WARN, "does not say", id="no-meta"),
        pytest.param(
            {"totals_cap": 150, "history": 900}, "totals_by_type", WARN, "more by type", id="types"
        ),
        pytest.param(
            {"mix": "enable=1,reboot=1"}, "totals_by_type", OK, "of other types", id="other-types"
        ),
        pytest.param({"mix": "enable=1,reboot=1"}, "action_types", WARN, "reboot", id="type"),
        pytest.param({"unknown_status": 0.5}, "statuses", WARN, "parked", id="status"),
        pytest.param({"odd_times": 0.5}, "dates", WARN, "0000-00-00 xx 00:00", id="times"),
        pytest.param({"malformed": 0.5}, "list", WARN, "no valid ID", id="no-id"),
        pytest.param({"filters_ignored": 1}, "filters", FAIL, "not of the filter", id="filters"),
        pytest.param({}, "rate_limit", WARN, "no header", id="no-rate-headers"),
        pytest.param({"rate_limit": 99}, "rate_limit", OK, "as seconds", id="rate"),
        pytest.param(
            {"rate_limit": 99, "rate_reset": "epoch"}, "rate_limit", OK, "epoch", id="rate-epoch"
        ),
        pytest.param(
            {"rate_limit": 3, "rate_window": 9999}, "rate_limit", WARN, "remaining 0", id="spent"
        ),
        pytest.param({"throttled": 0.3}, "rate_limit", WARN, "HTTP 429", id="429"),
        pytest.param({"history": 0, "stuck_at_start": 0}, "order", SKIP, "too few", id="empty"),
        pytest.param({"sim_cards_forbidden": 1}, "sim_cards", WARN, "may not read", id="sims-403"),
        pytest.param({"sim_cards_error": 1}, "sim_cards", WARN, "cannot be looked up", id="sims-5"),
        pytest.param({"failed": 0, "interrupted": 0}, "reasons", SKIP, "no action", id="calm"),
        pytest.param({"odd_status": 1}, "reasons", WARN, "gives a reason", id="no-reasons"),
    ],
)
async def test_what_misbehaves_is_told(
    options: dict[str, Any], check: str, result: Result, words: str, examine: Examine
) -> None:
    """The check of it says so, and what to do."""
    found = (await examine(options)).checks[check]
    assert (found.result, words in found.text) == (result, True), found
    assert bool(found.remedy) == (result in {WARN, FAIL})


@pytest.mark.parametrize(
    ("options", "check", "words"),
    [
        pytest.param({"unauthorized": 1}, "key", "HTTP 401", id="401"),
        pytest.param(
            {"unauthorized": 1, "empty_unauthorized": True}, "key", "HTTP 401", id="401-empty"
        ),
        pytest.param({"forbidden": 1}, "key", "HTTP 403", id="403"),
        pytest.param({"unpaid": 1}, "account", "HTTP 402", id="402"),
        pytest.param({"html": 1}, "origin", "something else answers", id="portal"),
        pytest.param({"blocked": 1}, "origin", "something else answers", id="firewall"),
        pytest.param({"server_error": 1}, "list", "HTTP 50", id="5xx"),
        pytest.param({"truncated": 1}, "list", "cannot be read", id="truncated"),
        pytest.param({"reset": 1}, "origin", "no response", id="reset"),
    ],
)
async def test_what_fails_is_told_once(
    options: dict[str, Any], check: str, words: str, examine: Examine
) -> None:
    """The one check fails, with Telnyx's words as details; what depends on it is left out."""
    found = await examine(options)
    failed = {name: each for name, each in found.checks.items() if each.result is FAIL}
    assert failed.keys() == {check}
    assert words in failed[check].text
    assert found.checks["order"].result is SKIP
    assert found.checks["totals"].result is SKIP
    assert found.requests <= 2


@pytest.mark.parametrize("served", range(3))
async def test_an_outage_is_told_whatever_it_answers(served: int, examine: Examine) -> None:
    """JSON, or the page of a gateway: the list fails, and neither proxy nor key is suspected."""

    def count(simulator: Simulator) -> None:
        simulator.served = served

    found = await examine({"server_error": 1}, prepare=count)
    failed = [name for name, each in found.checks.items() if each.result is FAIL]
    assert failed == ["list"]


async def test_telnyx_s_words_about_an_account_are_told(examine: Examine) -> None:
    """Its title and detail say what is wrong with it; the key is not suspected."""
    found = await examine({"unpaid": 1})
    (detail,) = found.checks["account"].details
    assert detail == "20100 Insufficient funds: Add funds to the account, and try again."
    assert found.checks["key"].result is OK


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(90, r"\d\d s behind"), (-90, r"\d\d s ahead"), (200_000, "more than a day")],
)
async def test_a_clock_that_differs_is_told(ahead: float, words: str, examine: Examine) -> None:
    """By how much, and on which side."""
    found = (await examine(ahead=ahead)).checks["clock"]
    assert (found.result, bool(re.search(words, found.text))) == (WARN, True), found


def fail_for_quux(simulator: Simulator) -> None:
    """Let an action fail for a reason that a configured rule can match."""
    (action,) = simulator.world.create(1, action_type="enable")
    simulator.world.finish(action, Status.FAILED, "Quux")


def nothing(_: Simulator) -> None:
    """Leave the account as it is."""


@pytest.mark.parametrize(
    ("check", "result", "options", "prepare", "named", "followed"),
    [
        pytest.param(
            *("page_size", FAIL, {"page_depth": 100}, nothing),
            *("set poll.page_size to less than 250", {"poll": {"page_size": 100}}),
            id="refused",
        ),
        pytest.param(
            *("page_size", FAIL, {"page_depth": 20}, nothing),
            *("20 is taken", {"poll": {"page_size": 20}}),
            id="refused-but-for-the-least",
        ),
        pytest.param(
            *("page_size", WARN, {"page_size_cap": 100}, nothing),
            *("set poll.page_size to 100", {"poll": {"page_size": 100}}),
            id="capped",
        ),
        pytest.param(
            *("page_size", WARN, {"page_size_cap": 7}, nothing),
            *("set poll.page_size to 7", {"poll": {"page_size": 7}}),
            id="capped-below-the-default",
        ),
        pytest.param(
            *("rate_limit", WARN, {"rate_limit": 15}, nothing),
            *("lower poll.rate_limit", {"poll": {"rate_limit": 6}}),
            id="rate",
        ),
        pytest.param(
            *("sim_cards", WARN, {"sim_cards_forbidden": 1}, nothing),
            *("set sim_cards.lookup to false", {"sim_cards": {"lookup": False}}),
            id="sim-cards",
        ),
        pytest.param(
            *("reasons", WARN, {}, fail_for_quux),
            *("add rules under `reasons`", {"reasons": [{"class": "quux", "match": "Quux"}]}),
            id="reasons",
        ),
    ],
)
async def test_a_remedy_that_was_followed_mends(
    check: str,
    result: Result,
    options: dict[str, Any],
    prepare: Callable[[Simulator], None],
    named: str,
    followed: dict[str, Any],
    examine: Examine,
) -> None:
    """What a setting is said to mend is no longer found once it is set so, nor anything worse."""
    before = (await examine(options, prepare=prepare, waits=True)).checks
    assert (before[check].result, named in before[check].remedy) == (result, True), before[check]
    after = (await examine(options, prepare=prepare, **followed)).checks
    assert after[check].result in {OK, SKIP}, after[check]
    assert FAIL not in {each.result for each in after.values()}


async def test_a_list_that_is_shorter_than_a_page_is_not_capped(examine: Examine) -> None:
    """Without a total, nothing says that there are more actions: no other size is suggested."""
    found = await examine({"meta_missing": 1})
    assert found.checks["page_size"].result is SKIP
    found = await examine({"meta_missing": 1, "history": 0, "stuck_at_start": 0})
    assert found.checks["page_size"].result is SKIP


async def test_reasons_without_a_class_are_told(examine: Examine) -> None:
    """With how often each came, and a rule that would class them; the text has none of them."""
    found = (await examine(prepare=fail_oddly)).checks["reasons"]
    assert found.result is WARN
    assert found.details[0].startswith("2 x Quux a in ")
    assert "Quux" not in found.text + found.remedy
    assert "class:" in found.remedy


@pytest.mark.parametrize(
    ("summary", "result", "words"),
    [
        ("list", OK, "has the summary"),
        ("object", WARN, "only the single"),
        ("nowhere", WARN, "neither"),
    ],
)
async def test_where_bulk_actions_have_their_summary(
    summary: str, result: Result, words: str, examine: Examine
) -> None:
    """In the list, in the single object, or nowhere."""
    found = await examine({"bulk_summary": summary}, prepare=create_bulk)
    assert found.checks["bulk_actions"].result is result
    assert words in found.checks["bulk_actions"].text


async def test_an_account_without_actions_has_sim_cards(examine: Examine) -> None:
    """One of the list is looked up; without lookups, none is."""
    options = {"history": 0, "stuck_at_start": 0}
    assert (await examine(options)).checks["sim_cards"].result is OK
    found = (await examine(options, sim_cards={"lookup": False})).checks["sim_cards"]
    assert (found.result, found.text) == (SKIP, "sim_cards.lookup is false")


async def test_ipv6_alone_will_do(examine: Examine) -> None:
    """An API that has only such an address is reached."""
    found = await examine(address="::1")
    assert found.checks["network"].text == "1 address connected, IPv6 only"
    assert found.checks["list"].result is OK


def every_other(simulator: Simulator) -> None:
    """Let each request fail once."""
    simulator.faults.script(*[Fault.SERVER_ERROR, None] * 40)


async def test_an_account_in_motion_adds_up(examine: Examine) -> None:
    """Actions that are created, and end, while it is asked are no difference."""
    found = await examine({"rate": 300, "duration": 0.05, "stuck_at_start": 0})
    checks = ("totals", "totals_by_type", "filters", "order")
    assert [found.checks[each].result for each in checks] == [OK] * 4


async def test_a_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Nothing is sent then."""
    account = {"api_key_file": str(tmp_path / "none")}
    simulator = Simulator(SimulatorSettings(), time.time)
    async with serving(simulator) as url:
        (report,) = await examined(settings_for(accounts=[account | {"base_url": url}]))
    found = {each.check: each for each in report.findings}
    assert (found["key"].result, simulator.served) == (FAIL, 0)
    assert "cannot be read" in found["key"].details[0]


async def test_no_more_than_25_requests_are_sent(examine: Examine) -> None:
    """With the most questions, each repeated, it ends with what was found until then."""
    options = {"history": 1000, "stuck_at_start": 0}
    found = await examine(options, prepare=every_other)
    assert found.simulator.served == found.requests == 25
    assert found.checks["order"].result is OK
    assert found.checks["bulk_actions"].result is SKIP
    assert "25 requests were sent" in found.checks["bulk_actions"].text


async def test_no_personal_data_is_kept() -> None:
    """The API sends it unasked."""
    settings = SimulatorSettings.from_options({"history": 50, "rate": 0.0})
    simulator = Simulator(settings, time.time)
    async with serving(simulator) as url:
        given = settings_for(url)
        probe = Probe(given, given.accounts[0], lambda: simulator.key, Route(), HastyClock())
        await probe.run()
    kept = str(probe.seen)
    assert "iccid" in kept
    assert not [name for name in ("imsi", "msisdn", "imei", "latitude", "ipv4") if name in kept]
