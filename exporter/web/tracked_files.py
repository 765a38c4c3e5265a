"""Read files, and tell later whether any of them is different now.

The content decides, not the times of the file: two writes can carry the same time. It must
not know what the files are for.
"""

import hashlib
from pathlib import Path

from exporter.reading import read_file


class TrackedFiles:
    """The files that one reading of a configuration was made from."""

    def __init__(self) -> None:
        """Start with none."""
        self._seen: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Return what the file holds; it is remembered, as is a failure.

        Raises ValueError with what is wrong and how to mend it.
        """
        try:
            content = read_file(path)
        except ValueError as exc:
            self._seen[path] = _digest(exc)
            raise
        self._seen[path] = _digest(content)
        return content

    def changed(self) -> bool:
        """Tell whether any file holds something else now, came or went."""
        return any(_now(path) != seen for path, seen in self._seen.items())


def _now(path: Path) -> bytes:
    try:
        return _digest(read_file(path))
    except ValueError as exc:
        return _digest(exc)


def _digest(content: bytes | ValueError) -> bytes:
    # A file may hold a key: what is kept of it must not show it.
    if isinstance(content, ValueError):
        return str(content).encode()
    return hashlib.sha256(content).digest()
