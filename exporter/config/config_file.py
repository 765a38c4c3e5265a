"""Read a YAML file into a pydantic model, and report every mistake in it at once.

It must not know which settings there are: each kind of file brings its model.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.mistakes import Mistake, first_per_path, format_mistakes, mistakes_in
from exporter.config.yaml_document import YamlDocument, parse_yaml
from exporter.errors import ConfigError
from exporter.reading import read_file

Model = TypeVar("Model", bound=BaseModel)


def read_document(
    path: Path, *, hint: str, read: Callable[[Path], bytes] = read_file
) -> YamlDocument:
    """Return what the file at ``path`` holds, before any setting is looked at.

    ``hint`` tells whoever has an empty file how to start one; ``read`` raises ValueError with
    what is wrong. Raises ConfigError if the file cannot be read or is not a YAML mapping.
    """
    try:
        content = read(path)
    except ValueError as exc:
        text = f"{path}: {exc}"
    else:
        try:
            return parse_yaml(content.decode("utf-8-sig"), str(path), hint=hint)
        except UnicodeDecodeError as exc:
            line = content.count(b"\n", 0, exc.start) + 1
            text = f"{path}:{line}: is not UTF-8; save it as UTF-8"
    # Raised here, not above: the decoder's error holds the whole file, API keys among it.
    raise ConfigError([text])


def validate(
    model: type[Model],
    document: YamlDocument,
    data: Mapping[str, object],
    *,
    context: object,
    mistakes: Iterable[Mistake] = (),
    cross_check: Callable[[Mapping[str, object]], Iterable[Mistake]] = lambda _: (),
) -> Model:
    """Return ``data``, made from that of ``document``, as ``model``.

    ``mistakes`` were found in making it, ``cross_check`` finds more in it. Raises ConfigError
    with every mistake in the order of the file, one for each path, as what follows a first one
    judges a value that was not meant: ``web.yml:3: http_server_config.http2: what is wrong; how
    to fix it``.
    """
    found = [*document.mistakes, *mistakes]
    try:
        settings = model.model_validate(data, context=context)
    except ValidationError as exc:
        found += mistakes_in(exc, model)
    found += cross_check(data)
    if not found:
        return settings
    raise ConfigError(format_mistakes(first_per_path(found), document.lines, document.source))
