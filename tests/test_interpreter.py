import subprocess
import sys

WITHIN = 20.0

WAITING = """
import asyncio
import sys

from exporter import interpreter


async def program():
    asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print("the last word")


interpreter.run(program())
"""

FAILING = """
from exporter import interpreter


async def program():
    raise ValueError("what went wrong")


interpreter.run(program())
"""


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
    command = (sys.executable, "-c", FAILING)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN)  # noqa: S603 - fixed words
    assert done.returncode == 1
    assert "what went wrong" in done.stderr
