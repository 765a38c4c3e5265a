"""Ends a program of this folder on a signal, tidying up on its way out.

It must not know what is tidied up.
"""

import signal
from types import FrameType
from typing import NoReturn


def exit_on_signals() -> None:
    """Exit with 128 + its number on SIGTERM or SIGINT, even where SIGINT was ignored before.

    KeyboardInterrupt would not do: one that is raised while Python executes a string, as
    dataclasses do when a module is imported, kills a program run by `python -m` by SIGINT at its
    very end, whatever it returns.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _exit)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
