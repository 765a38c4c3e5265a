"""The report: what failed, why, how often, which cards, when; in 80 columns whatever it holds."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import Action
from exporter.history.listing import COLUMNS, csv_parts
from exporter.history.report import report
from exporter.history.spool import HistorySource, ListState, Spool
from exporter.history.summary import Scope, summarize
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import SortOrder
from exporter.ledger.snapshot import SnapshotOptions

DAY = 86_400.0
START = 1_785_542_400.0  # 2026-08-01
ALL = SnapshotOptions((), (), {}, 1e12, ())
classify = Reasons.with_configured(()).classify


def action(number: int, **fields: object) -> Action:
    """Return an action that failed a minute after it was created."""
    values: dict[str, object] = {
        "sim_card_id": f"sim-{number % 3}",
        "action_type": "enable",
        "status": "failed",
        "reason": "The data limit was exceeded.",
        "created_at": START + number * DAY,
        "updated_at": START + number * DAY + 60,
    }
    return Action(id=f"action-{number}", **values | fields)  # type: ignore[arg-type]


def filled(spool: Spool, actions: list[Action]) -> Spool:
    """Return a work file that holds these actions."""
    spool.begin(HistorySource("fleet", "http://telnyx.test/v2", (), None, START, ""))
    spool.add(actions, None, ListState(SortOrder.NEWEST, None, None, None, 1, 250, done=True))
    return spool


def lines_of(spool: Spool, scope: Scope | None = None, account: str = "fleet") -> list[str]:
    """Return the report."""
    summary = summarize(spool, scope or Scope(ALL), classify, 20)
    return list(report(account, summary, START + 90 * DAY, "utf-8"))


def test_it_says_what_failed_why_how_often_which_cards_and_when(tmp_path: Path) -> None:
    """Each of it in a row of its own."""
    actions = [
        *(action(number) for number in range(4)),
        action(
            4, status="interrupted", reason="Superseded by a newer request", sim_card_id="sim-1"
        ),
        action(5, status="completed", reason=None),
        action(6, status="in-progress", reason=None, action_type="disable"),
    ]
    with Spool(tmp_path / "history.db") as spool:
        lines = lines_of(filled(spool, actions))
    text = "\n".join(" ".join(each.split()) for each in lines)
    for row in (
        "SIM card actions of fleet",
        "7 actions, created 2026-08-01 to 2026-08-07, read 2026-10-30 00:00 UTC",
        "4 57.1 % failed",
        "4 80.0 % data_limit ########################",
        "4 3 data_limit The data limit was exceeded.",
        "1 1 superseded Superseded by a newer request",
        "4 1 6 enable",
        "2026-08-04 1 0 ##############################",
        "2026-08-05 0 1 ##############################",
        "sim-0 2 2026-08-04 data_limit",
        "sim-1 2 2026-08-05",
    ):
        assert row in text
    assert "2026-08-06" not in text.partition("By day")[2]


def test_what_is_not_asked_for_is_left_out(tmp_path: Path) -> None:
    """By creation, from a time to before another; and by what the account exports."""
    actions = [action(number) for number in range(6)]
    actions.append(action(6, action_type="disable"))
    with Spool(tmp_path / "history.db") as spool:
        filled(spool, actions)
        scope = Scope(ALL, START + DAY, START + 3 * DAY)
        assert "2 actions" in lines_of(spool, scope)[1]
        only = SnapshotOptions(("disable",), (), {}, 1e12, ())
        assert "1 actions" in lines_of(spool, Scope(only))[1]
        rows = "".join(csv_parts("fleet", spool, scope, classify)).splitlines()
        assert [each.split(",")[1] for each in rows] == ["action-1", "action-2"]


def test_no_failure_is_good_news(tmp_path: Path) -> None:
    """An account without actions is no error either."""
    with Spool(tmp_path / "history.db") as spool:
        assert lines_of(filled(spool, []))[-1] == "No action failed or was interrupted."


def test_years_are_shown_by_month(tmp_path: Path) -> None:
    """Not by a thousand days."""
    with Spool(tmp_path / "history.db") as spool:
        lines = lines_of(filled(spool, [action(number * 20) for number in range(40)]))
    begin = lines.index("By month (UTC)")
    assert lines[begin + 2].split()[:2] == ["2026-08", "2"]


texts = st.text(max_size=300) | st.just("x" * 1000)


@settings(deadline=None)
@given(
    st.lists(st.tuples(texts, texts, texts, st.floats(-1e9, 1e10) | st.none()), max_size=8),
    st.text(min_size=1, max_size=100),
)
def test_it_fits_the_terminal(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[str, str, str, float | None]],
    account: str,
) -> None:
    """Whatever Telnyx sends: one line is one line, of 80 columns at most."""
    clean = [
        [text.replace("\0", "").encode("utf-8", "replace").decode() for text in row[:3]]
        for row in found
    ]
    actions = [
        action(number, reason=reason, sim_card_id=card, action_type=name, updated_at=row[3])
        for number, ((reason, card, name), row) in enumerate(zip(clean, found, strict=True))
    ]
    with Spool(tmp_path_factory.mktemp("report") / "history.db") as spool:
        for line in lines_of(filled(spool, actions), account=account):
            assert len(line) <= 80
            assert line.isprintable()


def test_csv_has_a_row_for_each_action_and_no_formula(tmp_path: Path) -> None:
    """Of a foreign text that begins like one."""
    with Spool(tmp_path / "history.db") as spool:
        filled(spool, [action(0, reason="=1+1"), action(1, status="in-progress", reason=None)])
        first, second = "".join(csv_parts("fleet", spool, Scope(ALL), classify)).splitlines()
    assert dict(zip(COLUMNS, first.split(","), strict=True)) == {
        "account": "fleet",
        "action_id": "action-0",
        "sim_card_id": "sim-0",
        "action_type": "enable",
        "status": "failed",
        "reason": "'=1+1",
        "reason_class": "other",
        "created_at": "2026-08-01T00:00:00.000Z",
        "ended_at": "2026-08-01T00:01:00.000Z",
        "duration_seconds": "60.0",
    }
    assert second.endswith(",in-progress,,,2026-08-02T00:00:00.000Z,,")
