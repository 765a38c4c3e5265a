"""Reads files, and detects whether any of them has changed.

It compares contents, because two writes can have the same timestamp. It must not know what the
files are for.
"""

import hashlib
from pathlib import Path

from exporter.reading import read_file


class TrackedFiles:
    """The files of one configuration."""

    def __init__(self) -> None:
        """Start without files."""
        self._seen: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Return the content of the file, and store a digest of it, or the error.

        Raises ValueError with what is wrong and how to fix it.
        """
        try:
            content = read_file(path)
        except ValueError as exc:
            self._seen[path] = _digest(exc)
            raise
        self._seen[path] = _digest(content)
        return content

    def changed(self) -> bool:
        """Tell whether any file has changed, has been created or has been deleted."""
        return any(_now(path) != seen for path, seen in self._seen.items())


def _now(path: Path) -> bytes:
    try:
        return _digest(read_file(path))
    except ValueError as exc:
        return _digest(exc)


def _digest(content: bytes | ValueError) -> bytes:
    # A file may contain a private key, which must not be kept.
    if isinstance(content, ValueError):
        return str(content).encode()
    return hashlib.sha256(content).digest()
