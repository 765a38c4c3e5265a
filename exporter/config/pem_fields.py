"""Fields of a configuration file that hold PEM as text, or that name a file.

They read files through the validation context only, and must not know what the PEM is for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from pydantic import BeforeValidator, ValidationInfo

from exporter.config.config_section import NOT_TEXT, as_text
from exporter.config.mistakes import invalid
from exporter.config.pem import HAS_MEMORY_FILES, Pem, PemError
from exporter.config.tracked_files import TrackedFiles


@dataclass(frozen=True, slots=True)
class FileContext:
    """The validation context: paths are relative to ``folder``; ``files`` reads them."""

    folder: Path
    files: TrackedFiles


def _inline(value: object, info: ValidationInfo) -> Pem:
    if not HAS_MEMORY_FILES:
        raise invalid(f"is not supported on this system; use {info.field_name}_file")
    return Pem(str(info.field_name), None, as_text(value).encode())


def pem_from_file(value: object, info: ValidationInfo) -> Pem | None:
    """Return the content of the file; without a file, the inline text or None."""
    key = str(info.field_name)
    inline = key.removesuffix("_file")
    if value is None:
        if inline not in info.data:
            raise invalid(NOT_TEXT, sibling=inline)  # repeated: only the first at a path is kept
        return cast("Pem | None", info.data[inline])
    if info.data.get(inline, True) is not None:
        raise invalid(f"cannot be combined with {inline}; remove one of them")
    return Pem(key, *read_named(value, info))


def read_named(value: object, info: ValidationInfo) -> tuple[Path, bytes]:
    """Return the path and the content of the file that a key names."""
    if not as_text(value).isprintable():
        raise invalid("contains a control character; remove it")
    source = cast("FileContext", info.context)
    path = source.folder / as_text(value)
    try:
        return path, source.files.read(path)
    except ValueError as exc:
        raise invalid(str(exc)) from None


@contextmanager
def at_its_key() -> Iterator[None]:
    """Turn a PemError into a mistake at the configuration key with the PEM."""
    try:
        yield
    except PemError as exc:
        raise invalid(str(exc), sibling=exc.pem.key) from None


InlinePem = Annotated[Pem, BeforeValidator(_inline)]
