"""What cannot be an API key, and why. Pure: it judges a text, and never quotes it.

Telnyx documents no format of its API keys, so only what surely is none is refused.
"""

import re

LONGEST = 4096
"""In characters; servers accept no longer header."""

_ALONE = "put the key alone there"
_NOT_REPLACED = (
    "contains a variable that is not replaced; put the key there, or ${NAME} in the configuration"
)

_SHAPES = (
    (r"\s*\Z", "is empty; put the API key there"),
    (r".*-----BEGIN\b", "contains a certificate or private key in PEM; put the API key there"),
    (
        r"\s*(\$(env:)?[a-z_]\w*|\$[({].*[)}]|%\w+%|`.*`|\{\{.*\}\})\s*\Z",
        _NOT_REPLACED,
    ),
    (
        r"\s*ENC\[",
        "contains an encrypted value; decrypt it first, and put the API key there",
    ),
    (
        r"\s*(%\(.*\)s|#\{.*\}|@@.*@@|__.*__)\s*\Z",
        _NOT_REPLACED,
    ),
    (
        r"\s*@",
        "contains the name of a file; put the key itself there, or name its file in api_key_file",
    ),
    (r"\s*[{\[]", f"contains JSON; {_ALONE}"),
    (
        r"""\s*["']?(authorization\s*[:=]\s*)?["']?bearer(?![\w.~+/-])""",
        f"begins with Bearer, which the exporter adds; {_ALONE}",
    ),
    (r"\s*\S[^\r\n]*[\r\n]\s*\S", f"contains several lines; {_ALONE}, on one line"),
    (
        r"\s*(~|\.{1,2})?/|\s*[a-z]+://",
        "contains a path or a URL; put the key itself there, or name its file in api_key_file",
    ),
    (
        r"\s*(export\s+|set\s+|\$env:)?[a-z_][\w.-]*\s*[=:]\s*[^\s=]",
        f"contains a name before the key; {_ALONE}, without the name",
    ),
    (
        r"""\s*["'`\u2018-\u201f]|.*["'`\u2018-\u201f]\s*\Z""",
        "contains quotes around the key; remove them",
    ),
    (
        r"\s*(<.*>|&lt;.*&gt;|~|key)\s*\Z|.*(\.\.\.|\*\*\*|\u2026)",
        "contains a placeholder or a shortened key; put the whole API key there",
    ),
    (r"\s*S0VZ[a-z0-9+/]+=*\s*\Z", "contains a key in base64; put the decoded key there"),
)
"""Patterns, from the start of the text, of what is not a key, each with its fault; first wins."""

_FAULTS = tuple((re.compile(shape, re.IGNORECASE | re.DOTALL), text) for shape, text in _SHAPES)

_TELLING = (
    "your|change|replace|insert|enter|paste|put|fill|placeholder|todo|tbd|fixme|redacted|"
    "none|null|nil|undefined|true|false|x{3,}+"
)
_PLACEHOLDER = re.compile(
    rf"(?:telnyx)?apikey|(?=.*?(?:{_TELLING}))"
    rf"(?:{_TELLING}|api|key|token|secret|telnyx|v|the|an?|in|with|me|here|it|this|real|own|value)+"
)
"""Text made of such words alone, in lower case and without what separates them."""


def api_key_fault(key: str) -> str:
    """Return what is wrong with ``key``, which is sent in a header; empty if nothing is."""
    if len(key) > LONGEST:
        return f"is longer than {LONGEST} characters; {_ALONE}"
    for shape, fault in _FAULTS:
        if shape.match(key):
            return fault
    if _PLACEHOLDER.fullmatch(re.sub("[^a-z]+", "", key.casefold())):
        return "contains a placeholder; put the API key there"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return (
            "contains a character that no API key has, perhaps a space or a line break; remove it"
        )
    return ""
