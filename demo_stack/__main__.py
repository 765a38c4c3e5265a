"""`python -m demo_stack`: run the demo, Prometheus and Alertmanager until Ctrl-C.

Prints the addresses, then each notification as it arrives. Leaves nothing behind.
Exit codes: 0 stopped, 1 a program could not be started or exited, 2 wrong usage.
"""

import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from demo_stack.programs import StackError, StoppedError, first_available, reserve_port, start
from demo_stack.receiver import Notification, NotificationReceiver
from demo_stack.stack import ALERTMANAGER, Stack, StackSettings

SCRAPE_INTERVAL = 2.0
"""Seconds between two scrapes, as between two polls of the demo."""

CHECK_INTERVAL = 0.5
"""Seconds between two checks that all programs still run."""

PROBLEM_ALERT = "TelnyxSimCardProblem"
"""The alert for a single SIM card, which the exporter itself sends."""

MAKE = "as in: make demo-stack OPTIONS=--{}-port=0"
"""How to give an option to make."""

WELCOME = """
  Exporter      http://{exporter}/
  Prometheus    {alerts}
  Alertmanager  {alertmanager}/
  Log files     {folder}/*.log

  {durations}
  The exporter itself sends TelnyxSimCardProblem, one alert for each broken SIM card. While one
  fires, Alertmanager suppresses TelnyxSimCardProblems, the rule that counts them.
  Debian's Alertmanager has no web interface; to list its alerts, run
  amtool --alertmanager.url={alertmanager} alert query

  Press Ctrl-C to stop; nothing is left behind. Notifications:
"""


def _port(name: str, default: int) -> click.Option:
    """Return the option for the port of a program."""
    return click.Option(
        [f"--{name}-port"],
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help=f"Port of the {name} on 127.0.0.1; 0: a free port.",
    )


class NotificationPrinter:
    """Prints notifications, and the SIM cards in them that break or work again.

    A notification lists all SIM cards of its group each time; those that are known are left out.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._firing: set[str] = set()

    def show(self, notification: Notification) -> None:
        """Print one notification."""
        now = time.strftime("%H:%M:%S")
        click.echo(f"  {now}  to {notification.receiver}: {notification.title}")
        for alert in notification.alerts:
            identity, firing = alert["fingerprint"], alert["status"] == "firing"
            if alert["labels"]["alertname"] != PROBLEM_ALERT or firing == (
                identity in self._firing
            ):
                continue
            (self._firing.add if firing else self._firing.discard)(identity)
            click.echo(f"            {alert['status']:<8}  {alert['annotations']['summary']}")


def durations(faster: float) -> str:
    """Return what is said of the durations of the rules."""
    if faster == 1:
        return "Rules as shipped: most alerts take five minutes or more."
    return f"Every duration of rules and routes is divided by {faster:g}."


def run(
    stop: threading.Event, faster: float, alertmanager_file: Path, ports: Mapping[str, int]
) -> None:
    """Run the programs, by whose names the ports are given, until ``stop`` is set.

    Raises StackError if one cannot be started or exits, StoppedError if ``stop`` is set
    before all are ready.
    """
    free = {
        name: reserve_port(name, port, f"choose another with --{name}-port, {MAKE.format(name)}")
        for name, port in ports.items()
    }
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory(prefix="telnyx-sim-exporter-")))
        receiver = undo.enter_context(closing(NotificationReceiver(NotificationPrinter().show)))
        settings = StackSettings(
            receiver.url,
            free["prometheus"],
            free["alertmanager"],
            faster,
            SCRAPE_INTERVAL,
            alertmanager_file,
        )
        stack = undo.enter_context(closing(Stack(folder, settings, stop)))
        exporter = f"127.0.0.1:{free['exporter']}"
        words = ("--web.listen-address", exporter, "--alertmanager.target", stack.alertmanager)
        demo = start("exporter", (sys.executable, "-m", "exporter", "demo", *words), folder)
        undo.callback(demo.stop)
        demo.wait_for(f"http://{exporter}/-/ready", stop)
        stack.set_targets(exporter)
        click.echo(
            WELCOME.format(
                exporter=exporter,
                # Debian's Prometheus serves its web interface at another path.
                alerts=first_available(
                    *(f"{stack.prometheus}{at}/alerts" for at in ("", "/classic"))
                ),
                alertmanager=stack.alertmanager,
                folder=folder,
                durations=durations(faster),
            )
        )
        while not stop.wait(CHECK_INTERVAL):
            for each in (*stack.programs, demo):
                each.check()


def main(faster: float, alertmanager_config: Path, **ports: int) -> None:
    """Run the exporter's demo, Prometheus and Alertmanager on loopback until Ctrl-C."""
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: stop.set())
    try:
        by_program = {name.removesuffix("_port"): port for name, port in ports.items()}
        run(stop, faster, alertmanager_config, by_program)
    except StoppedError:
        pass
    except StackError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)


COMMAND = click.Command(
    "demo_stack",
    callback=main,
    help=main.__doc__,
    params=[
        click.Option(
            ["--faster"],
            type=click.FloatRange(min=1),
            default=1.0,
            show_default=True,
            help="Divides every duration of the rules and of Alertmanager's routes.",
        ),
        click.Option(
            ["--alertmanager-config"],
            type=click.Path(path_type=Path),
            default=ALERTMANAGER,
            show_default="the shipped example",
            help="Configuration of Alertmanager. Notifications are printed here, not sent.",
        ),
        _port("exporter", 10874),
        _port("prometheus", 9090),
        _port("alertmanager", 9093),
    ],
)

if __name__ == "__main__":
    COMMAND(prog_name="python -m demo_stack")
