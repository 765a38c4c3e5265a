"""The record in the lock file: how many commits the database has, and whether it was closed.

The database counts its commits as well; if it has fewer than recorded here, some were lost. The
record is written after each commit and not synced: after a power failure it may have fewer, never
more. It must not open the database, or decide what to do about a loss.
"""

import os
import re
from dataclasses import dataclass

MAX_COMMITS = 2**31
"""Commits are counted modulo this, because SQLite's `user_version` is a signed 32-bit integer."""

_RECORD = re.compile(rb"commits=([0-9]{10}) (open  |closed)\n")


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """The number of commits; ``closed`` if all of them are in the database file itself."""

    commits: int
    closed: bool

    def lost(self, commits: int) -> int:
        """Return how many commits are missing in a database that has ``commits``."""
        missing = (self.commits - commits) % MAX_COMMITS
        return missing if missing < MAX_COMMITS // 2 else 0


def read(descriptor: int) -> CommitRecord | None:
    """Return the record in an open file; None if it has none, or an invalid one."""
    found = _RECORD.fullmatch(os.pread(descriptor, 100, 0))
    return None if found is None else CommitRecord(int(found[1]), found[2] == b"closed")


def write(descriptor: int, commit_record: CommitRecord | None) -> None:
    """Write the record to an open file, None to clear it; its fixed size needs no new blocks."""
    if commit_record is None:
        os.ftruncate(descriptor, 0)
        return
    end = "closed" if commit_record.closed else "open  "
    os.pwrite(descriptor, f"commits={commit_record.commits:010} {end}\n".encode(), 0)
