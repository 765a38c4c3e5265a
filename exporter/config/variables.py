"""``${VAR}`` in the texts of a file, replaced from the environment.

It works on parsed values, so that nothing a variable holds can change the structure of the
file. It must not read the environment itself, or interpret the values.
"""

import re
from collections.abc import Mapping

from exporter.config.mistakes import KeyPath, Mistake, redact_long_name

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def substitute(
    value: object, environ: Mapping[str, str], path: KeyPath = ()
) -> tuple[object, list[Mistake]]:
    """Return ``value`` with every ``${VAR}`` in its texts replaced, and the mistakes.

    ``$$`` stands for one dollar; any other dollar stays. Replaced text is not replaced again,
    and a text with a mistake stays as it was.
    """
    mistakes: list[Mistake] = []

    def inside(inner: object, key: str | int) -> object:
        replaced, more = substitute(inner, environ, (*path, key))
        mistakes.extend(more)
        return replaced

    if isinstance(value, Mapping):
        return {key: inside(inner, key) for key, inner in value.items()}, mistakes
    if isinstance(value, list):
        return [inside(inner, index) for index, inner in enumerate(value)], mistakes
    if not isinstance(value, str):
        return value, mistakes
    try:
        return _REFERENCE.sub(lambda found: _replace(found, environ), value), mistakes
    except ValueError as exc:
        return value, [Mistake(path, str(exc))]


def _replace(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    name, closed = found.groups()
    if not closed:
        raise ValueError("contains ${ without a closing }; write ${NAME}, or $${ for a plain ${")
    if not _NAME.fullmatch(name):
        raise ValueError(
            "contains ${} without a valid variable name; write ${NAME}, or $${ for a plain ${"
        )
    if name not in environ:
        raise ValueError(
            f"environment variable {redact_long_name(name)} is not set; set it, or write the value"
        )
    return environ[name]
