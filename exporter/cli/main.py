"""The group of commands, and the output of their errors.

Exit codes: 0 success, 1 failure, 2 invalid arguments.
"""

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from exporter.cli import interpreter
from exporter.errors import ConfigError, ExporterError
from exporter.sanitize import one_line
from exporter.version import __version__

COMMANDS = {
    "actions": "actions",
    "check-config": "check_config",
    "completion": "completion",
    "copy-state": "copy_state",
    "demo": "demo",
    "doctor": "doctor",
    "history": "history",
    "once": "once",
    "problems": "problems",
    "rules": "rules",
    "run": "run",
    "simulate": "simulate",
}
"""The module of each command, in this package."""

LONG_RUNNING = ("demo", "run", "simulate")
"""Commands that run until they are stopped, and print no tables."""


class Commands(click.Group):
    """The commands, each imported when it is used, because imports take most of the startup time.

    Expected errors are printed as one line each, without a traceback.
    """

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in COMMANDS:
            return None
        name = f"exporter.cli.{COMMANDS[cmd_name]}"
        if name not in sys.modules:
            hidden = interpreter.UNUSED if cmd_name in LONG_RUNNING else ()
            with interpreter.importing(*hidden):
                import_module(name)
        command: click.Command = sys.modules[name].command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, or an option: without importing any command."""
        names = [CompletionItem(each) for each in COMMANDS if each.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; errors are printed to stderr, with exit code 1."""
        try:
            return super().main(*args, **options)
        except ConfigError as exc:
            _fail(*exc.mistakes)
        except ExporterError as exc:
            _fail(str(exc))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="telnyx-sim-exporter")
def main() -> None:
    """Prometheus exporter for the asynchronous SIM card actions of Telnyx accounts.

    To try it without an account, run: telnyx-sim-exporter demo
    """
    interpreter.raise_file_limit()
    interpreter.keep_heap_small()


def _fail(*lines: str) -> NoReturn:
    with suppress(OSError):  # nobody can read it
        sys.stderr.writelines(f"{one_line(line)}\n" for line in lines)
        sys.stderr.flush()
    sys.exit(1)
