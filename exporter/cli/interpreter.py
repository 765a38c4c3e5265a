"""Set up the Python interpreter for a program that serves for long, and run it.

What is set holds for the whole process, so only a program may do it. It must not know what runs.
"""

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

SWITCH_SECONDS = 0.001
"""How long a thread that computes keeps the others waiting, at most; Python's own are 5 ms.

While the ledger's thread computes, each step of a scrape waits for so long.
"""


def raise_file_limit() -> None:
    """Let the process open as many files as the system allows it, as programs in Go do.

    The lower limit is for programs that cannot handle more; shells and services begin with it. It
    stays where the system refuses another.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems refuse a limit that they name themselves
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(program: Coroutine[Any, Any, None]) -> None:
    """Run ``program`` on an event loop of its own; the process ends with it, with 0.

    An error comes out of it as it is.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    # What the libraries are made of stays: to look through it again and again would take tens of
    # milliseconds each time, on whatever thread the collector of garbage strikes.
    gc.collect()
    gc.freeze()
    asyncio.run(_to_its_end(program))


async def _to_its_end(program: Coroutine[Any, Any, None]) -> None:
    await program
    # Not by a return: Python would wait for threads that look up a host's name, which nothing can
    # break off, for longer than a container gets to stop. All that has to be closed is closed.
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
