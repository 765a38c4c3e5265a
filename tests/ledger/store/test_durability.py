import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.ledger.records import SumKey, SumName
from exporter.ledger.store.sqlite import SqliteStore

EACH = 20
"""Actions that one commit of the child holds."""

COMMITTER = """
import sys
from exporter.ledger.unit_of_work import UnitOfWork
from exporter.ledger.store.database import Database
from exporter.ledger.reasons import Reasons
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.rules import observe
from exporter.domain import Action

store = SqliteStore(Database(sys.argv[1]))
state = store.load("main")
store.attach_sinks(state.account_id, ["log"])
while True:
    number = state.tracked
    unit = UnitOfWork("main", Reasons(()), state.label, 120.0)
    for n in range(number, number + int(sys.argv[2])):
        action = Action(str(n), "sim", "enable", "failed", None, 100.0, 110.0)
        unit.apply(observe(None, action, history=False, now=120.0), new_row=True)
    state.apply(unit, store.commit(state.account_id, unit, state.sums))
    print(state.tracked, flush=True)
"""


def killed_after(file: Path, lines: int) -> int:
    """Let a child commit until it has told so often, kill it; returns what it told last."""
    child = subprocess.Popen(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, "-c", COMMITTER, f"sqlite:///{file}", str(EACH)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.readlines()  # what it told before it died
    assert child.returncode == -signal.SIGKILL
    return int(told[-1])


@pytest.mark.parametrize("kills", [(1, 1, 1), (2, 17, 5), (40,)], ids=str)
def test_a_killed_process_loses_nothing_that_it_committed(
    open_store: Callable[..., SqliteStore], state_file: Path, kills: tuple[int, ...]
) -> None:
    """Wherever it is killed, each commit is there whole or not at all, and all it told are."""
    for lines in kills:
        told = killed_after(state_file, lines)
        store = open_store()
        state = store.load("main")
        assert state.tracked in {told, told + EACH}
        assert len(store.find(state.account_id, [str(n) for n in range(told + EACH)])) == (
            state.tracked
        )
        for key in (
            SumKey(SumName.CREATED, "enable"),
            SumKey(SumName.FAILED, "enable", "none"),
            SumKey(SumName.KNOWN, "enable", "failed"),
            SumKey(SumName.DURATION_BUCKET, "enable", "failed/15"),
        ):
            assert state.sums[key] == state.tracked
        told_of = [
            event.action_id for _, event in store.undelivered(state.account_id, "log", 10_000)
        ]
        assert told_of == [str(n) for n in range(state.tracked)]
        store.close()
