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
FUNDS = "Insufficient balance. Top up the account and try again."


@dataclass(frozen=True, slots=True)
class Trouble:
    """The chain, and the actions in progress that tests end."""

    chain: Any
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
        yield Trouble(chain, hanging, unseen)


def says(text: str, rule: dict[str, Any], *words: str) -> bool:
    """Tell whether a text has what a rule says to be looked up, and these words."""
    wanted = (rule["annotations"]["runbook_url"], *words)
    return all(word in text for word in wanted) and "{{" not in text and "no value" not in text


def ends_once(chain: Any, until: Callable[..., Any], about: tuple[str, ...]) -> None:
    """Check that the end of an alert is told, and that it and its beginning are told once."""
    until(lambda: chain.titles("RESOLVED", *about))
    assert len(chain.titles(*about)) == 2, chain.titles(*about)


def test_a_failure_is_told_in_the_chat(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """One message says what failed and why, one that it is over."""
    chain = trouble.chain
    rule = shipped["TelnyxSimActionFailed"]
    about = ("TelnyxSimActionFailed", "single", "disable")
    note = chain.note("FIRING:1", *about)
    assert note.receiver == "telnyx-sim-chat"
    text = note.body["attachments"][0]["text"]
    assert says(text, rule, "disable actions failed in account single", "unauthorized_imei"), text
    assert note.body["attachments"][0]["title_link"] == rule["annotations"]["runbook_url"]
    ends_once(chain, until, about)


def test_an_interruption_opens_a_ticket(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """One message holds the alert with labels and annotations, one that it is over."""
    chain = trouble.chain
    rule = shipped["TelnyxSimActionInterrupted"]
    about = ("TelnyxSimActionInterrupted", "single", "disable")
    note = chain.note("FIRING", *about)
    assert note.receiver == "telnyx-sim-ticket"
    (alert,) = note.body["alerts"]
    assert alert["labels"] == {
        "alertname": "TelnyxSimActionInterrupted",
        "account": "single",
        "action_type": "disable",
        "job": "telnyx-sim-exporter",
        "reason_class": "superseded",
        "severity": "warning",
    }
    assert alert["annotations"].keys() == rule["annotations"].keys()
    assert says(" ".join(alert["annotations"].values()), rule, "single", "disable", "superseded")
    ends_once(chain, until, about)


def test_an_action_that_hangs_opens_a_ticket_until_it_ends(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """It is told once; when the action ends, that is told once."""
    chain = trouble.chain
    rule = shipped["TelnyxSimActionsStuck"]
    about = ("TelnyxSimActionsStuck", "single", "set_public_ip")
    note = chain.note("FIRING", *about)
    assert note.receiver == "telnyx-sim-ticket"
    (alert,) = note.body["alerts"]
    assert says(" ".join(alert["annotations"].values()), rule, "single", "set_public_ip")
    chain.end("single", trouble.hanging, "completed")
    ends_once(chain, until, about)


def test_many_failures_page_the_team_of_the_account_and_silence_the_single_ones(
    trouble: Trouble, shipped: dict[str, Any], until: Callable[..., Any]
) -> None:
    """While the ratio is high, a failure for another reason is not told besides."""
    chain = trouble.chain
    rule = shipped["TelnyxSimFailureRatioHigh"]
    about = ("TelnyxSimFailureRatioHigh", "fleet-us", "enable")
    note = chain.note("FIRING:1", *about)
    assert note.receiver == "fleet-us-pager"
    details = note.body["payload"]["custom_details"]
    assert details["account"] == "fleet-us"
    assert says(details["text"], rule, "enable actions failed in account fleet-us", "%"), details

    (other,) = chain.create("fleet-us", "enable")
    chain.end("fleet-us", other, "failed", FUNDS)
    labels = {"account": "fleet-us", "action_type": "enable"}
    single = {"name": "TelnyxSimActionFailed", "reason_class": "insufficient_funds", **labels}
    ratio = {"name": "TelnyxSimFailureRatioHigh", **labels}
    until(lambda: chain.silenced_by(single, ratio))
    until(lambda: not chain.alerts(**single))
    chain.control("fleet-us", "actions", count=400, action_type="enable", lives=True)
    ends_once(chain, until, about)
    told = [each for each in chain.notes if "insufficient_funds" in str(each.body)]
    assert not [each for each in told if "FIRING" in each.title]


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
    """First a ticket, then a page; no action counts as failed or stuck for it."""
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
    assert len(chain.titles("outage")) == 4, chain.titles("outage")
