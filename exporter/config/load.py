"""Settings from a file or from the environment; every mistake is reported at once.

It must not act on the settings, or read the environment other than through its argument.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from exporter.config import document
from exporter.config.checks import check
from exporter.config.environment import substitute
from exporter.config.key_form import key_fault
from exporter.config.problems import Problem, explain, render
from exporter.config.settings import Settings
from exporter.errors import ConfigError
from exporter.reading import read_file

_VARIABLE = "TELNYX_API_KEY"


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings in the file at ``path``; paths in it are from the working directory.

    Raises ConfigError with every mistake, in the order of the file:
    ``config.yaml:12: accounts[1].base_url: what is wrong; how to mend it``.
    """
    source = str(path)
    parsed = document.parse(_read(path), source)
    replaced, unset = substitute(parsed.data, environ)
    data = cast("Mapping[str, object]", replaced)  # a mapping goes in, so one comes out
    problems = [*parsed.problems, *unset]
    settings, wrong = _validate(data)
    # What already has a mistake is not judged further: the value is not what was meant.
    known = {problem.place for problem in problems}
    problems += [problem for problem in wrong if problem.place not in known]
    known = {problem.place for problem in problems}
    problems += [problem for problem in check(data) if problem.place not in known]
    if settings is None or problems:
        raise ConfigError(render(problems, parsed.lines, source))
    return settings


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the defaults for one account, whose key is in ``TELNYX_API_KEY``.

    Raises ConfigError if it is not set or cannot be a key.
    """
    key = environ.get(_VARIABLE)
    if key is None:
        text = "is not set; set it to the API key, or name a file with --config.file"
        raise ConfigError([f"{_VARIABLE}: {text}"])
    fault = key_fault(key)
    if fault:
        raise ConfigError([f"{_VARIABLE}: {fault}"])
    return Settings.model_validate({"accounts": [{"api_key": key}]})


def _read(path: Path) -> str:
    try:
        content = read_file(path)
    except ValueError as exc:
        raise ConfigError([f"{path}: {exc}"]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
    # Raised here: the decoder's error holds the whole file, keys among it.
    raise ConfigError([f"{path}:{line}: is not UTF-8; save it as UTF-8"])


def _validate(data: object) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(data, context={"file": True}), []
    except ValidationError as exc:
        return None, list(explain(exc, Settings))
