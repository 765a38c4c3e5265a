"""Where the state file stands: its lock, and whether it is still the file that was opened.

It must not open the database. A second file is locked, as closing a descriptor of the database
file itself would drop the locks that SQLite holds on it.
"""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from exporter.errors import StateError


class _Identity(NamedTuple):
    """What makes a file the same file, whatever it is called."""

    device: int
    inode: int


class Place:
    """The path of a state file, owned by one process at a time."""

    def __init__(self, file: Path) -> None:
        """Keep the path; nothing is locked yet."""
        self._file = file
        self._lock_file = _beside(file, ".lock")
        self._journal = _beside(file, "-wal")
        self._lock: IO[str] | None = None
        self._opened: dict[Path, _Identity | None] = {}

    def take(self) -> None:
        """Make sure that no other process counts into the same file: it would count twice.

        Raises StateError where one does, OSError where the place cannot be written to.
        """
        if self._lock is not None:
            return
        lock = self._lock_file.open("w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.close()
            raise StateError(
                f"state database {self._file} is in use by another process: stop that one, "
                "or give each its own state.url"
            ) from exc
        except OSError:
            lock.close()
            raise
        self._lock = lock

    def remember(self) -> None:
        """Note which files stand here, once the database is open."""
        self._opened = {
            path: _identity(path) for path in (self._file, self._lock_file, self._journal)
        }

    def check(self) -> None:
        """Raise StateError if the path names another file by now: commits would be lost."""
        for path in (self._file, self._lock_file):
            if path in self._opened and _identity(path) != self._opened[path]:
                raise StateError(
                    f"state database {self._file}: {path.name} was removed or replaced while in "
                    "use; what stands there now is read anew"
                )

    def leave(self) -> None:
        """Give up the lock, after the database was closed."""
        if self._lock is None:
            return
        journal = self._opened.get(self._journal)
        moved = _identity(self._file) != self._opened.get(self._file)
        if journal is not None and moved and _identity(self._journal) == journal:
            # SQLite leaves it behind then, and would play it back into the file that is new.
            for name in ("-wal", "-shm"):
                with suppress(OSError):
                    _beside(self._file, name).unlink()
        self._opened = {}
        self._lock.close()
        self._lock = None


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _identity(path: Path) -> _Identity | None:
    """Return what file stands at a path, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Identity(found.st_dev, found.st_ino)
