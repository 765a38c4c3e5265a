"""What a state is like from outside, while its owner uses it or not: nothing is locked or written.

It must not open the file other than through its reader.
"""

import os
from pathlib import Path

from exporter.ledger.store.protocol import StateFacts

LOCKS = Path("/proc/locks")
"""Where Linux lists the locks on files, those of this container."""


def inspect_file(file: Path, *, locks: Path = LOCKS) -> StateFacts:
    """Return the facts of the state file at a path; raises OSError."""
    target = Path(os.path.realpath(file))
    folder = os.access(target.parent, os.W_OK | os.X_OK)
    if not target.exists():
        return StateFacts(exists=False, writable=folder, users=0)
    beside = [target.with_name(target.name + suffix) for suffix in ("-wal", ".lock")]
    log, lock = (each if each.exists() else None for each in beside)
    writable = folder and all(os.access(each, os.W_OK) for each in (target, log, lock) if each)
    return StateFacts(
        exists=True,
        writable=writable,
        users=_users(target, locks),
        database=target.stat().st_size,
        log=log.stat().st_size if log else 0,
    )


def _users(file: Path, locks: Path) -> int | None:
    """Return how many processes hold the lock of a state file (`file_lock.py`)."""
    try:
        lines = locks.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    # By inode only: some file systems report another device there than to stat.
    inode = str(file.stat().st_ino)
    held = [words for words in map(str.split, lines) if words[1:2] == ["FLOCK"]]
    return len({words[4] for words in held if words[5].rpartition(":")[2] == inode})
