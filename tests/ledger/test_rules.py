from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import ENDED_STATUSES, Action, Status
from exporter.ledger.records import ListCursor, SortOrder, TrackedAction
from exporter.ledger.rules import NOTHING, Transition, ended_status, is_history, observe

Maker = Callable[..., Any]


@pytest.mark.parametrize(
    ("status", "history", "created", "entered", "remembered"),
    [
        pytest.param("in-progress", False, True, None, True, id="new, in progress"),
        pytest.param("queued", False, True, None, True, id="new, status that nobody knows"),
        pytest.param("", False, True, None, True, id="new, no status"),
        pytest.param("completed", False, True, "completed", True, id="new, completed"),
        pytest.param("failed", False, True, "failed", True, id="new, failed"),
        pytest.param("interrupted", False, True, "interrupted", True, id="new, interrupted"),
        pytest.param("in-progress", True, False, None, True, id="history, in progress"),
        pytest.param("queued", True, False, None, True, id="history, status that nobody knows"),
        pytest.param("completed", True, False, None, False, id="history, completed"),
        pytest.param("failed", True, False, None, False, id="history, failed"),
        pytest.param("interrupted", True, False, None, False, id="history, interrupted"),
    ],
)
def test_first_sight(
    make_action: Maker,
    *,
    status: str,
    history: bool,
    created: bool,
    entered: str | None,
    remembered: bool,
) -> None:
    """What nobody knew counts unless it is history, and is remembered unless it is over."""
    found = observe(None, make_action(status=status), history=history, now=120.0)
    assert (found.created, found.entered, found.left) == (created, entered, None)
    assert (found.row is not None) is remembered
    if found.row is not None:
        assert found.row.ended_at == (120.0 if status in ENDED_STATUSES else None)


def test_history_is_remembered_where_asked_for(make_action: Maker) -> None:
    """Ended history that is kept counts as nothing, and is recognised later."""
    found = observe(None, make_action(status="failed"), history=True, now=120.0, keep=True)
    assert found == Transition(found.row)
    assert found.row is not None
    assert found.row.ended_at == 120.0


@pytest.mark.parametrize(
    ("before", "after", "entered"),
    [
        pytest.param("in-progress", "completed", "completed", id="completes"),
        pytest.param("in-progress", "failed", "failed", id="fails"),
        pytest.param("in-progress", "interrupted", "interrupted", id="is interrupted"),
        pytest.param("interrupted", "in-progress", None, id="goes on"),
        pytest.param("interrupted", "completed", "completed", id="completes after all"),
        pytest.param("failed", "in-progress", None, id="fails, then goes on"),
        pytest.param("completed", "failed", "failed", id="another end"),
        pytest.param("queued", "in-progress", None, id="starts"),
        pytest.param("in-progress", "paused", None, id="into a status that nobody knows"),
        pytest.param("paused", "failed", "failed", id="out of a status that nobody knows"),
        pytest.param("", "in-progress", None, id="its status is told at last"),
    ],
)
def test_another_status_is_followed(
    make_row: Maker, make_action: Maker, before: str, after: str, entered: str | None
) -> None:
    """Whatever the change, it is followed, and counts where it is an end."""
    found = observe(make_row(status=before), make_action(status=after), history=False, now=130.0)
    assert (found.created, found.entered, found.left) == (False, entered, before)
    assert found.row is not None
    assert (found.row.status, found.row.seen_at) == (after, 105.0)
    assert found.row.ended_at == (130.0 if entered else None)


@pytest.mark.parametrize(
    ("before", "after", "updated_at"),
    [
        pytest.param("in-progress", "in-progress", 110.0, id="the same"),
        pytest.param("failed", "failed", 110.0, id="the same end"),
        pytest.param("failed", "failed", 140.0, id="the same end, touched since"),
        pytest.param("in-progress", "", 140.0, id="no status"),
        pytest.param("failed", "", 140.0, id="ended, no status"),
        pytest.param("failed", "in-progress", 109.0, id="ended, an earlier state"),
        pytest.param("completed", "interrupted", 109.0, id="ended, an earlier end"),
    ],
)
def test_nothing_changed(
    make_row: Maker, make_action: Maker, before: str, after: str, updated_at: float
) -> None:
    """The same again, nothing said, or what was true earlier means nothing."""
    action = make_action(status=after, updated_at=updated_at)
    assert observe(make_row(status=before), action, history=False, now=130.0) is NOTHING


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        pytest.param(110.0, 90.0, id="the API's clock went back"),
        pytest.param(None, 90.0, id="not known when"),
        pytest.param(110.0, None, id="not said when"),
    ],
)
def test_an_end_is_never_stale_while_the_action_is_open(
    make_row: Maker, make_action: Maker, known: float | None, seen: float | None
) -> None:
    """An open action would stay so for ever if its end were taken for an earlier state."""
    action = make_action(status="failed", updated_at=seen)
    found = observe(make_row(updated_at=known), action, history=False, now=130.0)
    assert found.entered is Status.FAILED


def test_what_an_answer_leaves_out_is_kept(make_row: Maker, make_action: Maker) -> None:
    """A change keeps what only an earlier observation told, and what only we know."""
    known = make_row(position=7, stuck=True)
    action = make_action(status="failed", sim_card_id="", action_type="", created_at=None)
    row = observe(known, action, history=False, now=130.0).row
    assert row is not None
    assert (row.sim_card_id, row.action_type, row.created_at) == ("sim", "enable", 100.0)
    assert (row.position, row.stuck) == (7, True)


