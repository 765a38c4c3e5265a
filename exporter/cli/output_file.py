"""Writes the file that --output names: as a whole or not at all, where that is a regular file.

It must not know what is written.
"""

import os
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE, S_ISREG

from exporter.errors import UsageError
from exporter.sanitize import one_line


def write_file(path: Path, parts: Generator[bytes], *, private: bool) -> None:
    """Write the parts, which are closed at the end; raises UsageError.

    What is no regular file, such as a device or a pipe, is written to as it is. A file keeps its
    permissions; a new one has those of the umask, or is the owner's only if it is ``private``.
    """
    with closing(parts):
        try:
            mode = _mode(path)
            if mode is None or S_ISREG(mode):
                _replace(Path(os.path.realpath(path)), parts, mode, private=private)
            else:
                with path.open("wb") as file:
                    file.writelines(parts)
        except OSError as exc:
            raise UsageError(one_line(f"--output: {path}: {exc.strerror}")) from exc


def _mode(path: Path) -> int | None:
    """Return what a path leads to, and its permissions; None for nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, parts: Generator[bytes], mode: int | None, *, private: bool) -> None:
    unfinished = target.with_name(f"{target.name}.{token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(unfinished, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, S_IMODE(mode))
            file.writelines(parts)
        unfinished.replace(target)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
