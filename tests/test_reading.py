import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.reading import MAX_BYTES, RETRY_DELAY, read_file, with_timeout

HANGS = "does not respond"


@pytest.fixture
def hang() -> Iterator[Callable[[], int]]:
    """Give a call that hangs until the test is over, or until `hang.over` is set by it."""
    over = threading.Event()

    def wait() -> int:
        over.wait()
        return 1

    wait.over = over  # type: ignore[attr-defined] # for the tests
    yield wait
    over.set()


def test_a_file_is_read(tmp_path: Path) -> None:
    """Up to the bound, whatever it holds."""
    file = tmp_path / "file"
    for content in (b"", b"1", bytes(MAX_BYTES)):
        file.write_bytes(content)
        assert read_file(file) == content
        assert read_file(str(file)) == content


def a_pipe(path: Path) -> Path:
    """Make a pipe that nobody writes to."""
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        pytest.param(a_pipe, "is not a regular file; set it to one", id="pipe"),
        pytest.param(
            lambda _: Path("/dev/zero"), "is not a regular file; set it to one", id="device"
        ),
        pytest.param(lambda path: path.parent, "Is a directory", id="folder"),
        pytest.param(lambda path: path, "No such file or directory", id="missing"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, place: Callable[[Path], Path], problem: str
) -> None:
    """At once, in words for the place that names the file."""
    with pytest.raises(ValueError, match=problem) as caught:
        read_file(place(tmp_path / "file"))
    assert caught.value.__context__ is None


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    """The caller says how long one may be."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="is longer than 10 bytes"):
        read_file(tmp_path / "huge", 10)


def test_what_a_call_does_comes_out() -> None:
    """Its result, and its error."""
    assert with_timeout("a", lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        with_timeout("a", lambda: 1 // 0)


def test_a_call_that_hangs_is_given_up(hang: Callable[[], int]) -> None:
    """It is an error after a while, and then at once; no second thread hangs with it."""
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(ValueError, match=HANGS):
            with_timeout("a", hang, timeout=0.01)
    assert threading.active_count() == before + 1


def test_others_go_on_while_one_hangs(hang: Callable[[], int], tmp_path: Path) -> None:
    """What hangs holds up only what hangs."""
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", hang, timeout=0.01)
    (tmp_path / "file").write_bytes(b"1")
    assert read_file(tmp_path / "file") == b"1"


def test_it_is_read_again_when_it_answers(hang: Callable[[], int]) -> None:
    """A mount that comes back needs no restart."""
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", hang, timeout=0.01)
    hang.over.set()  # type: ignore[attr-defined] # of the fixture
    for thread in threading.enumerate():
        if thread.name == "reading a":
            thread.join()
    assert with_timeout("a", hang) == 1


def test_a_path_that_leads_elsewhere_by_now_is_read(hang: Callable[[], int]) -> None:
    """A mount that was replaced never lets the old reading go: it is tried anew, more rarely."""
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", hang, 0.01, lambda: 0.0)
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", lambda: 2, 0.01, lambda: RETRY_DELAY - 1)
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", hang, 0.01, lambda: RETRY_DELAY)
    with pytest.raises(ValueError, match=HANGS):
        with_timeout("a", lambda: 2, 0.01, lambda: 3 * RETRY_DELAY - 1)
    assert with_timeout("a", lambda: 2, 1.0, lambda: 3 * RETRY_DELAY) == 2
