import re
import time

import pytest

from exporter.domain import OTHER
from exporter.ledger.reasons import MATCHED_CHARACTERS, NO_REASON, Reasons, Rule

BUILT_IN = Reasons.with_configured(())

SAMPLES = {
    "data_limit": (
        "The data limit was exceeded.",
        "SIM card is in data_limit_exceeded",
        "Data usage limit reached for the billing period",
        "DATA ALLOWANCE used up",
        "monthly quota exhausted",
        "The data limit was reached while the action was in progress.",
        "Data limit exceeded: raise the limit of the SIM card or of its group.",
    ),
    "insufficient_funds": (
        "Insufficient funds",
        "Your balance is too low to assign a public IP.",
        "The account has not enough credit",
        "Payment required",
        "Account overdue: settle the open invoice",
    ),
    "no_sim_card_group": (
        "The SIM card is not in a SIM card group.",
        "SIM card must belong to a group before it can be enabled",
        "sim card group not found",
        "Cancelled: the SIM card was removed from its group.",
    ),
    "public_ip": (
        "No public IPs available",
        "There are no IP addresses left in region ashburn.",
        "public_ip could not be bound",
        "The IP pool is exhausted",
    ),
    "unauthorized_imei": (
        "unauthorized_imei",
        "The device's IMEI is not authorized",
        "Unauthorized IMEI: the SIM card is locked to another device.",
    ),
    "sim_blocked": (
        "The SIM card is blocked by the operator.",
        "SIM card has been abolished",
        "Subscription terminated",
        "The SIM card was suspended for fraud",
        "Line barred",
        "The SIM card's subscription expired during the action.",
    ),
    "superseded": (
        "Superseded by a newer action",
        "Interrupted because another action on this SIM card takes precedence.",
        "Replaced by request 42",
        "The action was overridden",
    ),
    "cancelled": (
        "The action was cancelled by a user.",
        "Canceled while in progress",
        "Aborted",
        "The bulk request was stopped before this SIM card's turn.",
    ),
    "timeout": (
        "Timeout waiting for the network",
        "The request timed out",
        "The carrier did not answer in time.",
        "No response from the carrier",
        "context deadline exceeded",
    ),
    "busy": (
        "Another action is already in process for this SIM card.",
        "The resource is being processed",
        "Resource locked",
        "409 Conflict",
        "Rate limit exceeded: slow down",
    ),
    "internal_error": (
        "Internal server error",
        "An unexpected error occurred. Please try again.",
        "upstream answered with HTTP status 503",
        "Unknown error",
        "Something went wrong, please contact support",
    ),
    "network": (
        "The carrier rejected the profile",
        "Network unreachable",
        "The home location register refused the update (error 5004).",
        "Roaming is off for this country",
        "Maintenance: provisioning is suspended",
    ),
    "invalid_state": (
        "Invalid state transition",
        "The SIM card is already enabled",
        "Voice is not supported for this type of SIM card.",
        "Not allowed from status standby",
    ),
    OTHER: ("?", "Ratatouille", "E-1234", "The limiter says hello"),
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [pytest.param(name, text, id=text) for name, texts in SAMPLES.items() for text in texts],
)
def test_built_in_class(name: str, reason: str) -> None:
    """A reason as a carrier's back end words it falls into its class, in any case."""
    assert [BUILT_IN.classify(text) for text in (reason, reason.upper(), reason.lower())] == (
        [name] * 3
    )


def test_every_built_in_class_has_samples() -> None:
    """No class is there that no reason was tried on."""
    assert set(BUILT_IN.classes) == {*SAMPLES, NO_REASON}


@pytest.mark.parametrize("reason", [None, "", " ", "\n\t ", "\u00a0" * 5000])
def test_blank_is_no_reason(reason: str | None) -> None:
    """Nothing said is a class of its own."""
    assert BUILT_IN.classify(reason) == NO_REASON


def test_configured_rules_come_first_in_their_order() -> None:
    """A configured rule wins against a built-in one, and the first against the second."""
    reasons = Reasons.with_configured(
        [
            Rule("legal", re.compile("blocked by court")),
            Rule("carrier_block", re.compile("blocked")),
            Rule("unused", re.compile("blocked")),
        ]
    )
    assert reasons.classify("blocked by court") == "legal"
    assert reasons.classify("blocked") == "carrier_block"
    assert reasons.classify("SIM BLOCKED") == "sim_blocked"


def test_classes_are_each_named_once() -> None:
    """A configured class that has a built-in name, or occurs twice, is one class."""
    reasons = Reasons.with_configured(
        [Rule("network", re.compile("x")), Rule("mine", re.compile("y"))] * 2
    )
    assert len(reasons.classes) == len(set(reasons.classes))
    assert set(reasons.classes) == {*BUILT_IN.classes, "mine"}


def test_only_the_beginning_is_read() -> None:
    """What stands past the bound is not looked at, blanks before the text do not count."""
    assert BUILT_IN.classify("x" * (MATCHED_CHARACTERS - 4) + " IMEI") == OTHER
    assert BUILT_IN.classify(" " * MATCHED_CHARACTERS + "IMEI") == "unauthorized_imei"


@pytest.mark.parametrize("part", ["ip ", "data ", "sim ", "limit was ", "x", " no", "\U0001f4a5"])
def test_long_reasons_are_cheap(part: str) -> None:
    """A reason of megabytes takes no longer than its beginning does."""
    started = time.process_time()
    BUILT_IN.classify(part * 1_000_000)
    assert time.process_time() - started < 1.0
