"""`once`: poll every account once and print the result."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from exporter.cli.build import build_exporter, read_settings
from exporter.cli.options import CONFIG_OPTION, FORMAT_OPTION, LEVEL_OPTION, examples
from exporter.cli.output import say
from exporter.cli.signals import stopping
from exporter.cli.table import render_table
from exporter.metrics.exposition import Exposition
from exporter.metrics.negotiation import Format


@click.command(
    "once",
    short_help="Poll every account once and print the result.",
    epilog=examples(
        ("See whether the key works", "telnyx-sim-exporter once --format table"),
        (
            "The metrics of the accounts in a file, as they are scraped",
            "telnyx-sim-exporter once --config.file config.yaml",
        ),
    ),
)
@CONFIG_OPTION
@click.option(
    "--format",
    "output",
    type=click.Choice(["metrics", "table"]),
    default="metrics",
    help="Output: metrics in the Prometheus text format, or a table.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def command(config_file: Path | None, output: str, **flags: Any) -> None:
    """Poll every account once and print the result; exit with 1 if an account failed."""
    settings = read_settings(config_file).with_overrides(**flags)
    exporter, event_log = build_exporter(settings, lambda: settings, visiting=True)

    async def poll() -> int:
        loop, polling = asyncio.get_running_loop(), asyncio.ensure_future(exporter.poll_once())
        stopped = 0

        def stop(number: int) -> None:
            nonlocal stopped
            stopped = 128 + number
            loop.call_soon_threadsafe(polling.cancel)

        with stopping(stop, event_log.stop_forced):
            try:
                snapshot = await polling
                if output == "table":
                    say(render_table(snapshot, sys.stdout))
                else:
                    # As bytes: the exposition is UTF-8, whatever the terminal's encoding.
                    click.echo(Exposition().text(snapshot, Format.TEXT), nl=False)
            except asyncio.CancelledError:
                return stopped
            finally:
                await exporter.stop()
        return 0 if all(health.up for _, health in snapshot.accounts) else 1

    sys.exit(asyncio.run(poll()))
