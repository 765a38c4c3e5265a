import os
from pathlib import Path

import pytest

from exporter.config.tracked_files import TrackedFiles


def test_unchanged_files_are_unchanged(tmp_path: Path) -> None:
    """Reading alone, and writing the same again, is no change."""
    (tmp_path / "a").write_bytes(b"1")
    files = TrackedFiles()
    assert files.read(tmp_path / "a") == b"1"
    (tmp_path / "a").write_bytes(b"1")
    assert not files.changed()


def test_change_of_equal_size_and_time_is_seen(tmp_path: Path) -> None:
    """The content counts, whatever size and times say."""
    file = tmp_path / "a"
    file.write_bytes(b"1")
    files = TrackedFiles()
    files.read(file)
    before = file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files.changed()


def test_file_that_goes_is_a_change(tmp_path: Path) -> None:
    """A file that is taken away is different."""
    (tmp_path / "a").write_bytes(b"1")
    files = TrackedFiles()
    files.read(tmp_path / "a")
    (tmp_path / "a").unlink()
    assert files.changed()


def test_file_that_comes_is_a_change(tmp_path: Path) -> None:
    """A file that could not be read is different once it can be."""
    files = TrackedFiles()
    with pytest.raises(ValueError, match="cannot be read"):
        files.read(tmp_path / "a")
    assert not files.changed()
    (tmp_path / "a").write_bytes(b"")
    assert files.changed()


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe that nobody writes to holds nothing up."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a regular file"):
        TrackedFiles().read(tmp_path / "pipe")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    """A file without end is not read to its end."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="is longer than 1048576 bytes"):
        TrackedFiles().read(tmp_path / "huge")


def test_content_is_not_kept(tmp_path: Path) -> None:
    """What a file held, a key perhaps, is not to be found in what is remembered of it."""
    (tmp_path / "key").write_bytes(b"hunter2")
    files = TrackedFiles()
    files.read(tmp_path / "key")
    assert "hunter2" not in str(vars(files))
