"""Writing to what --output names: only a regular file is replaced, and no part of it stays."""

import errno
import os
import stat
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporter.cli.output_file import write_file
from exporter.errors import UsageError


def parts(*texts: bytes, error: OSError | None = None) -> Generator[bytes]:
    """Yield texts, and raise the error after them."""
    yield from texts
    if error is not None:
        raise error


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """And is a pipe afterwards, as a device would be one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        write_file(pipe, parts(b"a", b"b"), private=True)
        assert read.result(10) == b"ab"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_leads_to_the_file(tmp_path: Path, *, exists: bool) -> None:
    """It is no file of its own afterwards."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to("target")
    if exists:
        target.write_bytes(b"old")
    write_file(link, parts(b"new"), private=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_prepared_for_the_unfinished_file_is_left_alone(tmp_path: Path) -> None:
    """Whoever may write to the folder cannot lead the output elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / "out.part").symlink_to(elsewhere)
    write_file(tmp_path / "out", parts(b"new"), private=True)
    assert elsewhere.read_bytes() == b"precious"


@pytest.mark.parametrize("before", [b"old", None])
def test_an_error_leaves_all_as_it_was(tmp_path: Path, before: bytes | None) -> None:
    """Such as a full disk; what the parts hold open is closed."""
    path = tmp_path / "out"
    if before is not None:
        path.write_bytes(before)
    full = parts(b"new", error=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(UsageError, match=r"--output: .*out: No space left on device"):
        write_file(path, full, private=True)
    assert {each.read_bytes() for each in tmp_path.iterdir()} == {before} - {None}


def test_permissions(tmp_path: Path) -> None:
    """Those that the file has; of a new one, those of the umask, or its owner's only."""
    old, new, private = (tmp_path / name for name in ("old", "new", "private"))
    old.touch()
    old.chmod(0o640)
    write_file(old, parts(b"x"), private=False)
    write_file(private, parts(b"x"), private=True)
    write_file(new, parts(b"x"), private=False)
    (tmp_path / "usual").touch()
    assert mode(old) == 0o640
    assert mode(private) == 0o600
    assert mode(new) == mode(tmp_path / "usual")


def test_a_reader_that_goes_is_an_error(tmp_path: Path) -> None:
    """And the parts are closed then, before whatever they read from is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    closed = []

    def endless() -> Generator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            closed.append(True)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: pipe.open("rb").close())
        with pytest.raises(UsageError, match=r"--output: .*pipe: Broken pipe") as error:
            write_file(pipe, endless(), private=True)
    assert closed, "though the frames of the error still hold them"
    assert error.value.__cause__ is not None
