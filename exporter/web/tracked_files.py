"""Read files, and tell later whether any of them has changed.

The content decides, not the timestamps: two writes can have the same one. It must not know what
the files are for.
"""

import hashlib
from pathlib import Path

from exporter.reading import read_file


class TrackedFiles:
    """The files from which one configuration was read."""

    def __init__(self) -> None:
        """Start with none."""
        self._seen: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Return the content of the file; a digest of it, or the failure, is remembered.

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
        """Tell whether any file has other content now, has appeared or is gone."""
        return any(_now(path) != seen for path, seen in self._seen.items())


def _now(path: Path) -> bytes:
    try:
        return _digest(read_file(path))
    except ValueError as exc:
        return _digest(exc)


def _digest(content: bytes | ValueError) -> bytes:
    # A file may hold a key, which must not be kept.
    if isinstance(content, ValueError):
        return str(content).encode()
    return hashlib.sha256(content).digest()
