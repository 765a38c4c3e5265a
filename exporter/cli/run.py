"""`run`: poll the accounts and serve metrics until stopped."""

from pathlib import Path
from typing import Any

import click

from exporter.cli import interpreter
from exporter.cli.build import build_exporter, read_settings
from exporter.cli.options import CONFIG_OPTION, FORMAT_OPTION, LEVEL_OPTION, examples
from exporter.cli.signals import on_signals
from exporter.config import Settings


@click.command(
    "run",
    short_help="Poll the accounts and serve metrics until stopped.",
    epilog=examples(
        ("Poll one account, whose key is in TELNYX_API_KEY", "telnyx-sim-exporter run"),
        (
            "Poll the accounts in a file, on another port",
            "telnyx-sim-exporter run --config.file config.yaml --web.listen-address :9000",
        ),
    ),
)
@CONFIG_OPTION
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    help="Address to listen on, such as :10874; may be repeated.",
)
@click.option(
    "--web.config.file",
    "web_config_file",
    help="Web configuration file: TLS and basic auth, in the exporter-toolkit format.",
)
@click.option(
    "--web.external-url",
    "external_url",
    help="URL under which users reach the page, for example behind a reverse proxy.",
)
@click.option(
    "--web.route-prefix",
    "route_prefix",
    help="Prefix of all paths. Default: the path of --web.external-url.",
)
@LEVEL_OPTION
@FORMAT_OPTION
def command(config_file: Path | None, **flags: Any) -> None:
    """Poll the accounts and serve metrics until stopped (SIGTERM or SIGINT).

    SIGHUP and POST /-/reload reload the configuration.
    """

    def read() -> Settings:
        return read_settings(config_file).with_overrides(**flags)

    exporter, event_log = build_exporter(read(), read)

    async def serve_until_stopped() -> None:
        with on_signals(exporter.reload, event_log.stop_forced) as stop:
            try:
                await exporter.start()
                await stop.wait()
            finally:
                await exporter.stop()

    interpreter.run(serve_until_stopped())
