"""Where the state file stands: whose it is, whether it is the file that it was, what it takes.

It must not read or write the database. Two files are locked: one beside the database, which also
keeps the evidence of it, then the database itself, which has one inode under whatever name. Its
descriptor is closed after the database only, as that drops the locks that SQLite holds.
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
_ANEW = "put a copy in its place, or move it away to begin at 0"
_MAGIC = b"SQLite format 3\0"
_FILE_TYPES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class StateObserver(Protocol):
    """Who is told of what befalls the state, on any thread."""

    def state_began_anew(self, file: str) -> None:
        """Take note that a database is gone: counters begin at 0."""

    def state_went_back(self, file: str, commits: int) -> None:
        """Take note that an older copy stands in its place, which lacks ``commits``."""

    def state_exposed(self, file: str) -> None:
        """Take note that other users may read the file."""

    def state_log_large(self, file: str, size: int) -> None:
        """Take note that a reader keeps the write-ahead log from being emptied."""


class FileSizes(NamedTuple):
    """Bytes on disk: of the database, and of its write-ahead log."""

    database: int
    log: int


class _Identity(NamedTuple):
    """What makes a file the same file, whatever it is called."""

    device: int
    inode: int


class StateFileLock:
    """The path of a state file, owned by one process at a time."""

    def __init__(self, file: Path, notices: StateObserver | None = None) -> None:
        """Keep the path; nothing is locked yet. ``notices`` is told of losses."""
        self._named = file
        self._file = file
        self._notices = notices
        self._lock: int | None = None
        self._database: int | None = None
        self._opened: dict[Path, _Identity | None] = {}
        self._commit_record: CommitRecord | None = None
        self._exposed = False
        self._last: CommitRecord | None = None
        """Of the session before, in this process: the lock file may be gone with the others."""

    def acquire(self) -> Path:
        """Make sure that nobody else counts into the same file; return what it is really called.

        Raises StateError where another process does, or where what stands there is no database
        any more or has a second name; OSError where the place cannot be written to.
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
        # Past whatever it is called: by a bind mount, say, one file has two paths.
        self._lock_or_refuse(self._database)
        if os.pread(self._database, len(_MAGIC), 0) not in {b"", _MAGIC}:
            # SQLite takes a first page from the log that is left, and misses the others later.
            raise StateError(f"state database {self._named}: file is not a database: {_ANEW}")
        self._warn_if_exposed()
        return self._file

    def remember(self, commits: int) -> None:
        """Note which files stand here and what they hold, once the database is open."""
        self._opened = {
            path: _identity(path)
            for path in (self._named, self._beside(".lock"), self._beside("-wal"))
        }
        found, self._last = self._commit_record, None
        if found is not None and found.lost(commits) and self._notices is not None:
            self._notices.state_went_back(str(self._named), found.lost(commits))
        self.note(commits)

    def refuse_loss(self, commits: int | None) -> None:
        """Raise StateError where the database lacks commits that no copy of it explains.

        ``commits`` is how many it has, None if it has not even tables.
        """
        found = self._commit_record
        if found is None:
            return
        if commits is None:
            raise StateError(f"state database {self._named} is empty, and was not: {_ANEW}")
        if not found.closed and found.lost(commits):
            raise StateError(
                f"state database {self._named} lacks the last {found.lost(commits)} commits: its "
                f"write-ahead log {self._file.name}-wal is missing or damaged, or this is a copy "
                "made while the exporter ran; put the log back, or a whole copy in its place "
                f"(docs/operations.md, Backup), or remove {self._file.name}.lock to go on with "
                "what there is"
            )

    def note(self, commits: int) -> None:
        """Note how many commits the database has by now."""
        self._commit_record = CommitRecord(commits, closed=False)
        if self._lock is not None:
            commit_record.write(self._lock, self._commit_record)

    def check(self) -> FileSizes:
        """Return how large the files are.

        Raises StateError if the path names another file by now: commits would be lost.
        """
        for path, known in self._opened.items():
            if _identity(path) != known:
                raise StateError(
                    f"state database {self._named}: {path.name} was removed or replaced while in "
                    "use; what stands there now is read anew"
                )
        sizes = self.sizes()
        if not sizes.database:
            raise StateError(f"state database {self._named} was emptied while in use: {_ANEW}")
        return sizes

    def sizes(self) -> FileSizes:
        """Return how large the files are; 0 for one that is not there."""
        return FileSizes(_size(self._file), _size(self._beside("-wal")))

    @property
    def moved(self) -> bool:
        """Whether the path names another file than the one that is open: SQLite keeps its log."""
        return self._named in self._opened and _known(self._named) != self._opened[self._named]

    def release(self) -> None:
        """Give up the locks, after the database was closed."""
        journal = self._opened.get(self._beside("-wal"))
        if journal is not None and self.moved and _known(self._beside("-wal")) == journal:
            # SQLite leaves it behind then, and would play it back into the file that is new.
            with suppress(OSError):
                log = self._beside("-wal")
                if _size(log):  # not written back: nothing else has these commits
                    log.rename(self._beside("-wal.left"))
                else:
                    log.unlink()
            with suppress(OSError):
                self._beside("-shm").unlink()
        if self._opened and self._commit_record is not None and self._lock is not None:
            with suppress(OSError):  # what is on the disk is right all the same, if less
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
                    "exist: check that its disk is mounted, or set state.url to that file"
                ) from None
            return
        if file_type := _file_type(found.st_mode):
            raise StateError(
                f"state database {self._named} is {file_type}: set state.url to a regular file"
            )
        if found.st_nlink > 1:
            raise StateError(
                f"state database {self._named} has a second name (a hard link), and SQLite keeps "
                f"its log beside each: remove one; find / -samefile {self._named} lists them"
            )

    def _refuse_kinds_beside(self) -> None:
        """Raise StateError for what SQLite or a lock would hang on, or tell without its name."""
        for suffix in (".lock", "-wal", "-shm", "-journal"):
            path = self._beside(suffix)
            with suppress(FileNotFoundError):
                if file_type := _file_type(path.stat().st_mode):
                    raise StateError(
                        f"state database {self._named}: {path.name} beside it is {file_type}, and "
                        "has to be a regular file: move it away"
                    )

    def _lock_or_refuse(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise StateError(
                f"state database {self._named} is in use by another process: stop that one, "
                "or give each its own state.url"
            ) from exc

    def _look_for_loss(self) -> None:
        """Tell a database that is gone, or emptied, from one that never was."""
        size, log = self.sizes()
        if self._file.exists():
            if not size and (self._commit_record is not None or log):
                raise StateError(f"state database {self._named} is empty, and was not: {_ANEW}")
            return
        if log:
            raise StateError(
                f"state database {self._named} is missing, and {self._file.name}-wal holds commits "
                "of it: put the database back, or remove that too to begin at 0"
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
    """Return what it is, None for a regular file."""
    return next((file_type for is_kind, file_type in _FILE_TYPES if is_kind(mode)), None)


def _open(path: Path) -> int:
    """Open a file to write; one that is made now is its owner's alone, whatever the umask."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(descriptor, _OWNER_ONLY)
    return descriptor


def _identity(path: Path) -> _Identity | None:
    """Return what file stands at a path, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Identity(found.st_dev, found.st_ino)


def _known(path: Path) -> _Identity | None:
    """Return what file stands at a path, None where that cannot be told."""
    try:
        return _identity(path)
    except OSError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
