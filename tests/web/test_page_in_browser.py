"""The page in a real browser, driven through the pipe of the DevTools protocol.

The pipe needs no library, measures the page as it is served, policy included, and knows
widths below the smallest window of the browser.
"""

import asyncio
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from exporter.address import ListenAddress
from exporter.domain import Problem, ProblemStatus, SimCard
from exporter.sync.progress import Progress, Stage

pytestmark = [pytest.mark.program("chromium", "npm"), pytest.mark.timeout(180)]

DEADLINE = 60.0

ON_THE_PIPE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and writes answers to 4."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)

MEASURE = """
(() => {
  const root = document.documentElement;
  const wide = [...document.querySelectorAll("body *:not(thead, thead *)")].filter(
    each => each.getBoundingClientRect().right > innerWidth + 0.5);
  return JSON.stringify({
    overflow: root.scrollWidth - root.clientWidth,
    outside: wide.map(each => each.tagName + "." + each.className),
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    tableDisplay: getComputedStyle(document.querySelector("table") ?? document.body).display,
    text: document.body.innerText,
    scripts: document.scripts.length,
  });
})()
"""


AUDIT = """
axe.run(document, {resultTypes: ["violations"]}).then(found => JSON.stringify(
  found.violations.map(({id, impact, nodes}) => [impact, id, ...nodes.map(each => each.html)])))
"""
"""What axe-core finds, most of which no eye would see."""


class _Browser:
    """A headless Chromium with one page; every wait for it has a deadline.

    ``script`` is run in each document before it is loaded, which its policy cannot forbid.
    """

    def __init__(self, program: str, profile: Path, script: str) -> None:
        self._script = script
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        # Above 4, so that putting one in its place cannot overwrite the other.
        theirs = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (commands, answers)]
        launch = [sys.executable, "-c", ON_THE_PIPE, *map(str, theirs), program]
        self._process = subprocess.Popen(  # noqa: S603 # a fixed program
            [*launch, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for each in (commands, answers, *theirs):
            os.close(each)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        self._session: dict[str, str] = {}

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=self._script)
        self.call("Log.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._session = {}
        try:
            self.call("Browser.close")
            self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._out)
            os.close(self._in)

    def call(self, method: str, **params: Any) -> Any:
        """Send a command and return its answer; what happens meanwhile goes to `events`."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(command).encode() + b"\0")
        for message in self._messages():
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)
        raise AssertionError(f"{method} was not answered")

    def open(self, url: str, *, width: int, scheme: str) -> dict[str, Any]:
        """Load ``url`` on a screen ``width`` wide and return what is found there."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[preference])
        self.events.clear()
        self.call("Page.navigate", url=url)
        if not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            for message in self._messages():
                self.events.append(message)
                if message.get("method") == "Page.loadEventFired":
                    break
        measured: dict[str, Any] = self._value(MEASURE)
        return measured | {"barriers": self._value(AUDIT)}

    def _value(self, expression: str) -> Any:
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return json.loads(found["result"]["value"])

    def _messages(self) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + DEADLINE
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._in], [], [], deadline - time.monotonic())
                chunk = os.read(self._in, 65536) if ready else b""
                assert chunk, "the browser does not answer"
                self._buffer += chunk
            message, _, self._buffer = self._buffer.partition(b"\0")
            yield json.loads(message)


Look = Callable[..., Awaitable[dict[tuple[str, int, str], dict[str, Any]]]]


@pytest.fixture
def look(program_path: Callable[[str], str], npm_folder: Path, tmp_path: Path) -> Look:
    """Give what opens pages on a phone and a wide screen, in light and dark."""
    axe = (npm_folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")

    def seen(*urls: str) -> dict[tuple[str, int, str], dict[str, Any]]:
        with _Browser(program_path("chromium"), tmp_path, axe) as browser:
            return {
                (url, width, scheme): browser.open(url, width=width, scheme=scheme)
                | {"complaints": [e for e in browser.events if e.get("method") == "Log.entryAdded"]}
                for url in urls
                for width in (360, 1600)
                for scheme in ("light", "dark")
            }

    return partial(asyncio.to_thread, seen)


def _brightness(colour: str) -> float:
    """Return the mean of red, green and blue of ``rgb(r, g, b)``."""
    channels = colour.partition("(")[2].rstrip(")").split(",")[:3]
    return sum(map(float, channels)) / 3


async def test_page_fits_phone_and_wide_screen_in_light_and_dark(
    operator: Any, serve: Any, look: Look
) -> None:
    """Nothing sticks out sideways, colours follow the reader, and nobody has a complaint."""
    address: ListenAddress
    _, address = await serve(operator.app())
    for (_, width, scheme), page in (await look(address.url + "/")).items():
        assert page["overflow"] == 0, width
        assert page["outside"] == [], width
        assert page["complaints"] == []
        assert page["barriers"] == [], (width, scheme)
        assert page["scripts"] == 0
        assert "<script>alert('x')</script>" in page["text"]
        assert "action-1" in page["text"]
        assert page["tableDisplay"] == ("block" if width == 360 else "table")
        dark = _brightness(page["paper"]) < _brightness(page["ink"])
        assert dark is (scheme == "dark")


async def test_pages_of_problems_fit_phone_and_wide_screen(
    operator: Any, serve: Any, snapshot: Callable[..., Any], busy: Any, up: Any, look: Look
) -> None:
    """However long the names of a SIM card are; the form is allowed by the page's own policy."""
    problem = Problem(
        sim_card_id="sim-2",
        concern="connectivity",
        status=ProblemStatus.FAILED,
        opened_at=1_785_580_000.0,
        attempts=3,
        action_id="b2f0c1aa-0d6b-4d0c-9a52-6b2a1ce5a2f4",
        action_type="enable_standby_sim_card",
        reason="R" * 300,
        reason_class="other",
        started_at=1_785_580_000.0,
        retrying=True,
        changed_at=1_785_580_000.0,
    )
    card = SimCard("sim-2", "8" * 22, "", "G" * 200, ("T" * 200, "a b"))
    view = replace(busy, problems=(problem,), sim_cards={"sim-2": card})
    up.progressed(Progress(600, Stage.CATCH_UP, done=400, total=1_000, seconds=20.0))
    names = ("default", "N" * 64, "a b", "<i>", "five")
    operator.snapshot = snapshot(*((replace(view, name=name), up) for name in names))
    _, address = await serve(operator.app())
    paths = {
        "/": "Failures of the last day",
        "/?name=none": "No account passes these filters",
        "/?account=default": "400 of 1,000 actions read",
        "/problems?tag=a+b": "sim-2",
        "/actions?sort=-ended_at": "sim-2",
        "/failures": "sim-2",
        "/sim-cards/sim-2": "sim-2",
        "/problems?status=x": "unknown value",
    }
    seen = await look(*(f"{address.url}{path}" for path in paths))
    for (url, width, scheme), page in seen.items():
        assert page["overflow"] == 0, (url, width)
        assert page["outside"] == [], (url, width)
        assert page["complaints"] == [] or "status=x" in url, url  # of the status 400
        assert page["barriers"] == [], (url, width, scheme)
        assert page["scripts"] == 0
        assert paths[url.removeprefix(address.url)] in page["text"]