@pytest.mark.parametrize(
    ("created_at", "updated_at", "baseline_cutoff", "history"),
    [
        pytest.param(100.0, 110.0, None, False, id="no history at all"),
        pytest.param(100.0, 110.0, 99.0, False, id="after the cutoff"),
        pytest.param(100.0, 110.0, 100.0, True, id="at the cutoff"),
        pytest.param(100.0, 110.0, 101.0, True, id="before the cutoff"),
        pytest.param(None, 110.0, 110.0, True, id="only its change is dated, at the cutoff"),
        pytest.param(None, 110.0, 109.0, False, id="only its change is dated, after it"),
        pytest.param(None, None, 1e9, True, id="no time at all"),
    ],
)
def test_is_history(
    make_action: Maker,
    created_at: float | None,
    updated_at: float | None,
    baseline_cutoff: float | None,
    *,
    history: bool,
) -> None:
    """History is what was created up to the baseline cutoff."""
    action = make_action(created_at=created_at, updated_at=updated_at)
    assert is_history(action, ListCursor(SortOrder.NEWEST, 0, baseline_cutoff)) is history


@pytest.mark.parametrize(
    ("status", "updated_at", "baseline_time", "history"),
    [
        pytest.param("failed", 110.0, 110.0, True, id="ended by then"),
        pytest.param("failed", 110.0, 109.0, False, id="ended later"),
        pytest.param("failed", 110.0, None, False, id="nobody knows when it was"),
        pytest.param("failed", None, 1e9, False, id="it does not say when"),
        pytest.param("in-progress", 110.0, 1e9, False, id="has not ended"),
        pytest.param("queued", 110.0, 1e9, False, id="nobody knows whether it has ended"),
    ],
)
def test_what_says_that_it_ended_before_the_first_poll_is_history(
    make_action: Maker,
    status: str,
    updated_at: float | None,
    baseline_time: float | None,
    *,
    history: bool,
) -> None:
    """Whatever the baseline cutoff, and however many actions a total promises."""
    action = make_action(status=status, updated_at=updated_at)
    cursor = ListCursor(SortOrder.NEWEST, 0, None, baseline_time=baseline_time)
    assert is_history(action, cursor, missing=True) is history


@pytest.mark.parametrize(("baseline_time", "created"), [(99.0, True), (100.0, False), (None, True)])
def test_what_was_created_before_the_first_poll_counts_its_end_alone(
    make_action: Maker, baseline_time: float | None, *, created: bool
) -> None:
    """No list showed it then, so it is new to us, but it was created before anyone looked."""
    action = make_action(status="failed", created_at=100.0, updated_at=200.0)
    seen = observe(None, action, history=False, now=210.0, baseline_time=baseline_time)
    assert (seen.created, seen.entered) == (created, Status.FAILED)


def test_ended_names_ends_only() -> None:
    """The documented ends are ends, and nothing else is."""
    statuses = [*Status, "", "queued", "FAILED"]
    assert [ended_status(each) for each in statuses if ended_status(each) is not None] == list(
        ENDED_STATUSES
    )


@st.composite
def _sightings(draw: st.DrawFn) -> tuple[list[tuple[str, float]], list[int]]:
    """Draw the life of an action, and which of its moments are seen, in which order.

    A moment may be seen again. While the action has ended, an earlier one may come late: one
    from before the end that is known.
    """
    statuses = draw(
        st.lists(st.sampled_from([*Status, "queued"]), min_size=1, max_size=8).filter(
            lambda life: all(a != b for a, b in pairwise(life))
        )
    )
    life = [(str(status), 100.0 + moment) for moment, status in enumerate(statuses)]
    seen: list[int] = []
    latest = entered = 0
    for _ in range(draw(st.integers(1, 20))):
        late = (
            st.integers(0, entered) if seen and life[latest][0] in ENDED_STATUSES else st.nothing()
        )
        moment = draw(late | st.integers(latest, len(life) - 1))
        seen.append(moment)
        if life[moment][0] != life[latest][0] and moment > latest:
            entered = moment
        latest = max(latest, moment)
    return life, seen


@given(_sightings())
def test_each_entry_counts_once_however_often_it_is_seen(
    drawn: tuple[list[tuple[str, float]], list[int]],
) -> None:
    """Entries are the changes into an end among what was seen; created is counted once."""
    life, moments = drawn
    known: TrackedAction | None = None
    created = 0
    entries: list[str] = []
    for moment in moments:
        status, updated_at = life[moment]
        action = Action("a", "sim", "enable", status, None, 100.0, updated_at)
        found = observe(known, action, history=False, now=updated_at)
        created += found.created
        if found.entered is not None:
            entries.append(found.entered)
        known = found.row or known
    advances = [m for at, m in enumerate(moments) if m > max(moments[:at], default=-1)]
    followed = [life[moment][0] for moment in advances]
    changes = [after for before, after in pairwise(["", *followed]) if before != after]
    assert created == 1
    assert entries == [status for status in changes if status in ENDED_STATUSES]
