"""Trouble of five accounts, begun at once: each test looks at one of them, and mends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = [pytest.mark.program("prometheus", "alertmanager"), pytest.mark.timeout(240)]

NEW = "KEY-new"
OLD = "KEY-simulated"
IMEI = "Unauthorized IMEI: the SIM card is locked to another device."
SUPERSEDED = "Superseded by a newer action on the same SIM card."


@dataclass(frozen=True, slots=True)
class Trouble:
    """The chain, and the actions in progress that tests end."""

    chain: Any
    broken: tuple[str, str]
    hanging: str
    unseen: str


@pytest.fixture(scope="module")
def trouble(start_chain: Callable[..., Any], until: Callable[..., Any]) -> Iterator[Trouble]:
    """Give a chain in which all goes wrong that can."""
    with start_chain("single", "fleet-us", "refused", "outage") as chain:
        (unseen,) = chain.create("outage", "enable")
        flying = 'telnyx_sim_card_actions{account="outage", status="in-progress"}'
        until(lambda: chain.ask(f"sum({flying}) == 1"))
        chain.control("outage", "faults", server_error=1)
        chain.control("refused", "key", key=NEW)
        failing, interrupted = chain.create("single", "disable", 2)
        chain.end("single", failing, "failed", IMEI)
        chain.end("single", interrupted, "interrupted", SUPERSEDED)
        (hanging,) = chain.create("single", "set_public_ip")
        for number, each in enumerate(chain.create("fleet-us", "enable", 25)):
            if number % 2:
                chain.end("fleet-us", each, "completed")
            else:
                chain.end("fleet-us", each, "failed", IMEI)
        yield Trouble(chain, (failing, interrupted), hanging, unseen)


def says(text: str, rule: dict[str, Any], *words: str) -> bool:
    """Tell whether a text has what a rule says to be looked up, and these words."""
    wanted = (rule["annotations"]["runbook_url"], *words)
    return all(word in text for word in wanted) and "{{" not in text and "no value" not in text


def ends_once(chain: Any, until: Callable[..., Any], about: tuple[str, ...]) -> None:
    """Check that the end of an alert is told, and that it and its beginning are told once."""
    until(lambda: chain.titles("RESOLVED", *about))
    assert len(chain.titles(*about)) == 2, chain.titles(*about)


def test_broken_sim_cards_open_a_ticket_until_they_are_mended(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """One message says how many, where and since when; one that they are mended, not just some."""
    chain = trouble.chain
    rule = shipped["TelnyxSimCardProblems"]
    labels = {
        "alertname": "TelnyxSimCardProblems",
        "account": "single",
        "concern": "connectivity",
        "job": "telnyx-sim-exporter",
        "severity": "warning",
    }
    until(lambda: chain.told("firing", **labels))
    assert chain.note("FIRING", "TelnyxSimCardProblems", "single").receiver == "telnyx-sim-ticket"
    alert, *_ = chain.told("firing", **labels)
    assert alert["labels"] == labels
    assert alert["annotations"].keys() == rule["annotations"].keys()
    told = " ".join(alert["annotations"].values())
    assert says(told, rule, "account single: 2", "open since 20", " UTC, for ", "All of them have")
    first, second = (chain.retry("single", each) for each in trouble.broken)
    chain.end("single", first, "completed")
    broken = 'sum(telnyx_sim_card_problems{account="single", concern="connectivity"})'
    until(lambda: chain.ask(f"{broken} == 1"))
    assert not chain.told("resolved", **labels)
    chain.end("single", second, "completed")
    until(lambda: chain.told("resolved", **labels))


def test_an_action_that_hangs_is_a_problem_of_its_sim_card_and_no_more(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """The problem is told, and its end; that the action is stuck is silenced."""
    chain = trouble.chain
    rule = shipped["TelnyxSimCardProblems"]
    labels = {"account": "single", "concern": "public_ip"}
    until(lambda: chain.told("firing", **labels))
    alert, *_ = chain.told("firing", **labels)
    assert says(" ".join(alert["annotations"].values()), rule, "account single: 1")
    stuck = {
        "name": "TelnyxSimActionsStuck",
        "action_type": "set_public_ip",
        "account": "single",
    }
    problem = {"name": "TelnyxSimCardProblems", **labels}
    until(lambda: chain.silenced_by(stuck, problem))
    chain.end("single", trouble.hanging, "completed")
    until(lambda: chain.told("resolved", **labels))
    assert not chain.titles("TelnyxSimActionsStuck")


def test_many_failures_page_the_team_of_the_account(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """A page says that many fail, once; SIM cards that remain broken are a ticket besides."""
    chain = trouble.chain
    rule = shipped["TelnyxSimFailureRatioHigh"]
    about = ("TelnyxSimFailureRatioHigh", "fleet-us", "enable")
    note = chain.note("FIRING:1", *about)
    assert note.receiver == "fleet-us-pager"
    details = note.body["payload"]["custom_details"]
    assert details["account"] == "fleet-us"
    assert says(details["text"], rule, "enable actions failed in account fleet-us", "%"), details
    chain.control("fleet-us", "actions", count=400, action_type="enable", lives=True)
    ends_once(chain, until, about)
    ticket = chain.note("FIRING", "TelnyxSimCardProblems", "fleet-us", "connectivity")
    assert ticket.receiver == "telnyx-sim-ticket"


def test_a_refused_key_pages_once_and_silences_the_rest_of_its_account(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """That polls fail, and that what is shown is old, is not told besides."""
    chain = trouble.chain
    rule = shipped["TelnyxSimKeyRefused"]
    note = chain.note("FIRING:1", "TelnyxSimKeyRefused", "refused")
    assert note.receiver == "telnyx-sim-pager"
    assert says(note.body["payload"]["custom_details"]["text"], rule, "account refused")
    key = {"name": "TelnyxSimKeyRefused", "account": "refused"}
    for name in ("TelnyxSimPollFailing", "TelnyxSimDataStale"):
        silent = {"name": name, "account": "refused"}
        until(lambda silent=silent: chain.silenced_by(silent, key))
    chain.control("refused", "key", key=OLD)
    until(lambda: chain.titles("RESOLVED", "TelnyxSimKeyRefused", "refused"))
    until(lambda: not chain.ask('ALERTS{account="refused"}'))
    assert len(chain.titles("account refused")) == 2, chain.titles("account refused")
    assert not chain.titles("ticket", "refused"), chain.titles("refused")


def test_an_outage_of_the_api_is_told_as_such_and_as_nothing_else(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """First a ticket, then a page; no SIM card counts as broken for it."""
    chain = trouble.chain
    failing = "TelnyxSimPollFailing"
    stale = shipped["TelnyxSimDataStale"]
    assert chain.note("FIRING", failing, "outage").receiver == "telnyx-sim-ticket"
    note = chain.note("FIRING:1", "TelnyxSimDataStale", "outage")
    assert note.receiver == "telnyx-sim-pager"
    assert says(note.body["payload"]["custom_details"]["text"], stale, "account outage")

    chain.end("outage", trouble.unseen, "completed")
    chain.control("outage", "faults", server_error=0)
    until(lambda: chain.titles("RESOLVED", failing, "outage"))
    until(lambda: chain.titles("RESOLVED", "TelnyxSimDataStale", "outage"))
    # Pages of several accounts are one incident: what happens to another account updates it.
    assert len(set(chain.titles("outage"))) == 4, chain.titles("outage")
