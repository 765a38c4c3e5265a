"""`simulate`: a simulated Telnyx API on its own."""

import asyncio
from typing import Any

import click

from exporter.cli.options import examples
from exporter.cli.output import say
from exporter.config import read_listen_addresses
from exporter.simulator.options import Option
from exporter.simulator.server import serve
from exporter.simulator.settings import SimulatorSettings, all_options


@click.command(
    "simulate",
    epilog=examples(
        (
            "An account in which one action of ten fails",
            "telnyx-sim-exporter simulate --failed 0.1",
        ),
        (
            "Ten million actions of history, listed oldest first",
            "telnyx-sim-exporter simulate --history 10000000 --order oldest",
        ),
    ),
)
@click.option(
    "--web.listen-address",
    "listen_address",
    multiple=True,
    default=["127.0.0.1:10875"],
    show_default=True,
    help="Address to listen on; may be repeated. Port 0 selects a free port.",
)
def command(listen_address: tuple[str, ...], **options: Any) -> None:
    """Run only a simulated Telnyx API, for tests.

    Set an account's base_url to its address. GET /_simulator/record returns what happened.
    """
    settings = SimulatorSettings.from_options(options)

    def started(url: str) -> None:
        say(f"simulated Telnyx API: base_url {url}, api_key {settings.key}\n")

    asyncio.run(serve(settings, read_listen_addresses(listen_address), started))


def _option(option: Option) -> click.Option:
    """Return the command-line option for an option of the simulator."""
    name = f"--{option.name.replace('_', '-')}"
    if isinstance(option.default, bool):
        return click.Option(
            [f"{name}/--no-{name[2:]}"], default=option.default, help=option.help, show_default=True
        )
    choices = [str(each) for each in option.choices]
    value_type = click.Choice(choices) if choices else type(option.default)
    return click.Option(
        [name], type=value_type, default=option.default, help=option.help, show_default=True
    )


command.params.extend(_option(option) for option in all_options())
