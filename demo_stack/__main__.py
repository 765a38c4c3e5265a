"""`python -m demo_stack`: run the whole chain with the demo until Ctrl-C, and leave nothing behind.

It puts the parts together and says where they are; notifications are shown as they come.
Exit codes: 0 stopped, 1 it could not be started or a part of it ended, 2 wrong usage.
"""

import signal
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from demo_stack.programs import StackError, StoppedError, claim, shown, start
from demo_stack.sink import Notification, Sink
from demo_stack.stack import Plan, Stack

SECONDS = 2.0
"""Between two scrapes, as between two polls of the demo."""

LOOK = 0.5
"""Seconds between two looks whether all parts still run."""

WELCOME = """
  Exporter      http://{exporter}/
  Prometheus    {alerts}
  Alertmanager  {alertmanager}/

  {pace}
  Alertmanager from Debian has no pages; ask it by
  amtool --alertmanager.url={alertmanager} alert query

  Ctrl-C ends it all; nothing is left behind. Each notification is shown here:
"""


def _port(name: str, default: int) -> click.Option:
    """Return the option that tells where a part listens."""
    return click.Option(
        [f"--{name}-port"],
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help=f"Where the {name} listens on loopback; 0: a free port.",
    )


def show(notification: Notification) -> None:
    """Show one notification as a line."""
    now = time.strftime("%H:%M:%S")
    click.echo(f"  {now}  to {notification.receiver}: {notification.title}")


def pace(faster: float) -> str:
    """Say what the durations of the rules are."""
    if faster == 1:
        return "Rules as shipped: some fire within a minute, most need five minutes or more."
    return f"Every duration of rules and routes is divided by {faster:g}."


def run(stop: threading.Event, faster: float, ports: tuple[int, int, int]) -> None:
    """Run the chain until ``stop`` is set.

    Raises StackError where a part cannot be started or ends, StoppedError if ``stop`` is set
    before all of them are ready.
    """
    names = ("the exporter", "Prometheus", "Alertmanager")
    free = [claim(*each) for each in zip(names, ports, strict=True)]
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory(prefix="telnyx-sim-exporter-")))
        sink = undo.enter_context(closing(Sink(show)))
        plan = Plan(sink.url, free[1], free[2], faster, SECONDS)
        stack = undo.enter_context(closing(Stack(folder, plan, stop)))
        exporter = f"127.0.0.1:{free[0]}"
        words = (sys.executable, "-m", "exporter", "demo", "--web.listen-address", exporter)
        demo = start("exporter", words, folder)
        undo.callback(demo.end)
        demo.wait_for(f"http://{exporter}/-/ready", stop)
        stack.watch(exporter)
        click.echo(
            WELCOME.format(
                exporter=exporter,
                # Prometheus from Debian has its pages elsewhere.
                alerts=shown(*(f"{stack.prometheus}{at}/alerts" for at in ("", "/classic"))),
                alertmanager=stack.alertmanager,
                pace=pace(faster),
            )
        )
        while not stop.wait(LOOK):
            for each in (*stack.programs, demo):
                each.check()


def main(faster: float, **ports: int) -> None:
    """Run the exporter's demo, Prometheus and Alertmanager on loopback until Ctrl-C."""
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: stop.set())
    try:
        run(
            stop,
            faster,
            (ports["exporter_port"], ports["prometheus_port"], ports["alertmanager_port"]),
        )
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
        _port("exporter", 10874),
        _port("prometheus", 9090),
        _port("alertmanager", 9093),
    ],
)

if __name__ == "__main__":
    COMMAND(prog_name="python -m demo_stack")
