"""Runs what the installed command runs for many command lines, having loaded it only once.

A program, not a module: each line of its input is a list of words in JSON, each line of its output
the exit code and what was written to stdout and stderr.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from exporter.cli.main import COMMANDS


def main() -> None:
    """Answer line by line."""
    (point,) = entry_points(group="console_scripts", name="telnyx-sim-exporter")
    command = point.load()
    for name in COMMANDS.values():  # loading what they need takes most of a second
        import_module(f"exporter.cli.{name}")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(in_child(command, json.loads(line))) + "\n")
        sys.stdout.flush()


def call(command: Callable[[], object], words: list[str]) -> None:
    """Call the command as its script does; raises SystemExit."""
    sys.argv = ["telnyx-sim-exporter", *words]
    raise SystemExit(command())


def in_child(command: Callable[[], object], words: list[str]) -> tuple[int, str, str]:
    """Call the command in a process of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = 255
            try:
                call(command, words)
            except SystemExit as exc:
                code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for each in (out, err):
            each.seek(0)
            said.append(each.read().decode())
        return code, said[0], said[1]


if __name__ == "__main__":
    main()
