"""`demo`: the exporter on a simulated account."""

import asyncio
import sys

import click

from exporter.cli.options import FORMAT_OPTION, LEVEL_OPTION, examples
from exporter.cli.output import say
from exporter.cli.signals import on_signals
from exporter.clock import SystemClock
from exporter.config import LogFormat, LogLevel
from exporter.demo import demo, welcome
from exporter.sinks.logging_setup import open_event_log


@click.command(
    "demo",
    short_help="Run a demo; needs no account and no file.",
    epilog=examples(
        ("Open http://127.0.0.1:10874 once it says so", "telnyx-sim-exporter demo"),
        (
            "Send an alert for each broken SIM card, too",
            "telnyx-sim-exporter demo --alertmanager.target http://127.0.0.1:9093",
        ),
    ),
)
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    default=["127.0.0.1:10874"],
    show_default=True,
    help="Address to listen on; may be repeated.",
)
@click.option(
    "--alertmanager.target",
    "alertmanagers",
    multiple=True,
    help="URL of an Alertmanager to send an alert for each broken SIM card to; may be repeated.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def command(
    listen_address: tuple[str, ...],
    alertmanagers: tuple[str, ...],
    log_level: str | None,
    log_format: str | None,
) -> None:
    """Run a demo: a simulated account, the exporter and its page.

    Needs no key and no file, and writes nothing to disk. Stop it with Ctrl-C.
    """
    event_log = open_event_log(
        level=LogLevel(log_level or LogLevel.INFO),
        form=LogFormat(log_format or LogFormat.AUTO),
        stream=sys.stderr,
        secrets=tuple,
    )

    async def show() -> None:
        with on_signals(None, event_log.stop_forced) as stop:
            async with demo(
                listen_address,
                alertmanagers=alertmanagers,
                clock=SystemClock(),
                event_log=event_log,
            ) as running:
                say(welcome(running) + "\n")
                await stop.wait()

    asyncio.run(show())
