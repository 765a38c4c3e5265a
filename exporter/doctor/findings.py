"""What an examination says: findings, and the names of the checks. Values only."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How a check ended; SKIP: it was not possible, or there was nothing to check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


LOCAL_CHECKS = ("configuration", "state", "state_in_use", "alertmanager")
"""What is checked of this machine, in the order of the output."""

ACCOUNT_CHECKS = (
    "network",
    "tls",
    "origin",
    "key",
    "account",
    "list",
    "order",
    "page_size",
    "deep_pages",
    "totals",
    "totals_by_type",
    "filters",
    "action_types",
    "statuses",
    "dates",
    "reasons",
    "action_by_id",
    "sim_cards",
    "bulk_actions",
    "clock",
    "rate_limit",
)
"""What is checked of each account, in the order of the output."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    ``text`` and ``remedy`` are our own words, without IDs, names, hosts, paths or reasons, so that
    they can be published. ``details`` is what may have those, a line each. ``remedy`` is empty
    unless the result is WARN or FAIL.
    """

    check: str
    result: Result
    text: str
    details: tuple[str, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What was found of one account; ``requests`` is how many were sent to Telnyx."""

    name: str
    base_url: str
    findings: tuple[Finding, ...]
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The whole examination: this machine, and the accounts in the order of the configuration."""

    local: tuple[Finding, ...]
    accounts: tuple[AccountReport, ...] = ()

    def counts(self) -> Counter[Result]:
        """Return how many findings have each result."""
        groups = (self.local, *(each.findings for each in self.accounts))
        return Counter(each.result for group in groups for each in group)


def ok(check: str, text: str, *details: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Result.OK, text, details)


def warn(check: str, text: str, *details: str, remedy: str) -> Finding:
    """Return that the exporter works, but not as well as it could."""
    return Finding(check, Result.WARN, text, details, remedy)


def fail(check: str, text: str, *details: str, remedy: str) -> Finding:
    """Return that the exporter does not work, or shows something wrong."""
    return Finding(check, Result.FAIL, text, details, remedy)


def skip(check: str, why: str) -> Finding:
    """Return that there was nothing to check, and why."""
    return Finding(check, Result.SKIP, why)
