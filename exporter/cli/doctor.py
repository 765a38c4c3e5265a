"""`doctor`: find out whether what the exporter assumes holds, of the API and of this machine."""

import asyncio
import platform
import shutil
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from exporter.cli.build import read_settings
from exporter.cli.check_config import other_mistakes
from exporter.cli.options import CONFIG_OPTION, examples
from exporter.cli.output import say
from exporter.cli.signals import stopping
from exporter.clock import SystemClock
from exporter.config import Account, Settings
from exporter.doctor.examination import Examination, nothing_examined
from exporter.doctor.findings import Finding, Report, Result
from exporter.doctor.local_checks import configuration_finding
from exporter.doctor.rendering import as_json, as_text, published
from exporter.errors import ConfigError
from exporter.network import find_alertmanager, find_network
from exporter.sanitize import one_line
from exporter.sinks.alertmanager.http_config import HttpConfigReloader
from exporter.telnyx.http import Network
from exporter.version import __version__

_PACKAGES = ("httpx", "httpcore", "msgspec", "pydantic", "SQLAlchemy", "psycopg")
"""Packages whose versions are shown, those of them that are installed."""

_WIDTH, _NARROWEST, _WIDEST = 80, 60, 120
"""Columns: of what is no terminal, and the limits for a terminal."""


@click.command(
    "doctor",
    short_help="Check what the exporter assumes, and say how to fix it.",
    epilog=examples(
        (
            "All accounts of a file, and this machine",
            "telnyx-sim-exporter doctor --config.file config.yaml",
        ),
        ("To be pasted into a bug report", "telnyx-sim-exporter doctor --report"),
    ),
)
@CONFIG_OPTION
@click.option("--account", "names", multiple=True, help="Only this account; may be repeated.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output. JSON has the details of every check.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Without IDs, names, hosts, paths and reasons, to be pasted into a bug report.",
)
def command(config_file: Path | None, names: Sequence[str], output: str, *, report: bool) -> None:
    """Check the key, the API and this machine; exit with 1 if a check fails.

    Telnyx is asked at most 25 requests an account. Nothing is changed, there or here: it works
    beside a running exporter.
    """
    found, code = _examined(config_file, names)
    shown = published(found) if report else found
    about = _versions(packages=report or output == "json")
    if output == "json":
        say(as_json(shown, about))
    else:
        width = _WIDTH
        if sys.stdout.isatty():
            width = min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size().columns))
        say(as_text(shown, about, width=width, encoding=sys.stdout.encoding))
    sys.exit(code or (1 if found.counts()[Result.FAIL] else 0))


def _examined(config_file: Path | None, names: Sequence[str]) -> tuple[Report, int]:
    """Return the report, and the exit code if a signal ended it."""
    file = "" if config_file is None else str(config_file)
    try:
        settings = read_settings(config_file)
    except ConfigError as exc:
        return nothing_examined(configuration_finding(exc.mistakes, 0, file)), 0
    network: Network | None = None
    alertmanager: HttpConfigReloader | None = None
    with suppress(ConfigError):
        network = find_network(settings)
    with suppress(ConfigError):
        alertmanager = find_alertmanager(settings)
    examination = Examination(
        settings,
        _chosen(settings, names),
        network,
        None if alertmanager is None else alertmanager.current()[0],
        SystemClock(),
    )
    mistakes = other_mistakes(settings)
    configuration = configuration_finding(mistakes, len(settings.accounts), file)
    return asyncio.run(_run(examination, configuration))


async def _run(examination: Examination, configuration: Finding) -> tuple[Report, int]:
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(examination.run())
    stopped = 0

    def stop(number: int) -> None:
        nonlocal stopped
        stopped = 128 + number
        loop.call_soon_threadsafe(running.cancel)

    with stopping(stop, lambda _: None):
        await asyncio.wait({running})
    if not running.cancelled():
        running.result()
    return examination.report(configuration), stopped


def _chosen(settings: Settings, names: Sequence[str]) -> tuple[Account, ...]:
    """Return the accounts of these names, or all, in the order of the configuration."""
    known = [each.name for each in settings.accounts]
    for name in names:
        if name not in known:
            text = f"--account: there is no account {name!r}; there are {', '.join(known)}"
            raise click.UsageError(one_line(text))
    return tuple(each for each in settings.accounts if not names or each.name in names)


def _versions(*, packages: bool) -> dict[str, str]:
    """Return the versions of this program and of Python, with those of ``packages`` or without."""
    versions = {"telnyx-sim-exporter": __version__, "Python": platform.python_version()}
    if not packages:
        return versions
    versions |= {
        "platform": f"{platform.system()} {platform.machine()}",
        "OpenSSL": ssl.OPENSSL_VERSION.removeprefix("OpenSSL "),
    }
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
