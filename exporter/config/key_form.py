"""What cannot be an API key, and why. Pure: it judges a text, and never repeats it.

Telnyx documents no form of a key, so only what surely is none is refused.
"""

import re

LONGEST = 4096
"""Characters; servers take no longer header."""

_ALONE = "put the key alone there"

_SHAPES = (
    (r"\s*\Z", "is empty; put the API key there"),
    (r".*-----BEGIN\b", "holds a certificate or key in PEM; put the API key there"),
    (
        r"\s*(\$(env:)?[a-z_]\w*|\$[({].*[)}]|%\w+%|`.*`|\{\{.*\}\})\s*\Z",
        "holds a variable that is not replaced; put the key there, or ${NAME} in the configuration",
    ),
    (
        r"\s*ENC\[",
        "holds an encrypted value; decrypt it first, and put the API key there",
    ),
    (
        r"\s*(%\(.*\)s|#\{.*\}|@@.*@@|__.*__)\s*\Z",
        "holds a variable that is not replaced; put the key there, or ${NAME} in the configuration",
    ),
    (
        r"\s*@",
        "holds the name of a file; put the key itself there, or name its file in api_key_file",
    ),
    (r"\s*[{\[]", f"holds JSON; {_ALONE}"),
    (
        r"""\s*["']?(authorization\s*[:=]\s*)?["']?bearer(?![\w.~+/-])""",
        f"begins with Bearer, which is added by itself; {_ALONE}",
    ),
    (r"\s*\S[^\r\n]*[\r\n]\s*\S", f"holds several lines; {_ALONE}, in one line"),
    (
        r"\s*(~|\.{1,2})?/|\s*[a-z]+://",
        "holds a path or an address; put the key itself there, or name its file in api_key_file",
    ),
    (
        r"\s*(export\s+|set\s+|\$env:)?[a-z_][\w.-]*\s*[=:]\s*[^\s=]",
        f"holds a name before the key; {_ALONE}, without the name",
    ),
    (
        r"""\s*["'`\u2018-\u201f]|.*["'`\u2018-\u201f]\s*\Z""",
        "holds quotes around the key; remove them",
    ),
    (
        r"\s*(<.*>|&lt;.*&gt;|~|key)\s*\Z|.*(\.\.\.|\*\*\*|\u2026)",
        "holds a placeholder, or a key that is not shown whole; put the whole API key there",
    ),
    (r"\s*S0VZ[a-z0-9+/]+=*\s*\Z", "holds a key in base64; put the key itself there"),
)
"""Patterns of what is no key, from the start of the text, each with its fault; the first counts."""

_FAULTS = tuple((re.compile(shape, re.IGNORECASE | re.DOTALL), text) for shape, text in _SHAPES)

_TELLING = (
    "your|change|replace|insert|enter|paste|put|fill|placeholder|todo|tbd|fixme|redacted|"
    "none|null|nil|undefined|true|false|x{3,}+"
)
_PLACEHOLDER = re.compile(
    rf"(?:telnyx)?apikey|(?=.*?(?:{_TELLING}))"
    rf"(?:{_TELLING}|api|key|token|secret|telnyx|v|the|an?|in|with|me|here|it|this|real|own|value)+"
)
"""A text made of such words alone, in lower case and without what stands between them."""


def key_fault(key: str) -> str:
    """Return what is wrong with an API key, which travels in a header, or nothing."""
    if len(key) > LONGEST:
        return f"is longer than {LONGEST} characters; {_ALONE}"
    for shape, fault in _FAULTS:
        if shape.match(key):
            return fault
    if _PLACEHOLDER.fullmatch(re.sub("[^a-z]+", "", key.casefold())):
        return "holds a placeholder; put the API key there"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "holds a character that no API key has, a space or a line break perhaps; remove it"
    return ""
