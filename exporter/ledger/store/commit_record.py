"""What the lock file says of the database beside it: how many commits it has, and how it ended.

The database counts its commits itself; where it has fewer than are noted here, some were lost.
A note is written after its commit and is not synced: after a power loss it may say less, never
more. It must not open the database, or decide what to do about a loss.
"""

import os
import re
from dataclasses import dataclass

MAX_COMMITS = 2**31
"""Commits are counted modulo this, as SQLite's `user_version` has 32 bits with a sign."""

_NOTE = re.compile(rb"commits=([0-9]{10}) (open  |closed)\n")


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """``commits`` were made; ``closed`` says that all of them are in the database file itself."""

    commits: int
    closed: bool

    def lost(self, commits: int) -> int:
        """Return how many commits a database with ``commits`` of them lacks."""
        lacking = (self.commits - commits) % MAX_COMMITS
        return lacking if lacking < MAX_COMMITS // 2 else 0


def read(descriptor: int) -> CommitRecord | None:
    """Return what is noted in an open file; None for nothing, or nothing legible."""
    found = _NOTE.fullmatch(os.pread(descriptor, 100, 0))
    return None if found is None else CommitRecord(int(found[1]), found[2] == b"closed")


def write(descriptor: int, commit_record: CommitRecord | None) -> None:
    """Note it in an open file, None to note nothing; always as long, so that it needs no room."""
    if commit_record is None:
        os.ftruncate(descriptor, 0)
        return
    end = "closed" if commit_record.closed else "open  "
    os.pwrite(descriptor, f"commits={commit_record.commits:010} {end}\n".encode(), 0)
