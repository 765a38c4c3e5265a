"""The group of commands, and how what they cannot do is said.

Exit codes: 0 success, 1 failure, 2 invalid arguments.
"""

import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from exporter.cli import interpreter
from exporter.cli.check_config import check_config
from exporter.cli.demo import run_demo
from exporter.cli.once import once
from exporter.cli.run import run
from exporter.cli.simulate import simulate
from exporter.errors import ConfigError, ExporterError
from exporter.sinks.event_log import one_line
from exporter.version import __version__


class Command(click.Group):
    """The commands; expected errors are printed as one line each, without a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; errors are printed to stderr, with exit code 1."""
        try:
            return super().main(*args, **options)
        except ConfigError as exc:
            _fail(*exc.problems)
        except ExporterError as exc:
            _fail(str(exc))


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="telnyx-sim-exporter")
def main() -> None:
    """Prometheus exporter for the asynchronous SIM card actions of Telnyx accounts.

    To try it without an account, run: telnyx-sim-exporter demo
    """
    interpreter.raise_file_limit()


for command in (run, once, check_config, run_demo, simulate):
    main.add_command(command)


def _fail(*lines: str) -> NoReturn:
    with suppress(OSError):  # nobody can read it
        sys.stderr.writelines(f"{one_line(line)}\n" for line in lines)
        sys.stderr.flush()
    sys.exit(1)
