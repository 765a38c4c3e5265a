"""How far a reading is: lines for a log, a bar for a terminal."""

import io

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeRemainingColumn

from exporter.cli.progress import Bar, Lines


def test_a_line_every_ten_seconds_with_the_time_left() -> None:
    """By the rate of this run: what an earlier one has read says nothing of it."""
    now = 100.0
    said: list[str] = []
    lines = Lines("fleet", said.append, lambda: now)
    lines.progress(50_000, 100_000)
    now += 5
    lines.progress(50_500, 100_000)
    assert said == []
    now += 5
    lines.progress(51_000, 100_000)
    assert said == ["fleet: 51,000 of 100,000 actions read, 8 min left"]
    now += 9
    lines.progress(60_000, 100_000)
    assert len(said) == 1
    now += 1
    lines.progress(60_000, None)
    lines.waiting(30)
    assert said[1:] == [
        "fleet: 60,000 actions read",
        "fleet: Telnyx requires a wait of 30 s",
    ]


def test_a_bar_has_the_name_and_the_numbers() -> None:
    """And says that it waits, until it goes on."""
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True)
    columns = (
        TextColumn("{task.description}|{task.completed}|{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=False) as bars:
        bar = Bar("[fleet]", bars)
        bar.waiting(7200)
        bars.refresh()
        assert "[fleet] (waits 2.0 h for Telnyx)|0|None" in screen.getvalue()
        bar.progress(5, 10)
        bars.refresh()
    assert screen.getvalue().rstrip().rpartition("[fleet]")[2].startswith("|5|10")
