"""Makes standard output and standard error safe to use, whatever they are connected to.

This affects the whole process, so only a program may use it. It must not know what is written.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exporter.errors import OutputError
from exporter.sanitize import one_line


@contextmanager
def prepared() -> Iterator[None]:
    """Accept any text on standard output and standard error while the context lasts.

    Raises OutputError if a write to standard output fails.
    """
    _fill_gaps()
    before = sys.stdout
    sys.stdout = _text(
        _Stdout(1, "w", closefd=False),
        None if before is None else before.encoding,
        line_buffering=before is not None and before.isatty(),
    )
    if sys.stderr is None:
        sys.stderr = _text(io.FileIO(2, "w", closefd=False), None, line_buffering=True)
    try:
        yield
    finally:
        # Otherwise Python would flush a log that nobody reads, and exit with 120.
        try:
            sys.stderr.flush()
        except OSError:
            _to_nowhere(2)


def say(text: str) -> None:
    """Print ``text`` in the configured encoding; click would use UTF-8 for ASCII."""
    sys.stdout.write(text)
    sys.stdout.flush()


def shown(text: str) -> str:
    """Return foreign ``text`` as standard output is to have it: exact, but for a terminal.

    A terminal gets control characters escaped, because it would obey them; lines stay lines.
    """
    if not sys.stdout.isatty():
        return text
    lines = text.replace("\r\n", "\n")
    return one_line(lines, kept="\n\t", encoding=sys.stdout.encoding)


class _Stdout(io.FileIO):
    """Standard output, with failures that differ from those of other files."""

    def write(self, data: Any, /) -> int:
        while True:
            try:
                return os.write(1, data)
            except BlockingIOError:
                select.select((), (1,), ())
            except OSError as exc:
                # Python flushes the rest again when it exits.
                _to_nowhere(1)
                raise OutputError(f"cannot write to standard output: {exc.strerror}") from exc


def _text(raw: io.FileIO, encoding: str | None, *, line_buffering: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=line_buffering
    )


def _fill_gaps() -> None:
    """Open closed descriptors: otherwise a database could get their number and be written into."""
    # Standard output is opened read-only, so that writes to it still fail.
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
