import io
from collections.abc import Callable

import pytest

from exporter.cli.table import render_table
from exporter.errors import Cause
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import SelfMetrics
from tests.views import AT, a_problem, a_view

ERROR = f"Telnyx refuses the API key (401): {'x' * 150}"

Account = tuple[AccountSnapshot, SelfMetrics]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["terminal", "pipe"])
def rendered(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Give the lines of a table on a terminal of 80 columns, or in a pipe."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    stream = _Terminal() if request.param == "terminal" else io.StringIO()

    def lines(*accounts: Account) -> list[str]:
        pairs = tuple((view, polls.health()) for view, polls in accounts)
        snapshot = ExporterSnapshot(
            pairs, reload_successful=True, reload_success_at=AT, now=AT, poll_interval=60.0
        )
        found = render_table(snapshot, stream).splitlines()
        assert request.param == "pipe" or max(map(len, found)) <= 80
        return found

    return lines


def _calm(name: str) -> Account:
    polls = SelfMetrics(name)
    polls.poll_succeeded(AT - 5, 0.5)
    actions = {("enable", "in-progress"): 3, ("enable", "completed"): 1_234_567}
    return a_view(name, actions=actions), polls


def _failed(name: str) -> Account:
    polls = SelfMetrics(name)
    polls.poll_failed(AT - 5, 0.5, Cause.AUTH, ERROR)
    return a_view(name, baselined=False), polls


def _broken(name: str) -> Account:
    problems = (a_problem(), a_problem("sim-3", concern="voice"))
    stuck = {"stuck": {"enable": 64}, "actions": {("enable", "in-progress"): 64}}
    return a_view(name, problems=problems, **stuck), _calm(name)[1]


def test_forty_accounts_begin_with_what_is_wrong(rendered: Callable[..., list[str]]) -> None:
    """In whole, and the one that failed first, wherever it is configured; a row for each."""
    calm = [_calm(f"customer-{number}") for number in range(38)]
    lines = rendered(*calm, _broken("broken"), _failed("n" * 64))
    assert len(lines) < 70
    assert lines[0] == "40 accounts: 1 down, 1 with problems, 38 up"
    begin = "".join(line.strip() for line in lines[1:8]).replace(" ", "")
    assert begin.startswith(f"{'n' * 64}:Pollfailed:{ERROR.replace(' ', '')}broken:2problems")
    text = " ".join(" ".join(lines).split())
    assert "broken: 2 problems (connectivity failed 1, voice failed 1), the oldest open" in text
    assert "broken: 64 stuck actions (enable 64)" in text
    rows = [line.split() for line in lines]
    (failed,) = (index for index, row in enumerate(rows) if row[1:] == ["down"] + ["-"] * 5)
    assert ["broken", "problems", "2", "64", "64", "0", "0"] in rows[failed:]
    for number in range(38):
        assert [f"customer-{number}", "up", "0", "0", "3", "0", "0"] in rows[failed:]
    assert "…" not in "".join(lines)


def test_one_account_has_its_action_types(rendered: Callable[..., list[str]]) -> None:
    """What several accounts do not have: there it would be a screen for each."""
    row = ["enable", "0", "3", "1,234,567", "0", "0"]
    assert row in [line.split() for line in rendered(_calm("one"))]
    assert row not in [line.split() for line in rendered(_calm("one"), _calm("two"))]


def test_names_and_errors_are_text(rendered: Callable[..., list[str]]) -> None:
    """They are no markup, and stay on their line."""
    polls = SelfMetrics("x")
    polls.poll_failed(AT - 5, 0.5, Cause.UNAVAILABLE, "[red]no\nanswer[/]")
    lines = rendered((a_view("[bold]a\tb"), polls))
    assert lines[1] == "[bold]a\\tb: Poll failed: [red]no\\nanswer[/]"


def test_no_account_is_no_error(rendered: Callable[..., list[str]]) -> None:
    """It says so."""
    assert rendered()[0] == "0 accounts"
