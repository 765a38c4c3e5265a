"""``${VAR}`` in the texts of a document, replaced from the environment.

It works on parsed values, so that nothing a variable holds can change the structure of the
file. It must not read the environment itself, or interpret the values.
"""

import re
from collections.abc import Mapping

from exporter.config.problems import Place, Problem, name_text

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def substitute(
    value: object, environ: Mapping[str, str], place: Place = ()
) -> tuple[object, list[Problem]]:
    """Return ``value`` with every ``${VAR}`` in its texts replaced, and what went wrong.

    ``$$`` stands for one dollar; any other dollar stays. Replaced text is not replaced again,
    and a text with a mistake stays as it was.
    """
    problems: list[Problem] = []

    def inside(inner: object, key: str | int) -> object:
        replaced, more = substitute(inner, environ, (*place, key))
        problems.extend(more)
        return replaced

    if isinstance(value, Mapping):
        return {key: inside(inner, key) for key, inner in value.items()}, problems
    if isinstance(value, list):
        return [inside(inner, index) for index, inner in enumerate(value)], problems
    if not isinstance(value, str):
        return value, problems
    try:
        return _REFERENCE.sub(lambda found: _replace(found, environ), value), problems
    except ValueError as exc:
        return value, [Problem(place, str(exc))]


def _replace(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    name, closed = found.groups()
    if not closed:
        raise ValueError("a variable is not closed; write ${NAME}, or $${ for a plain ${")
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a variable in ${}; write ${NAME}, or $${ for a plain ${")
    if name not in environ:
        raise ValueError(
            f"the variable {name_text(name)} is not set; set it, or write the value itself"
        )
    return environ[name]
