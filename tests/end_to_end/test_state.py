import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATE = "telnyx-sim-exporter.db"
BASELINE = "telnyx_exporter_baseline_timestamp_seconds"


def test_a_state_that_is_removed_while_it_runs_begins_anew_loudly(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """The log says that it is gone and that a baseline was taken; a metric has when."""
    exporter = export(simulate().url)
    # It is ready before its first poll has ended, which says at its end that the baseline is taken.
    until(lambda: exporter.events("baseline_taken"))
    began = exporter.total(BASELINE)
    assert began > 0
    for path in tmp_path.glob(f"{STATE}*"):
        path.unlink()
    until(lambda: len(exporter.events("baseline_taken")) == 2)
    until(lambda: exporter.total(BASELINE) > began)
    (gone,) = exporter.events("state_began_anew")
    assert gone["level"] == "warning"
    assert gone["file"].endswith(STATE)
    assert exporter.end() == 0


def test_a_state_that_was_emptied_is_refused(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """It is down with cause state and has no counters, until the file is moved away."""
    url = simulate().url
    exporter = export(url)
    until(lambda: exporter.get("/-/ready").status_code == 200)
    exporter.end(signal.SIGKILL)
    os.truncate(tmp_path / STATE, 0)
    again = export(url)
    until(lambda: again.total("telnyx_exporter_poll_failures_total", cause="state") > 0)
    assert again.total("telnyx_up") == 0
    assert not again.samples("telnyx_sim_card_actions_created")
    failed = until(lambda: again.events("poll_failed"))
    assert "is empty but was not before" in failed[0]["error"]
    for path in tmp_path.glob(f"{STATE}*"):
        path.rename(path.with_name(f"away{path.suffix}"))
    until(lambda: again.total("telnyx_up") == 1)


def test_a_symbolic_link_is_the_same_state(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A second exporter by another name of the file counts nothing, and says why."""
    url = simulate().url
    first = export(url)
    until(lambda: first.total("telnyx_up") == 1)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(tmp_path / STATE)
    second = export(url, state=f"sqlite:///{link}")
    until(lambda: second.total("telnyx_exporter_poll_failures_total", cause="state") > 0)
    failed = until(lambda: second.events("poll_failed"))
    assert "in use by another process" in failed[0]["error"]
    assert first.total("telnyx_up") == 1


def test_the_size_of_the_state_is_told(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Both parts are as large as their files."""
    exporter = export(simulate().url)
    until(lambda: exporter.get("/-/ready").status_code == 200)
    for part, end in (("database", ""), ("log", "-wal")):
        size = (tmp_path / f"{STATE}{end}").stat().st_size
        until(lambda p=part, s=size: exporter.total("telnyx_exporter_state_bytes", part=p) == s)
