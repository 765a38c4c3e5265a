"""The command line: reads what was asked for, puts it together, and decides nothing else.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from exporter.app import Exporter, find_network
from exporter.cli import interpreter
from exporter.cli.output import say
from exporter.cli.signals import stopping
from exporter.cli.table import drawn
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
from exporter.metrics.negotiation import Format
from exporter.metrics.render import Renderer
from exporter.simulator.knobs import Knob
from exporter.simulator.server import serve
from exporter.simulator.settings import SimulatorSettings, all_knobs
from exporter.sinks.event_log import EventLog, one_line, open_event_log
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

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; what it could not do is said on stderr, with exit code 1."""
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

    exporter, event_log = _build(read(), read)

    async def serve_until_stopped() -> None:
        with _on_signals(event_log, exporter.reload) as stop:
            try:
                await exporter.start()
                await stop.wait()
            finally:
                await exporter.stop()

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
    exporter, event_log = _build(settings, lambda: settings)

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
                    say(drawn(snapshot, sys.stdout))
                else:
                    # As bytes: the exposition is UTF-8, whatever the terminal speaks.
                    click.echo(Renderer().render(snapshot, Format.TEXT), nl=False)
            except asyncio.CancelledError:
                return stopped
            finally:
                await exporter.stop()
        return 0 if all(health.up for _, health in snapshot.accounts) else 1

    sys.exit(asyncio.run(poll()))


@main.command("check-config", short_help="Report every mistake in a configuration file.")
@click.argument("file", type=FILE)
def check_config(file: Path) -> None:
    """Report every mistake in the configuration FILE, with its place; exit 1 if there is one.

    Environment variables that say how Telnyx is reached (proxies, certificates) are checked too.
    """
    settings = load(file, os.environ)
    problems: list[str] = []
    try:
        if settings.web.config_file is not None:
            load_web_config(Path(settings.web.config_file))
    except ConfigError as exc:
        problems += exc.problems
    try:
        find_network(settings)
    except ConfigError as exc:
        problems += exc.problems
    if problems:
        raise ConfigError(problems)
    say(one_line(f"{file}: good, {len(settings.accounts)} account(s)") + "\n")


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
    event_log = open_event_log(
        level=LogLevel(log_level or LogLevel.INFO),
        form=LogFormat(log_format or LogFormat.AUTO),
        stream=sys.stderr,
        secrets=tuple,
    )

    async def show() -> None:
        with _on_signals(event_log, None) as stop:
            async with demo(listen_address, clock=SystemClock(), event_log=event_log) as running:
                say(welcome(running) + "\n")
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
        say(f"simulated Telnyx API: base_url {url}, api_key {settings.key}\n")

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


def _build(settings: Settings, read: Callable[[], Settings]) -> tuple[Exporter, EventLog]:
    """Build the service and the journal, each of which needs the other."""
    built: list[Exporter] = []
    event_log = open_event_log(
        level=settings.log.level,
        form=settings.log.format,
        stream=sys.stderr,
        secrets=lambda: built[0].secrets() if built else (),
    )
    built.append(Exporter(settings, load=read, clock=SystemClock(), event_log=event_log))
    return built[0], event_log


@contextmanager
def _on_signals(
    event_log: EventLog, reload: Callable[[], Awaitable[object]] | None
) -> Iterator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set; let SIGHUP reload, or else set it too."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reloads: set[asyncio.Future[object]] = set()

    def start_reload() -> None:
        if reload is None:  # a terminal that is closed ends what it shows
            stop.set()
            return
        task = asyncio.ensure_future(reload())
        reloads.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, start_reload)

    def ask(_: int) -> None:
        loop.call_soon_threadsafe(stop.set)

    with stopping(ask, event_log.stop_forced):
        yield stop


def _fail(*lines: str) -> NoReturn:
    with suppress(OSError):  # nobody is left to be told
        sys.stderr.writelines(f"{one_line(line)}\n" for line in lines)
        sys.stderr.flush()
    sys.exit(1)
