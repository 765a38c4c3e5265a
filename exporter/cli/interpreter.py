"""Configures the Python interpreter for a long-running program, and runs it.

This affects the whole process, so only a program may use it. It must not know what runs.
"""

import asyncio
import ctypes
import gc
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

UNUSED = ("pygments", "rich")
"""What libraries import where it is installed, and only commands that print tables use: 4 MB."""

ONE_HEAP = {-8: 1, -3: 256 * 1024}
"""Parameters of glibc's allocator, by their numbers in <malloc.h>: M_ARENA_MAX, M_MMAP_THRESHOLD.

By default each thread has a heap of its own, though only one at a time runs Python, and blocks that
were freed once let ever larger ones be taken from the heap, where they leave gaps.
"""

SWITCH_SECONDS = 0.001
"""Thread switch interval; the default of Python is 5 ms.

While the ledger's thread is computing, each step of a scrape waits this long.
"""

WHOLE_SECONDS = 600.0
"""Minimum number of seconds between two garbage collections that scan everything."""

_OLDEST = 2
"""The oldest generation of the garbage collector; collecting it is a full collection.

Where the collector is incremental (some versions of Python 3.14), only `gc.collect` does that.
"""


def raise_file_limit() -> None:
    """Raise the limit on open files to the hard limit, like programs in Go.

    The soft limit is low for programs that cannot handle more. It is kept if the system rejects
    the change.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems reject the hard limit that they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_heap_small() -> None:
    """Let the allocator return memory that is free: a tenth of it after polls of many actions.

    Allocators other than glibc's are left as they are.
    """
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ONE_HEAP.items():
            mallopt(parameter, value)


@contextmanager
def importing(*hidden: str) -> Iterator[None]:
    """Collect no garbage during imports, and scan what they leave only when everything is scanned.

    All of it stays alive: looking at it again and again would take a quarter of the startup time.
    ``hidden`` modules look as if they were not installed, unless they are imported already.
    """
    absent = [each for each in hidden if each not in sys.modules]
    sys.modules |= dict.fromkeys(absent)  # type: ignore[arg-type] # None: cannot be imported
    gc.disable()
    try:
        yield
    finally:
        for each in absent:
            del sys.modules[each]
        gc.freeze()
        gc.enable()


def keep_collections_short(now: Callable[[], float] = time.monotonic) -> None:
    """Let full garbage collections scan only what was created since the one before.

    Every thread waits for a collection, and scanning the state of 1,000 accounts takes 150 ms.
    Nearly all of it stays alive; the rest is freed at once, unless it is in a cycle. Therefore a
    full collection scans everything, libraries included, if the last one that did was
    `WHOLE_SECONDS` ago by ``now``, a monotonic clock. Until then, old garbage in cycles is kept
    with all that it refers to. A program that creates little may go days without a full collection.
    """
    scanned = now()

    def freeze_or_unfreeze(phase: str, info: Mapping[str, int]) -> None:
        nonlocal scanned
        if info["generation"] != _OLDEST:
            return
        if phase == "stop":
            gc.freeze()
        elif now() >= scanned + WHOLE_SECONDS:
            scanned = now()
            gc.unfreeze()

    gc.callbacks.append(freeze_or_unfreeze)


def run(program: Coroutine[Any, Any, None]) -> None:
    """Run ``program`` on a new event loop; the process then exits with 0.

    Errors are raised unchanged.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    keep_collections_short()
    gc.collect()  # what is there already is left out of the collections to come
    asyncio.run(_run_and_exit(program))


async def _run_and_exit(program: Coroutine[Any, Any, None]) -> None:
    await program
    # Without returning: Python would wait for threads in name resolution, which cannot be
    # interrupted, for longer than a container has to stop. Everything is closed already.
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
