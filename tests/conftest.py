"""Set up the test run, and hold tests to the system programs they need.

It must not know what they do with them.
"""

import gc
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from exporter.sinks.logging_setup import QUIET_LIBRARIES

_OF_DEBIAN = (*sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin"))), "/usr/sbin")
"""Folders of servers, which Debian keeps off the PATH of users."""


@dataclass(frozen=True, slots=True)
class Program:
    """A system program: the names it goes by, the likeliest first, and its Debian package."""

    names: tuple[str, ...]
    package: str

    def path(self) -> str | None:
        """Find it on PATH, or where Debian has servers; None where it is not installed."""
        folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *_OF_DEBIAN))
        found = (shutil.which(name, path=folders) for name in self.names)
        return next(filter(None, found), None)


_ALERTMANAGER = "prometheus-alertmanager"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PROGRAMS = {
    "alertmanager": Program(("alertmanager", "prometheus-alertmanager"), _ALERTMANAGER),
    "amtool": Program(("amtool",), _ALERTMANAGER),
    "chromium": Program(_BROWSERS, "chromium"),
    "go": Program(("go",), "golang-go"),
    "ip": Program(("ip",), "iproute2"),
    "node": Program(("node",), "nodejs"),
    "postgres": Program(("postgres",), "postgresql"),
    "prometheus": Program(("prometheus",), "prometheus"),
    "promtool": Program(("promtool",), "prometheus"),
    "systemd-analyze": Program(("systemd-analyze",), "systemd"),
}
"""Programs whose package, or whose name, is not simply their name."""


def _program(name: str) -> Program:
    return PROGRAMS.get(name, Program((name,), name))


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def pytest_xdist_auto_num_workers() -> int:
    """Run five tests more at a time than there are cores: much of the time is spent waiting."""
    return (os.cpu_count() or 1) + 5


WAITING = {"end_to_end", "demo_stack"}
"""Folders of tests that wait for programs most of the time."""


def _own_time(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let three workers in four begin with tests that wait, or are given a time of their own.

    Started last, they would end long after all others, so those with most time come first; at
    work on all workers at once, they would leave the cores idle. Each worker begins with an equal
    share of the list; such a file stays in one share, and so do files of one `xdist_group`: they
    wait for each other to make what they need.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    groups: dict[str, list[pytest.Item]] = {}
    others = []
    for item in items:
        if _own_time(item) == 0.0 and WAITING.isdisjoint(item.path.parts):
            others.append(item)
        else:
            group = item.get_closest_marker("xdist_group")
            groups.setdefault(group.args[0] if group else str(item.path), []).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    longest_first = sorted(
        groups.values(), key=lambda them: max(map(_own_time, them)), reverse=True
    )
    for number, long in enumerate(longest_first):
        shares[number % max(1, workers * 3 // 4)] += long
    size, rest = ceil(len(items) / workers), iter(others)
    items[:] = [
        each for share in shares for each in (*share, *islice(rest, max(0, size - len(share))))
    ]


# On a busy machine any example may take long; each test has its time limit.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")  # unless --hypothesis-profile names another


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect garbage rarely: what imports and collection make stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``program(name, ...)`` if one is missing; fail it in CI."""
    for name in (name for marker in item.iter_markers("program") for name in marker.args):
        program = _program(name)
        if program.path() is None:
            advice = f"needs {name}: apt-get install {program.package}"
            if _in_ci():
                pytest.fail(advice, pytrace=False)
            pytest.skip(advice)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line how many tests were skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(each.longrepr[2]).removeprefix("Skipped: ") for each in skipped)
    if reasons:
        why = "; ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        terminalreporter.write_line(f"Skipped {len(skipped)} tests: {why}", yellow=True)


@pytest.fixture(scope="session")
def program_path() -> Callable[[str], str]:
    """Give the path of a program by its name, whatever a distribution calls it.

    A test that calls it is marked ``program`` with the same name.
    """

    def find(name: str) -> str:
        path = _program(name).path()
        assert path is not None, f"mark the test with pytest.mark.program({name!r})"
        return path

    return find


@pytest.fixture(scope="session")
def npm_folder(program_path: Callable[[str], str]) -> Path:
    """Give a folder whose ``node_modules`` hold what tests take from npm.

    A test that asks for it is marked ``program("npm")``.
    """
    from tests.support.downloads import npm_packages  # noqa: PLC0415 - few tests need it

    return npm_packages(program_path("npm"))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a test, or the program that it runs in its own process, sets up for logging."""
    loggers = [logging.getLogger(name) for name in ("", *QUIET_LIBRARIES)]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Run a PostgreSQL server for all tests that leave it running."""
    from tests.support.postgresql import new_cluster  # noqa: PLC0415 - few tests need the driver

    with new_cluster() as made:
        yield made


@pytest.fixture(scope="session")
def forks() -> Iterator[Any]:
    """Give a server that starts our own program without importing it anew."""
    from tests.support.forking import new_fork_server  # noqa: PLC0415 - few tests need it

    with new_fork_server() as server:
        yield server
