import errno
import fcntl
import io
import os
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from exporter.errors import DeliveryError
from exporter.sinks.event_log import EventLog
from exporter.sinks.log import LogSink
from exporter.sinks.writer import ATOMIC, LOOK_MS, LogWriter

WITHIN = 30.0


@dataclass
class Pipe:
    """A pipe that nobody reads until it is asked to."""

    out: int
    into: TextIO
    text: bytes = b""
    reader: threading.Thread | None = None

    def fill(self) -> int:
        """Write until it is full; returns how many bytes that took."""
        descriptor = self.into.fileno()
        os.set_blocking(descriptor, False)
        count = 0
        try:
            while True:
                count += os.write(descriptor, b"x" * 4095 + b"\n")
        except BlockingIOError:
            os.set_blocking(descriptor, True)
            return count

    def read(self, count: int) -> bytes:
        """Read at most so many bytes."""
        return os.read(self.out, count)

    def refill(self, count: int) -> None:
        """Read at most so many bytes, and wait until something is written in their place."""
        full, end = self._unread(), time.monotonic() + WITHIN
        left = full - len(self.read(count))
        while self._unread() == left:
            assert time.monotonic() < end

    def _unread(self) -> int:
        answer = fcntl.ioctl(self.out, termios.FIONREAD, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    def read_all(self) -> None:
        """Read from now on, in the background."""

        def gather() -> None:
            while part := os.read(self.out, 65_536):
                self.text += part

        self.reader = threading.Thread(target=gather)
        self.reader.start()

    def lines(self) -> list[str]:
        """Close it for writing, and return the lines that were read."""
        self.into.close()
        assert self.reader is not None
        self.reader.join(WITHIN)
        return self.text.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Give a pipe."""
    out, into = os.pipe()
    with os.fdopen(into, "w", encoding="utf-8") as stream:
        pipe = Pipe(out, stream)
        yield pipe
    if pipe.reader is not None:
        pipe.reader.join(WITHIN)
    os.close(out)


def flushed(writer: LogWriter) -> None:
    """Wait until all is written or dropped."""
    writer.flush().result(WITHIN)


def test_lines_are_written_in_the_order_in_which_they_come() -> None:
    """Those that may be dropped among those that may not; None leaves one out."""
    stream = io.StringIO()
    writer = LogWriter(stream)
    writer.write("a")
    done = writer.deliver(["b", None, "c"])
    writer.write("d")
    done.result(WITHIN)
    flushed(writer)
    assert stream.getvalue().splitlines() == ["a", "b", "c", "d"]
    assert writer.dropped == 0


def test_a_pipe_that_nobody_reads_holds_up_no_caller(pipe: Pipe) -> None:
    """What may not be dropped waits, and comes when somebody reads; of the rest some is dropped."""
    writer = LogWriter(pipe.into, limit=1000)
    pipe.fill()
    waiting = [writer.deliver([f"action {number}"]) for number in range(3000)]
    for number in range(500):
        writer.write(f"other {number}")
    assert not wait(waiting, timeout=0).done
    assert 300 < writer.dropped < 500
    dropped = writer.dropped
    pipe.read_all()
    flushed(writer)
    assert all(done.result(WITHIN) is None for done in waiting)
    lines = pipe.lines()
    actions = [line for line in lines if line.startswith("action")]
    others = [line for line in lines if line.startswith("other")]
    assert actions == [f"action {number}" for number in range(3000)]
    assert others == [f"other {number}" for number in range(500 - dropped)]
    assert writer.dropped == dropped


def test_a_slow_reader_gets_all(pipe: Pipe) -> None:
    """Long lines too, byte by byte as there is room."""
    writer = LogWriter(pipe.into)
    filled = pipe.fill()
    lines = ["short", "long " + "é" * 100_000, "last"]
    done = writer.deliver(lines)
    text = b""
    size = filled + len("".join(f"{line}\n" for line in lines).encode())
    while len(text) < size:
        text += pipe.read(1000)
    done.result(WITHIN)
    assert text[filled:].decode().splitlines() == lines


def test_a_line_that_fits_is_written_as_a_whole(pipe: Pipe) -> None:
    """A program that ends while nobody reads leaves no half of a line behind."""
    writer = LogWriter(pipe.into)
    pipe.fill()
    line = "y" * (ATOMIC - 101)
    done = writer.deliver([line] * 100)
    pipe.refill(3 * ATOMIC)
    writer.give_up()
    with pytest.raises(DeliveryError, match="nobody reads") as caught:
        done.result(WITHIN)
    pipe.read_all()
    lines = [each for each in pipe.lines() if each.startswith("y")]
    assert lines == [line] * caught.value.delivered
    assert lines


def test_giving_up_says_how_much_was_written(pipe: Pipe) -> None:
    """So that only the others are written again another time."""
    writer = LogWriter(pipe.into)
    pipe.fill()
    done = writer.deliver(f"action {number}" for number in range(10_000))
    pipe.refill(10 * ATOMIC)
    writer.write("other")
    writer.give_up()
    with pytest.raises(DeliveryError) as caught:
        done.result(WITHIN)
    flushed(writer)
    assert writer.dropped == 1
    pipe.read_all()
    lines = [line for line in pipe.lines() if line.startswith("action")]
    assert lines == [f"action {number}" for number in range(caught.value.delivered)]
    assert lines


async def test_a_sink_that_is_closed_gives_up_only_what_it_delivers(pipe: Pipe) -> None:
    """The last lines before a stop wait for a reader that is a little late."""
    writer = LogWriter(pipe.into)
    pipe.fill()
    await LogSink(EventLog(structlog.get_logger(), writer)).close()
    writer.write("stopped")
    done = writer.flush()
    assert not wait({done}, timeout=3 * LOOK_MS / 1000).done
    pipe.read_all()
    done.result(WITHIN)
    assert pipe.lines()[-1] == "stopped"
    assert writer.dropped == 0


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    """Whoever shares it may have set it so."""
    pipe.fill()
    descriptor = pipe.into.fileno()
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)
    writer = LogWriter(pipe.into)
    lines = [f"{number} " + "z" * 5000 for number in range(100)]
    done = writer.deliver(lines)
    pipe.read_all()
    done.result(WITHIN)
    assert [line for line in pipe.lines() if not line.startswith("x")] == lines


@pytest.mark.parametrize("count", [1, 50])
def test_a_pipe_that_was_closed_is_an_error(pipe: Pipe, count: int) -> None:
    """Of each delivery, not of the writer; other lines are dropped and counted."""
    writer = LogWriter(pipe.into)
    os.dup2(os.open(os.devnull, os.O_RDONLY), pipe.out)
    for _ in range(count):
        with pytest.raises(DeliveryError, match="Broken pipe"):
            writer.deliver(["action"]).result(WITHIN)
        writer.write("other")
    flushed(writer)
    assert writer.dropped == count


def test_a_full_disk_is_an_error() -> None:
    """The text is the system's."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        writer = LogWriter(stream)
        with pytest.raises(DeliveryError, match=os.strerror(errno.ENOSPC)):
            writer.deliver(["action"]).result(WITHIN)
        writer.write("other")
        flushed(writer)
    assert writer.dropped == 1


LIMITED = """
import os, resource, signal, sys
from exporter.errors import DeliveryError
from exporter.sinks.writer import LogWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = open(sys.argv[1], "w", encoding="utf-8")
writer = LogWriter(file)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
try:
    writer.deliver(["0123456789"] * 3).result(30)
except DeliveryError as exc:
    print(exc.delivered)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.deliver(["later"]).result(30)
"""


def test_half_a_line_stays_alone(tmp_path: Path) -> None:
    """A file that takes only part of a line: what comes later begins a line of its own."""
    file = tmp_path / "log"
    root = Path(__file__).parents[2]
    done = subprocess.run(  # noqa: S603 # our own interpreter, our own script
        [sys.executable, "-c", LIMITED, str(file)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN,
    )
    assert done.stdout == "2\n"
    assert file.read_text().splitlines() == ["0123456789", "0123456789", "012", "later"]


def test_a_defect_in_a_line_is_not_the_end(pipe: Pipe) -> None:
    """Whoever asked is told, and the next lines are written."""

    def lines() -> Iterator[str]:
        yield "first"
        raise LookupError("defect")

    writer = LogWriter(pipe.into)
    with pytest.raises(LookupError, match="defect"):
        writer.deliver(lines()).result(WITHIN)
    writer.write("next")
    flushed(writer)
    pipe.read_all()
    assert pipe.lines() == ["first", "next"]


def test_a_closed_stream_is_an_error() -> None:
    """Also where there is no file behind it."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(DeliveryError, match="closed"):
        LogWriter(stream).deliver(["a"]).result(WITHIN)


def test_a_line_longer_than_the_limit_is_written() -> None:
    """As long as nothing else waits."""
    stream = io.StringIO()
    writer = LogWriter(stream, limit=10)
    writer.write("x" * 100)
    flushed(writer)
    assert stream.getvalue() == "x" * 100 + "\n"
    assert writer.dropped == 0
