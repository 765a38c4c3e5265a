import contextlib
import re
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

LIMIT = 256
FLOOD = 600
LINES = 30
"""More than an exporter has to say in some seconds, and far less than one line a connection."""

Limited = Callable[[str], tuple[str, ...]]


@pytest.fixture
def limited() -> Limited:
    """Give the words that start a program under limits that the shell sets."""
    return lambda limits: ("/bin/sh", "-c", f'{limits}; exec "$@"', "sh")


@pytest.fixture
def flood() -> Iterator[Callable[[str], None]]:
    """Give what connects again and again and says nothing; the ends stay open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)

        def connect(url: str) -> None:
            parts = urlsplit(url)
            for _ in range(FLOOD):
                held.enter_context(
                    socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)
                )

        yield connect


def test_held_connections_take_no_file_from_polls(
    simulate: Any, export: Any, until: Any, limited: Limited, flood: Callable[[str], None]
) -> None:
    """With few files and many silent clients it polls, reloads and answers, and logs little."""
    running = export(simulate().url, before=limited(f"ulimit -n {LIMIT}"))
    until(lambda: running.get("/-/ready").status_code == 200)
    flood(running.url)
    flood(running.url)
    polls = running.total("telnyx_exporter_polls_total")
    until(lambda: running.total("telnyx_exporter_polls_total") > polls + 5)
    assert running.total("telnyx_exporter_poll_failures_total") == 0
    assert running.total("telnyx_exporter_web_connections_dropped_total") > FLOOD
    assert running.total("process_open_fds") < LIMIT
    running.post("/-/reload")
    assert len(running.err) < LINES, running.err
    (full,) = until(lambda: running.events("connections_limited"))
    assert full["limit"] < LIMIT


def test_the_lower_limit_of_files_is_raised(export: Any, simulate: Any, limited: Limited) -> None:
    """A shell's limit is none for a daemon: what the system allows is taken."""
    running = export(simulate().url, before=limited(f"ulimit -Sn {LIMIT}; ulimit -Hn 2048"))
    limits = Path(f"/proc/{running.process.pid}/limits").read_text(encoding="ascii")
    assert re.search(r"Max open files +2048 +2048", limits)
    assert running.total("process_max_fds") == 2048


def test_no_file_left_fills_no_log(
    simulate: Any, export: Any, until: Any, limited: Limited, flood: Callable[[str], None]
) -> None:
    """Where even the files that are kept back are missing, the log has a few lines a second."""
    running = export(simulate().url, before=limited("ulimit -n 64"))
    until(lambda: running.get("/-/ready").status_code == 200)
    flood(running.url)
    until(lambda: running.total("telnyx_exporter_web_connections_dropped_total") > 0)
    assert len(running.err) < LINES, running.err
