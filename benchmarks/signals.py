"""Ends a program of this folder on a signal, tidying up on its way out.

It must not know what is tidied up.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGINT)


def exit_on_signals() -> None:
    """Exit with 128 + its number on SIGTERM or SIGINT, even where SIGINT was ignored before.

    KeyboardInterrupt would not do: one that is raised while Python executes a string, as
    dataclasses do when a module is imported, kills a program run by `python -m` by SIGINT at its
    very end, whatever it returns.
    """
    for each in ENDING:
        signal.signal(each, _exit)


@contextmanager
def held() -> Iterator[None]:
    """Let SIGTERM and SIGINT wait until the end, as while a process is started and then noted.

    One that came in between would leave the process behind. For the main thread.
    """
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
