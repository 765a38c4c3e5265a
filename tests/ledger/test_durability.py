import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.ledger.model import Metric, SumKey
from exporter.ledger.store import Store

EACH = 20
"""Actions that one commit of the child holds."""

COMMITTER = """
import sys
from exporter.ledger.draft import Draft
from exporter.ledger.engine import Database
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store
from exporter.ledger.transitions import observe
from exporter.telnyx.wire import Action

store = Store(Database(sys.argv[1]))
book = store.load("main")
while True:
    number = book.tracked
    draft = Draft("main", Reasons(()), book.label, 120.0)
    for n in range(number, number + int(sys.argv[2])):
        action = Action(str(n), "sim", "enable", "failed", None, 100.0, 110.0)
        draft.apply(observe(None, action, history=False, now=120.0), new_row=True)
    book.apply(draft, store.commit(book.account_id, draft, book.sums))
    print(book.tracked, flush=True)
"""


def killed_after(file: Path, lines: int) -> int:
    """Let a child commit until it has told so often, kill it; returns what it told last."""
    child = subprocess.Popen(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, "-c", COMMITTER, f"sqlite:///{file}", str(EACH)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
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
    open_store: Callable[..., Store], state_file: Path, kills: tuple[int, ...]
) -> None:
    """Wherever it is killed, each commit is there whole or not at all, and all it told are."""
    for lines in kills:
        told = killed_after(state_file, lines)
        store = open_store()
        book = store.load("main")
        assert book.tracked in {told, told + EACH}
        assert len(store.find(book.account_id, [str(n) for n in range(told + EACH)])) == (
            book.tracked
        )
        for key in (
            SumKey(Metric.CREATED, "enable"),
            SumKey(Metric.FAILED, "enable", "none"),
            SumKey(Metric.KNOWN, "enable", "failed"),
            SumKey(Metric.DURATION_BUCKET, "enable", "failed/15"),
        ):
            assert book.sums[key] == book.tracked
        told_of = [event.action_id for _, event in store.pending(book.account_id, 10_000)]
        assert told_of == [str(n) for n in range(book.tracked)]
        store.close()
