"""The command line: reads what was asked for, puts it together, and decides nothing else.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from exporter import interpreter
from exporter.clock import SystemClock
from exporter.config import (
    LOG_LEVELS,
    LogFormat,
    LogLevel,
    Settings,
    from_environment,
    load,
    read_listen_addresses,
)
from exporter.demo import demo, welcome
from exporter.errors import ConfigError, ExporterError
from exporter.publish.exposition import Format, render
from exporter.publish.journal import open_journal
from exporter.service import Service
from exporter.simulator.knobs import Knob
from exporter.simulator.server import serve
from exporter.simulator.settings import SimulatorSettings, all_knobs
from exporter.table import print_snapshot
from exporter.version import __version__
from exporter.web.toolkit import load as load_web_config

FILE = click.Path(path_type=Path, readable=False)  # the settings say why one cannot be read
CONFIG_OPTION = click.option(
    "--config.file",
    "config_file",
    type=FILE,
    help="The configuration file (YAML). Without one, the API key comes from TELNYX_API_KEY.",
)
LEVEL_OPTION = click.option(
    "--log.level",
    "log_level",
    type=click.Choice(LOG_LEVELS),
    help="What is logged; wins over the file.",
)
FORMAT_OPTION = click.option(
    "--log.format",
    "log_format",
    type=click.Choice([each.value for each in LogFormat]),
    help="How it is logged; wins over the file. auto: console on a terminal, else logfmt.",
)


class Command(click.Group):
    """The commands; errors of our own end as one line each, never as a trace."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it could not do is said on stderr, with exit code 1."""
        try:
            return super().invoke(ctx)
        except ConfigError as exc:
            _fail(*exc.problems)
        except ExporterError as exc:
            _fail(str(exc))


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="telnyx-sim-exporter")
def main() -> None:
    """Prometheus exporter for the asynchronous SIM card actions of Telnyx accounts.

    To see it work without an account: telnyx-sim-exporter demo
    """
    interpreter.raise_file_limit()


@main.command(short_help="Poll the accounts and serve metrics until stopped.")
@CONFIG_OPTION
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    help="Where to serve, such as :10874; may be repeated.",
)
@click.option(
    "--web.config.file",
    "web_config_file",
    help="TLS and basic auth, in the format of Prometheus' exporter-toolkit.",
)
@click.option(
    "--web.external-url",
    "external_url",
    help="Where people reach the page, behind a reverse proxy perhaps.",
)
@click.option(
    "--web.route-prefix",
    "route_prefix",
    help="What every path begins with. By default the path of --web.external-url.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def run(config_file: Path | None, **flags: Any) -> None:
    """Poll the accounts and serve metrics until stopped (SIGTERM or SIGINT).

    SIGHUP and POST /-/reload read the configuration again.
    """

    def read() -> Settings:
        return _read(config_file).with_overrides(**flags)

    service = _build(read(), read)

    async def serve_until_stopped() -> None:
        stop = _on_signals(service.reload)
        try:
            await service.start()
            await stop.wait()
        finally:
            await service.stop()

    interpreter.run(serve_until_stopped())


@main.command(short_help="Poll every account once and print the result.")
@CONFIG_OPTION
@click.option(
    "--format",
    "output",
    type=click.Choice(["metrics", "table"]),
    default="metrics",
    help="What to print: the exposition as Prometheus reads it, or a table.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def once(config_file: Path | None, output: str, **flags: Any) -> None:
    """Poll every account once and print the result; exit 1 if an account failed."""
    settings = _read(config_file).with_overrides(**flags)
    service = _build(settings, lambda: settings)

    async def poll() -> bool:
        try:
            snapshot = await service.poll_once()
            if output == "table":
                print_snapshot(snapshot, Console())
            else:
                text = render(service.registry.collect(), Format.TEXT)
                click.echo(text.decode(), nl=False)
        finally:
            await service.stop()
        return all(health.up for _, health in snapshot.accounts)

    sys.exit(not asyncio.run(poll()))


@main.command("check-config", short_help="Report every mistake in a configuration file.")
@click.argument("file", type=FILE)
def check_config(file: Path) -> None:
    """Report every mistake in the configuration FILE, with its place; exit 1 if there is one."""
    settings = load(file, os.environ)
    if settings.web.config_file is not None:
        load_web_config(Path(settings.web.config_file))
    click.echo(f"{file}: good, {len(settings.accounts)} account(s)")


@main.command("demo", short_help="Show it at work, without an account or a file.")
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    default=["127.0.0.1:10874"],
    show_default=True,
    help="Where to serve; may be repeated.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def run_demo(
    listen_address: tuple[str, ...], log_level: str | None, log_format: str | None
) -> None:
    """Show it at work: a simulated account, the exporter and a page to open.

    No key, no file, and nothing is left behind. Ends with Ctrl-C.
    """
    journal = open_journal(
        level=LogLevel(log_level or LogLevel.INFO),
        form=LogFormat(log_format or LogFormat.AUTO),
        stream=sys.stderr,
        secrets=tuple,
    )

    async def show() -> None:
        stop = _on_signals(None)
        async with demo(listen_address, clock=SystemClock(), journal=journal) as running:
            click.echo(welcome(running))
            await stop.wait()

    asyncio.run(show())


@main.command()
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    default=["127.0.0.1:10875"],
    show_default=True,
    help="Where to serve; may be repeated. Port 0: a free one.",
)
def simulate(listen_address: tuple[str, ...], **knobs: Any) -> None:
    """Run a simulated Telnyx API alone, to rehearse with.

    Point an account's base_url at it. What happened in it is told by GET /_simulator/record.
    """
    settings = SimulatorSettings.from_knobs(knobs)

    def started(url: str) -> None:
        click.echo(f"simulated Telnyx API: base_url {url}, api_key {settings.key}")

    asyncio.run(serve(settings, read_listen_addresses(listen_address), started))


def _option(knob: Knob) -> click.Option:
    """Return the command-line option of a knob of the simulator."""
    name = f"--{knob.name.replace('_', '-')}"
    if isinstance(knob.default, bool):
        return click.Option(
            [f"{name}/--no-{name[2:]}"], default=knob.default, help=knob.help, show_default=True
        )
    choices = [str(each) for each in knob.choices]
    kind = click.Choice(choices) if choices else type(knob.default)
    return click.Option([name], type=kind, default=knob.default, help=knob.help, show_default=True)


simulate.params.extend(_option(knob) for knob in all_knobs())


def _read(config_file: Path | None) -> Settings:
    return from_environment(os.environ) if config_file is None else load(config_file, os.environ)


def _build(settings: Settings, read: Callable[[], Settings]) -> Service:
    """Build the service and the journal, each of which needs the other."""
    built: list[Service] = []
    journal = open_journal(
        level=settings.log.level,
        form=settings.log.format,
        stream=sys.stderr,
        secrets=lambda: built[0].secrets() if built else (),
    )
    built.append(Service(settings, load=read, clock=SystemClock(), journal=journal))
    return built[0]


def _on_signals(reload: Callable[[], Awaitable[object]] | None) -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; let SIGHUP reload, or else set it too."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    reloads: set[asyncio.Future[object]] = set()

    def start_reload() -> None:
        if reload is None:  # a terminal that is closed ends what it shows
            stop.set()
            return
        task = asyncio.ensure_future(reload())
        reloads.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, start_reload)
    return stop


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
