"""The class of a reason: foreign text in, one of a bounded set of words out. Pure.

Telnyx publishes no catalogue of reasons, so the classes are found by what a reason says.
The first rule that matches wins; what none matches is `other`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.ledger.view import OTHER

NO_REASON = "none"
"""The class of an action that gives no reason."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason in which ``pattern`` is found is of the class ``name``."""

    name: str
    pattern: re.Pattern[str]


def _rule(name: str, pattern: str) -> Rule:
    return Rule(name, re.compile(pattern, re.IGNORECASE))


BUILT_IN = (
    _rule("data_limit", r"data[ _-]?(usage[ _-]?)?limit|limit (was|has been) exceeded|quota"),
    _rule("insufficient_funds", r"\bfunds?\b|\bbalance\b|\bcredit\b|payment|billing"),
    _rule("no_sim_card_group", r"\bgroup\b"),
    _rule("public_ip", r"public[ _-]?ips?\b|\bip address|\bips?\b.*(availab|assign|exhaust)"),
    _rule("unauthorized_imei", r"\bimei\b"),
    _rule("sim_blocked", r"block|abolish|suspend|terminat|deactivat|\bbarred\b"),
    _rule(
        "busy", r"in (progress|process)|being processed|another (action|operation)|conflict|lock"
    ),
    _rule("superseded", r"supersed|replaced by|newer (action|request)|overrid"),
    _rule("cancelled", r"cancel|abort"),
    _rule("timeout", r"time[ -]?d?[ -]?out|no response|did not respond|deadline|expired"),
    _rule("network", r"network|carrier|operator|\bhlr\b|\bhss\b|roaming|unreachable|registration"),
    _rule("invalid_state", r"\bstate\b|\bstatus\b|transition|not (allowed|permitted|supported)"),
    _rule("internal_error", r"internal|unexpected|unknown error|server error|try again"),
)
"""The rules that stand behind the configured ones."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """The rules in force: the configured ones first, then the built-in ones."""

    rules: tuple[Rule, ...]

    @classmethod
    def with_configured(cls, configured: Sequence[Rule]) -> "Reasons":
        """Put ``configured`` before the built-in rules."""
        return cls((*configured, *BUILT_IN))

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class there can be, each once."""
        return tuple(dict.fromkeys((*(rule.name for rule in self.rules), NO_REASON, OTHER)))

    def classify(self, reason: str | None) -> str:
        """Return the class of ``reason``."""
        if reason is None or not reason.strip():
            return NO_REASON
        for rule in self.rules:
            if rule.pattern.search(reason):
                return rule.name
        return OTHER
