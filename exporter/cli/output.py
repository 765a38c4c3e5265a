"""Standard output and error as a program needs them, whatever they are connected to.

What is set holds for the whole process, so only a program may do it. It must not know what is
written.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exporter.errors import OutputError


@contextmanager
def prepared() -> Iterator[None]:
    """Take any text on standard output and error while the context lasts, and end with it.

    A write to standard output that fails raises OutputError.
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
        # Python would write what is left of a log that nobody takes, and end with 120.
        try:
            sys.stderr.flush()
        except OSError:
            _to_nowhere(2)


def say(text: str) -> None:
    """Print ``text`` in the encoding that is asked for; click takes UTF-8 for ASCII."""
    sys.stdout.write(text)
    sys.stdout.flush()


class _Stdout(io.FileIO):
    """Standard output, whose failure can be told from that of any other file."""

    def write(self, data: Any, /) -> int:
        while True:
            try:
                return os.write(1, data)
            except BlockingIOError:
                select.select((), (1,), ())
            except OSError as exc:
                # Python writes what is left once more when it ends.
                _to_nowhere(1)
                raise OutputError(f"standard output: cannot be written ({exc.strerror})") from exc


def _text(raw: io.FileIO, encoding: str | None, *, line_buffering: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=line_buffering
    )


def _fill_gaps() -> None:
    """Open what is closed: a database would get its number, and be written into."""
    # Standard output only for reading, so that it can still not be written.
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
