"""The state file on disk: who owns it, whether it was replaced, and how large it is.

It must not read or write the database. Two files are locked: a lock file next to the database,
which also records its commits, then the database itself, because one inode can have several paths.
Its descriptor is closed only after the database, because closing it drops the locks of SQLite.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from exporter.errors import StateError
from exporter.ledger.store import commit_record
from exporter.ledger.store.commit_record import CommitRecord

_OWNER_ONLY = 0o600
RESTORE = "restore a backup, or move the file away to start counting at 0"
"""The remedy for a database that cannot be used any more."""

_MAGIC = b"SQLite format 3\0"
_FILE_TYPES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class StateObserver(Protocol):
    """Receives warnings about the state file, on any thread."""

    def state_began_anew(self, file: str) -> None:
        """Report that the database is gone: counters start at 0."""

    def state_went_back(self, file: str, commits: int) -> None:
        """Report that an older copy replaced the database; it lacks ``commits`` commits."""

    def state_exposed(self, file: str) -> None:
        """Report that other users can read the file."""

    def state_log_large(self, file: str, size: int) -> None:
        """Report that a reader prevents the write-ahead log from being written back."""


class FileSizes(NamedTuple):
    """Sizes on disk in bytes: the database and its write-ahead log."""

    database: int
    log: int


class _Identity(NamedTuple):
    """What identifies a file regardless of its path."""

    device: int
    inode: int


class StateFileLock:
    """The path of a state file, owned by one process at a time."""

    def __init__(self, file: Path, notices: StateObserver | None = None) -> None:
        """Store the path; nothing is locked yet. ``notices`` is called about losses."""
        self._named = file
        self._file = file
        self._notices = notices
        self._lock: int | None = None
        self._database: int | None = None
        self._opened: dict[Path, _Identity | None] = {}
        self._commit_record: CommitRecord | None = None
        self._exposed = False
        self._last: CommitRecord | None = None
        """From the previous session in this process, because the lock file may be gone as well."""

    def acquire(self) -> Path:
        """Lock the file against other processes; return its path with symbolic links resolved.

        Raises StateError if another process uses it, if it is no longer a database or if it has
        several hard links; OSError if the directory is not writable.
        """
        if self._database is not None:
            return self._file
        self._refuse_file_type()
        self._file = Path(os.path.realpath(self._named))
        self._refuse_kinds_beside()
        self._lock = _open(self._beside(".lock"))
        self._lock_or_refuse(self._lock)
        self._commit_record = self._last or commit_record.read(self._lock)
        self._look_for_loss()
        self._database = _open(self._file)
        # The inode too: with a bind mount, for example, one file has two paths.
        self._lock_or_refuse(self._database)
        if os.pread(self._database, len(_MAGIC), 0) not in {b"", _MAGIC}:
            # SQLite would take the first page from a leftover log, and fail on other pages later.
            raise StateError(f"state database {self._named}: file is not a database; {RESTORE}")
        self._warn_if_exposed()
        return self._file

    def remember(self, commits: int) -> None:
        """Record which files are in use and their commits, once the database is open."""
        self._opened = {
            path: _identity(path)
            for path in (self._named, self._beside(".lock"), self._beside("-wal"))
        }
        found, self._last = self._commit_record, None
        if found is not None and found.lost(commits) and self._notices is not None:
            self._notices.state_went_back(str(self._named), found.lost(commits))
        self.note(commits)

    def refuse_loss(self, commits: int | None) -> None:
        """Raise StateError if commits are missing and restoring a backup does not explain it.

        ``commits`` is how many the database has, None if it has no tables.
        """
        found = self._commit_record
        if found is None:
            return
        if commits is None:
            raise StateError(f"state database {self._named} is empty but was not before; {RESTORE}")
        if not found.closed and found.lost(commits):
            raise StateError(
                f"state database {self._named} lacks the last {found.lost(commits)} commits: its "
                f"write-ahead log {self._file.name}-wal is missing or damaged, or the file was "
                "copied while the exporter was running; restore the log or a complete backup "
                f"(docs/operations.md, Backup), or delete {self._file.name}.lock to continue "
                "without those commits"
            )

    def note(self, commits: int) -> None:
        """Record how many commits the database has now."""
        self._commit_record = CommitRecord(commits, closed=False)
        if self._lock is not None:
            commit_record.write(self._lock, self._commit_record)

    def check(self) -> FileSizes:
        """Return the file sizes.

        Raises StateError if the path leads to another file now, because commits would be lost.
        """
        for path, known in self._opened.items():
            if _identity(path) != known:
                raise StateError(
                    f"state database {self._named}: {path.name} was deleted or replaced while in "
                    "use; the file there now will be opened"
                )
        sizes = self.sizes()
        if not sizes.database:
            raise StateError(f"state database {self._named} was truncated while in use; {RESTORE}")
        return sizes

    def sizes(self) -> FileSizes:
        """Return the file sizes; 0 for a file that does not exist."""
        return FileSizes(_size(self._file), _size(self._beside("-wal")))

    @property
    def moved(self) -> bool:
        """Whether the path leads to another file than the open one: SQLite then keeps its log."""
        return self._named in self._opened and _known(self._named) != self._opened[self._named]

    def release(self) -> None:
        """Release the locks, after the database was closed."""
        log = self._opened.get(self._beside("-wal"))
        if log is not None and self.moved and _known(self._beside("-wal")) == log:
            # SQLite leaves it behind then, and would replay it into the new file.
            with suppress(OSError):
                path = self._beside("-wal")
                if _size(path):  # not checkpointed: these commits are nowhere else
                    path.rename(self._beside("-wal.left"))
                else:
                    path.unlink()
            with suppress(OSError):
                self._beside("-shm").unlink()
        if self._opened and self._commit_record is not None and self._lock is not None:
            with suppress(OSError):  # the older record on disk stays valid
                closed = not _size(self._beside("-wal"))
                self._last = CommitRecord(self._commit_record.commits, closed=closed)
                commit_record.write(self._lock, self._last)
        self._opened = {}
        for descriptor in (self._database, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._database = self._lock = None

    def _beside(self, suffix: str) -> Path:
        return self._file.with_name(self._file.name + suffix)

    def _refuse_file_type(self) -> None:
        try:
            found = self._named.stat()
        except FileNotFoundError:
            if self._named.is_symlink():
                raise StateError(
                    f"state database {self._named} is a symbolic link to a file that does not "
                    "exist; check that its disk is mounted, or set state.url to that file"
                ) from None
            return
        if file_type := _file_type(found.st_mode):
            raise StateError(
                f"state database {self._named} is {file_type}; set state.url to a regular file"
            )
        if found.st_nlink > 1:
            raise StateError(
                f"state database {self._named} has more than one hard link, and SQLite would keep "
                f"a log for each; remove all but one (find / -samefile {self._named} lists them)"
            )

    def _refuse_kinds_beside(self) -> None:
        """Raise StateError for files on which SQLite would hang, or fail without naming them."""
        for suffix in (".lock", "-wal", "-shm", "-journal"):
            path = self._beside(suffix)
            with suppress(FileNotFoundError):
                if file_type := _file_type(path.stat().st_mode):
                    raise StateError(
                        f"state database {self._named}: {path.name} next to it is {file_type}, but "
                        "must be a regular file; move it away"
                    )

    def _lock_or_refuse(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise StateError(
                f"state database {self._named} is in use by another process; stop that process, "
                "or set a different state.url"
            ) from exc

    def _look_for_loss(self) -> None:
        """Distinguish a deleted or truncated database from one that never existed."""
        size, log = self.sizes()
        if self._file.exists():
            if not size and (self._commit_record is not None or log):
                raise StateError(
                    f"state database {self._named} is empty but was not before; {RESTORE}"
                )
            return
        if log:
            raise StateError(
                f"state database {self._named} is missing, but {self._file.name}-wal contains "
                "commits of it; restore the database, or delete that file too to start counting at "
                "0"
            )
        if self._commit_record is not None:
            self._commit_record = self._last = None
            if self._lock is not None:
                commit_record.write(self._lock, None)
            if self._notices is not None:
                self._notices.state_began_anew(str(self._named))

    def _warn_if_exposed(self) -> None:
        if self._database is None or self._notices is None or self._exposed:
            return
        if os.fstat(self._database).st_mode & stat.S_IROTH:
            self._exposed = True
            self._notices.state_exposed(str(self._named))


def _file_type(mode: int) -> str | None:
    """Return the type of a file, None for a regular file."""
    return next((file_type for is_kind, file_type in _FILE_TYPES if is_kind(mode)), None)


def _open(path: Path) -> int:
    """Open a file for writing; a new one is accessible to its owner only, whatever the umask."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(descriptor, _OWNER_ONLY)
    return descriptor


def _identity(path: Path) -> _Identity | None:
    """Return the identity of the file at a path, None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Identity(found.st_dev, found.st_ino)


def _known(path: Path) -> _Identity | None:
    """Return the identity of the file at a path, None if it cannot be determined."""
    try:
        return _identity(path)
    except OSError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
