"""How long after an action failed somebody is notified: exporter, simulator and Alertmanager.

Actions fail at random times, some that were in flight for long and some that nobody had seen
before. A delay is from the end by the simulator's clock, which is the alert's ``startsAt``, to the
notification at a webhook.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError
from benchmarks.stage import Stage
from benchmarks.timing import random_moments
from demo_stack.programs import Program, StackError, find, reserve_port, start
from demo_stack.receiver import Notification, NotificationReceiver

WINDOWS = {1.0: 20.0, 15.0: 60.0}
"""Poll intervals, and for how long actions fail there; all in seconds."""

ENDS = 20
"""How many actions fail at each interval, at times that are spread evenly but for chance."""

GROUP_WAIT = 0.0
"""Seconds that Alertmanager waits for further alerts of a group; each alert is a group here."""

LATE = 30.0
"""Seconds past an interval after which a notification that does not come is given up."""

LIFE: dict[str, object] = {"rate": 0, "bulk-every": 0, "history": 100_000, "stuck-at-start": 0}


def measure() -> Report:
    """Measure; about a minute and a half, as all intervals are measured at the same time."""
    with ThreadPoolExecutor(len(WINDOWS)) as threads:
        delays = dict(zip(WINDOWS, threads.map(_delays, WINDOWS), strict=True))
    return Report(
        "From the end of an action to a notification",
        f"{ENDS} actions failed at random moments at each interval, half of them in flight and "
        "half of them never seen before. Each opened a problem, whose SIM card was looked up. A "
        "delay starts when the action failed by the clock of the simulated API, and stops when a "
        "webhook has the notification of a real Alertmanager. Its `group_wait` was "
        f"{GROUP_WAIT:g} s; Alertmanager waits no longer once the beginning of an alert, which is "
        "the end of the action, is that long ago.",
        tuple(figure for interval, found in delays.items() for figure in _figures(interval, found)),
    )


def _figures(interval: float, delays: list[float]) -> Iterator[Figure]:
    when = f"polls every {interval:g} s"
    yield Figure(f"ended to notified, median, {when}", median(delays), "s", steady=False)
    yield Figure(f"ended to notified, longest, {when}", max(delays), "s", steady=False)
    beyond = max(delays) - interval - GROUP_WAIT
    yield Figure(f"longest beyond interval and group_wait, {when}", beyond, "s", 1.0, steady=False)


def _delays(interval: float) -> list[float]:
    """Return how long each notification took."""
    delays: dict[str, float] = {}
    all_came = threading.Event()

    def arrived(notification: Notification) -> None:
        now = time.time()
        for alert in notification.alerts:
            began = datetime.fromisoformat(alert["startsAt"]).timestamp()
            delays.setdefault(alert["labels"]["sim_card_id"], now - began)
        if len(delays) == ENDS:
            all_came.set()

    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        webhook = undo.enter_context(closing(NotificationReceiver(arrived)))
        url, alertmanager = _start_alertmanager(folder, webhook.url)
        undo.callback(alertmanager.stop)
        stage = Stage(folder, LIFE, accounts=1, interval=interval, alertmanagers=(url,))
        undo.enter_context(closing(stage))
        _fail(stage, WINDOWS[interval])
        if not all_came.wait(interval + LATE):
            raise ProgramError(f"{len(delays)} of {ENDS} notifications came")
    return list(delays.values())


def _start_alertmanager(folder: Path, webhook: str) -> tuple[str, Program]:
    """Start an Alertmanager that notifies of each alert; returns its URL."""
    route = {
        "receiver": "webhook",
        "group_by": ["..."],
        "group_wait": f"{GROUP_WAIT:g}s",
        "group_interval": "1h",
    }
    receivers = [{"name": "webhook", "webhook_configs": [{"url": f"{webhook}/webhook"}]}]
    config = folder / "alertmanager.yml"
    config.write_text(json.dumps({"route": route, "receivers": receivers}))  # JSON is YAML
    try:
        url = f"http://127.0.0.1:{reserve_port('Alertmanager', 0)}"
        program = start(
            "alertmanager",
            (
                find("prometheus-alertmanager", "alertmanager", "prometheus-alertmanager"),
                f"--config.file={config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ),
            folder,
        )
        try:
            program.wait_for(f"{url}/-/ready", threading.Event())
        except BaseException:
            program.stop()
            raise
    except StackError as exc:
        raise ProgramError(str(exc)) from exc
    return url, program


def _fail(stage: Stage, window: float) -> None:
    """Let actions fail at random times within ``window`` seconds."""
    flying = stage.control("actions", {"action_type": "enable", "count": ENDS}).json()["ids"]
    for number in random_moments(ENDS, window):
        action_id = flying[number]
        if number % 2:
            made = stage.control("actions", {"action_type": "enable", "count": 1})
            (action_id,) = made.json()["ids"]
        stage.control(f"actions/{action_id}", {"status": "failed", "reason": "SIM card is blocked"})
