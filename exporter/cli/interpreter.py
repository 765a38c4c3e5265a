"""Configures the Python interpreter for a long-running program, and runs it.

This affects the whole process, so only a program may use it. It must not know what runs.
"""

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SWITCH_SECONDS = 0.001
"""Thread switch interval; the default of Python is 5 ms.

While the ledger's thread is computing, each step of a scrape waits this long.
"""


def raise_file_limit() -> None:
    """Raise the limit on open files to the hard limit, like programs in Go.

    The soft limit is low for programs that cannot handle more. It is kept if the system rejects
    the change.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems reject the hard limit that they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def importing() -> Iterator[None]:
    """Collect no garbage during imports, and never scan what they leave.

    All of it stays alive: looking at it again and again would take a quarter of the startup time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def run(program: Coroutine[Any, Any, None]) -> None:
    """Run ``program`` on a new event loop; the process then exits with 0.

    Errors are raised unchanged.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    # Library objects stay alive: scanning them in every garbage collection would take tens of
    # milliseconds, on whatever thread triggers it.
    gc.collect()
    gc.freeze()
    asyncio.run(_run_and_exit(program))


async def _run_and_exit(program: Coroutine[Any, Any, None]) -> None:
    await program
    # Without returning: Python would wait for threads in name resolution, which cannot be
    # interrupted, for longer than a container has to stop. Everything is closed already.
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
