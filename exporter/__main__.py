"""The program: takes signals from its first moment on, and runs the command line.

To load what the commands need takes most of a second. As the first process of a container it gets
no signal that it has no handler for, so SIGTERM would be lost then; anywhere else SIGINT would
print a trace, and SIGHUP, which asks it to read its configuration again, would end it.
"""

import gc
import os
import signal
import sys
from typing import NoReturn

from exporter.cli.output import prepared
from exporter.cli.signals import SIGNALS

SERVING = {"run", "demo", "simulate"}
"""Commands that go on until they are stopped; the others have not done what they were asked for."""


def main() -> None:
    """Run the command line."""
    for each in SIGNALS:  # SIGINT too: a shell starts what runs beside it without
        signal.signal(each, _end)
    if sys.argv[1:2] == ["run"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with prepared():
        gc.disable()  # what is loaded is no garbage: to look for some takes a tenth of the time
        from exporter.cli.main import main as command_line  # noqa: PLC0415 # this is what takes long

        gc.enable()
        command_line()


def _end(number: int, _: object) -> NoReturn:
    # Only until the command has a handler of its own: nothing is begun that has to be ended. An
    # exception would come out of whatever is being imported, as a trace, or be swallowed there.
    os._exit(0 if SERVING.intersection(sys.argv[1:2]) else 128 + number)


if __name__ == "__main__":
    main()
