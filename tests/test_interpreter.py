import platform
import subprocess
import sys

import pytest

WITHIN = 20.0

WAITING = """
import asyncio
import sys

from exporter.cli import interpreter


async def program():
    asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print("the last word")


interpreter.run(program())
"""

FAILING = """
from exporter.cli import interpreter


async def program():
    raise ValueError("what went wrong")


interpreter.run(program())
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own."""
    command = (sys.executable, "-c", script)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN)  # noqa: S603 - ours


def test_the_end_waits_for_no_thread() -> None:
    """A look-up of a name that gets no answer does not keep the program, nor what it has said."""
    command = (sys.executable, "-c", WAITING)
    with subprocess.Popen(  # noqa: S603 - fixed words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.wait(WITHIN) == 0  # stdin is open all the while
        assert running.stdout is not None
        assert running.stdout.read() == "the last word\n"


def test_an_error_is_no_good_end() -> None:
    """What the program raises comes out."""
    done = run(FAILING)
    assert done.returncode == 1
    assert "what went wrong" in done.stderr


REFUSED = """
import resource

from exporter.cli import interpreter

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))


def refuse(*_):
    raise {error}


resource.setrlimit = refuse
interpreter.raise_file_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize("error", ["ValueError", "OSError"])
def test_a_limit_that_the_system_refuses_stays(error: str) -> None:
    """The program goes on with the files that it has."""
    done = run(REFUSED.format(error=error))
    assert (done.stdout, done.stderr) == ("64\n", "")


HIDING = """
import sys

from exporter.cli import interpreter

with interpreter.importing("sys", "colorsys"):
    try:
        import colorsys
    except ImportError as exc:
        print(exc.name)
import colorsys
print(colorsys.__name__)
"""


def test_a_hidden_module_is_only_missing_during_the_imports() -> None:
    """Libraries do without it; whoever needs it later finds it."""
    done = run(HIDING)
    assert (done.stdout, done.stderr) == ("colorsys\ncolorsys\n", "")


RUNNING = """
import gc

from exporter.cli import interpreter

objects = len(gc.get_objects())


async def program():
    print(len(gc.get_objects()) < objects / 2)
    created = [[] for _ in range(100_000)]
    gc.collect()
    print(len(gc.get_objects()) < objects / 2)


interpreter.run(program())
"""


def test_a_program_is_run_with_short_collections() -> None:
    """Neither what was imported nor what it created before is left to scan."""
    done = run(RUNNING)
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


COLLECTING = """
import gc
import weakref

from exporter.cli import interpreter


class Cycle:
    def __init__(self):
        self.itself = self


def garbage(while_alive=lambda: None):
    cycle = Cycle()
    while_alive()
    return weakref.ref(cycle)


time = 1_000_000.0
scanned = []
libraries = [[] for _ in range(100_000)]
gc.freeze()
interpreter.keep_collections_short(lambda: time)
gc.callbacks.append(lambda phase, _: phase == "start" and scanned.append(len(gc.get_objects())))
gc.disable()  # only those below
state = [[] for _ in range(100_000)]
gc.collect()
print(scanned[-1] < 150_000)
for later in (0.0, 599.9, 600.0, 1199.9, 5000.0, 5001.0):
    old = garbage(gc.collect)
    found = [garbage(), garbage(lambda: gc.collect(0)), garbage(lambda: gc.collect(1))]
    time = 1_000_000.0 + later
    gc.collect(0)
    gc.collect()
    print(later, [each() is None for each in found], old() is None, scanned[-1] > 100_000)
"""

SCANNED = """\
True
0.0 [True, True, True] False False
599.9 [True, True, True] False False
600.0 [True, True, True] True True
1199.9 [True, True, True] False False
5000.0 [True, True, True] True True
5001.0 [True, True, True] False False
"""


def test_a_collection_scans_old_objects_only_now_and_then() -> None:
    """New garbage is always collected, old garbage when everything is scanned."""
    done = run(COLLECTING)
    assert (done.stdout, done.stderr) == (SCANNED, "")


FREEING = """
import os

from exporter.cli import interpreter


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


interpreter.keep_heap_small()
large = b"x" * 20_000_000
del large  # by default, glibc takes smaller ones from the heap after this
blocks = [b"x" * 1_000_000 for _ in range(50)]
last = b"x" * 1_000_000
before = resident()
del blocks
print((before - resident()) // 10_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_memory_that_is_free_is_returned() -> None:
    """Of 50 MB, though a block above them is still in use; by default nothing of it is."""
    done = run(FREEING)
    assert (done.stdout, done.stderr) == ("5\n", "")
