"""The class of a reason: foreign text in, one of a bounded set of words out. Pure.

Telnyx publishes no catalogue of reasons, so the classes are found by what a reason says.
The first rule that matches wins; what none matches is `other`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.domain import OTHER

MATCHED_CHARACTERS = 2000
"""How much of a reason is matched: it may be of any length, and so may the time that takes."""

NO_REASON = "none"
"""The class of an action that gives no reason."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason in which ``pattern`` is found is of the class ``name``."""

    name: str
    pattern: re.Pattern[str]


_FIRST = re.compile(r"\\b(?=[a-z(])")
_BEFORE, _AFTER = "(?<![a-z0-9])", "(?![a-z0-9])"
_GAP = r"[\s_-]"


def _rule(name: str, pattern: str) -> Rule:
    r"""Return a rule in which ``\b`` and a space take `data_limit` for the words `data limit`.

    One ``\b`` that stands before a letter or a group begins a word, any other ends one: to allow
    for both at each would double the time that compiling takes, at every start.
    """
    pattern = _FIRST.sub(_BEFORE, pattern).replace(r"\b", _AFTER).replace(" ", _GAP)
    return Rule(name, re.compile(pattern, re.IGNORECASE))


BUILT_IN = (
    _rule("unauthorized_imei", r"\bimei\b"),
    _rule(
        "data_limit",
        r"\bdata ?(usage |plan )?(limit|cap|allowance|quota)"
        r"|(?<!rate )\b(limit|allowance) (was |has been |is )?(exceeded|reached|used up)|\bquota\b",
    ),
    _rule(
        "insufficient_funds",
        r"\bfunds?\b|\bbalance\b|\bcredit\b|\bpayment|\bbilling\b|\bunpaid\b|\boverdue\b",
    ),
    _rule("no_sim_card_group", r"\bgroup\b"),
    _rule(
        "public_ip",
        r"\bpublic ?ips?\b|\bips?( address(es)?)?\b.{0,60}"
        r"\b(available|assigned|exhausted|in use|left)\b|\bip (pool|address)",
    ),
    _rule(
        "sim_blocked",
        r"\bblock(ed)?\b|\babolish|\bbarred\b|\bstolen\b|\b(sim|card|subscription|service|line)\b"
        r".{0,20}\b(suspended|terminated|deactivated|cancelled|canceled|expired)\b",
    ),
    _rule(
        "superseded",
        r"supersed|replaced by|newer (action|request)|overr[iu]|overt(ook|aken)|precedence",
    ),
    _rule("cancelled", r"\bcancel|\babort|\bwithdrawn\b|\bstopped (before|by)\b"),
    _rule(
        "timeout",
        r"\btime[sd]? ?out\b|\bno (response|answer|reply)\b|\bnot (respond|answer|reply)"
        r"|deadline|\bexpired\b|\btoo long\b",
    ),
    _rule(
        "busy",
        r"\bin (progress|process)\b|being processed|another (action|operation|request)"
        r"|\bconflict|\block(ed)?\b|\bbusy\b|too many requests|rate limit|slow down|\bthrottl",
    ),
    _rule(
        "internal_error",
        r"\binternal\b|unknown error|unexpected (error|exception|failure)|server error"
        r"|\b(status|http|code):? 5\d\d\b|\bexception\b|\bworker\b",
    ),
    _rule(
        "network",
        r"network|\bcarrier|\boperator\b|\bhlr\b|\bhss\b|\bhome location|\broaming\b"
        r"|unreachable|\bregist(ered|ration)\b|\bconnect|\bprovisioning\b",
    ),
    _rule(
        "invalid_state",
        r"\bstates?\b|\bstatus\b|transition|\balready\b|\bineligible\b"
        r"|\bnot (allowed|permitted|supported|possible|eligible|available for)\b",
    ),
    _rule("internal_error", r"\bunexpected\b|\btry again\b|\bcontact support\b"),
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
        text = (reason or "").strip()[:MATCHED_CHARACTERS]
        if not text:
            return NO_REASON
        for rule in self.rules:
            if rule.pattern.search(text):
                return rule.name
        return OTHER
