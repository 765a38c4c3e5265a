"""What an alert says, which alerts there are, and that they stay what they are over time."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import Problem, ProblemStatus, ResolvedProblem, SimCard
from exporter.sinks.alertmanager.alerts import MANY, AccountAlerts, AlertOptions
from tests.sinks.alertmanager.conftest import a_problem, a_snapshot

NOW = 1_785_590_000.0
Maker = Callable[..., Any]


def labels_of(alert: Any) -> dict[str, str]:
    """Return the labels of an alert."""
    return dict(alert.labels)


def test_an_alert_says_which_sim_card_is_broken_since_when_and_why() -> None:
    """What may change is an annotation; what identifies it is a label."""
    card = SimCard("sim-1", iccid="8931000000000000017", group="meters", tags=("berlin", "v2"))
    problem = a_problem(1, attempts=3, retrying=True)
    options = AlertOptions({"team": "iot", "severity": "critical"}, page="https://x.example/t")
    (alert,) = AccountAlerts().update(a_snapshot(problem, cards=[card]), options, NOW)
    assert labels_of(alert) == {
        "alertname": "TelnyxSimCardProblem",
        "account": "fleet",
        "sim_card_id": "sim-1",
        "concern": "connectivity",
        "status": "failed",
        "severity": "critical",
        "team": "iot",
    }
    notes = dict(alert.annotations)
    runbook = notes.pop("runbook_url")
    assert runbook.endswith("docs/alerts.md#telnyxsimcardproblem")
    assert notes == {
        "summary": "SIM card 8931000000000000017: enable failed in account fleet",
        "description": "enable of SIM card 8931000000000000017 of group meters is failed since "
        "2026-08-01T12:00:06Z after 3 attempt(s): SIM card is blocked; another attempt is in "
        "progress",
        "reason": "SIM card is blocked",
        "reason_class": "sim_blocked",
        "action_id": "action-1",
        "action_type": "enable",
        "iccid": "8931000000000000017",
        "sim_card_group": "meters",
        "tags": "berlin, v2",
        "attempts": "3",
        "opened": "2026-08-01T12:00:06Z",
    }
    assert alert.url == "https://x.example/t/sim-cards/sim-1"
    assert alert.starts_at == problem.opened_at


def test_without_pages_an_alert_has_no_link() -> None:
    """A link that leads nowhere helps nobody."""
    options = AlertOptions(page="https://x.example/t", details=False)
    (alert,) = AccountAlerts().update(a_snapshot(a_problem(1)), options, NOW)
    assert alert.url == ""


@pytest.mark.parametrize("odd", ["a\x00b\nc", "\ud800", "x" * 100_000, "  ", "\u2028", "é✓"])
def test_foreign_text_is_fit_for_alertmanager(odd: str) -> None:
    """Control characters, half characters and endless text do not get an alert refused."""
    card = SimCard("sim-1", iccid=odd, group=odd, tags=(odd,))
    problem = a_problem(1, sim_card_id=f"sim{odd}", concern=odd, reason=odd, action_type=odd)
    (alert,) = AccountAlerts().update(a_snapshot(problem, cards=[card]), AlertOptions(), NOW)
    texts = [text for pair in (*alert.labels, *alert.annotations) for text in pair]
    assert all(text.encode() and (text.isprintable() or text == odd) for text in texts if text)
    assert all(len(text) <= 1024 for text in texts)
    assert all(len(value) <= 256 for _, value in alert.labels)
    assert json.loads(msgspec.json.encode(dict(alert.annotations)))


def test_long_values_that_differ_at_the_end_stay_two_alerts() -> None:
    """Text that has to be cut still identifies."""
    long = "x" * 500
    two = [a_problem(1, sim_card_id=f"{long}{end}") for end in "ab"]
    assert len(AccountAlerts().update(a_snapshot(*two), AlertOptions(), NOW)) == 2


def test_what_did_not_change_is_not_told() -> None:
    """Another snapshot with the same problems changes nothing; another attempt does."""
    alerts = AccountAlerts()
    alerts.update(a_snapshot(a_problem(1), a_problem(2)), AlertOptions(), NOW)
    assert alerts.update(a_snapshot(a_problem(1), a_problem(2)), AlertOptions(), NOW) == ()
    again = a_snapshot(a_problem(1), a_problem(2, attempts=2))
    (changed,) = alerts.update(again, AlertOptions(), NOW)
    assert dict(changed.annotations)["attempts"] == "2"
    assert changed.resolved_at is None


def test_a_resolved_alert_is_sent_for_a_quarter_of_an_hour() -> None:
    """It ends when the problem ended, and is forgotten after that time."""
    alerts = AccountAlerts()
    alerts.update(a_snapshot(a_problem(1)), AlertOptions(), NOW)
    over = a_snapshot(resolved=[ResolvedProblem(a_problem(1), NOW + 5)])
    (ended,) = alerts.update(over, AlertOptions(), NOW + 7)
    assert ended.resolved_at == NOW + 5
    assert alerts.current(NOW + 5 + 899) == (ended,)
    assert alerts.current(NOW + 5 + 901) == ()


def test_a_problem_that_vanished_is_resolved_now() -> None:
    """Also if no snapshot ever says that it was."""
    alerts = AccountAlerts()
    alerts.update(a_snapshot(a_problem(1)), AlertOptions(), NOW)
    (ended,) = alerts.update(a_snapshot(), AlertOptions(), NOW + 7)
    assert ended.resolved_at == NOW + 7


def test_after_a_restart_the_resolved_ones_are_those_that_were_told() -> None:
    """Where alerts were capped, what opened later than the last one told never had an alert."""
    every = [a_problem(number) for number in range(10)]
    options = AlertOptions(max_alerts=3)
    mended = [ResolvedProblem(every[0], NOW - 1), ResolvedProblem(every[8], NOW - 1)]
    left = [each for number, each in enumerate(every) if number not in {0, 8}]
    alerts = AccountAlerts()
    told = alerts.update(a_snapshot(*left, resolved=mended), options, NOW)
    ids = {labels_of(each).get("sim_card_id") for each in told if each.resolved_at is not None}
    assert ids == {"sim-0"}


def test_other_labels_resolve_the_old_alerts() -> None:
    """A label that is configured is part of the identity."""
    alerts = AccountAlerts()
    alerts.update(a_snapshot(a_problem(1)), AlertOptions(), NOW)
    changed = alerts.update(a_snapshot(a_problem(1)), AlertOptions({"team": "iot"}), NOW)
    ended = {labels_of(each).get("team"): each.resolved_at for each in changed}
    assert ended == {"iot": None, None: NOW}


def test_the_summary_counts_the_rest_and_keeps_its_beginning() -> None:
    """It says how many of which concern and class; its identity and start never change."""
    alerts = AccountAlerts()
    options = AlertOptions(max_alerts=2)
    every = [a_problem(1), a_problem(2), a_problem(3), a_problem(4, concern="voice")]
    told = alerts.update(a_snapshot(*every), options, NOW)
    (many,) = [each for each in told if labels_of(each)["alertname"] == MANY]
    assert labels_of(many) == {"alertname": MANY, "account": "fleet", "severity": "warning"}
    notes = dict(many.annotations)
    assert notes["problems"] == "2"
    assert notes["concerns"] == "connectivity 1, voice 1"
    assert notes["reason_classes"] == "sim_blocked 2"
    changed = alerts.update(a_snapshot(*every[:1], *every[2:]), options, NOW)
    (again,) = [each for each in changed if labels_of(each)["alertname"] == MANY]
    assert again.labels == many.labels
    assert again.starts_at == many.starts_at
    ended = alerts.update(a_snapshot(*every[:2]), options, NOW + 1)
    assert [each.resolved_at for each in ended if each.labels == many.labels] == [NOW + 1]


problems = st.lists(
    st.builds(
        a_problem,
        st.integers(0, 7),
        concern=st.sampled_from(["connectivity", "voice"]),
        status=st.sampled_from(ProblemStatus),
        attempts=st.integers(1, 3),
    ),
    max_size=8,
    unique_by=lambda problem: (problem.sim_card_id, problem.concern),
).map(lambda found: sorted(found, key=lambda problem: problem.opened_at))


@given(st.lists(problems, max_size=8), st.integers(1, 4))
def test_whatever_happens_alerts_are_what_the_snapshot_says(
    history: list[list[Problem]], most: int
) -> None:
    """At most so many, none both active and resolved, and one that was told stays told."""
    alerts = AccountAlerts()
    before: list[Problem] = []
    told: set[tuple[str, str]] = set()
    known: set[Any] = set()
    for step, found in enumerate(history):
        resolved = [ResolvedProblem(each, NOW + step) for each in before if each not in found]
        snapshot = a_snapshot(*found, resolved=resolved)
        changed = alerts.update(snapshot, AlertOptions(max_alerts=most), NOW + step)
        active = [labels_of(each) for each in alerts.active.values()]
        single = {
            (each["sim_card_id"], each["concern"]) for each in active if each["alertname"] != MANY
        }
        keys = {(each.sim_card_id, each.concern) for each in found}
        assert len(single) == min(most, len(found))
        assert (len(active) > len(single)) == (len(found) > most)
        assert not alerts.active.keys() & alerts.resolved.keys()
        assert {each.labels for each in changed if each.resolved_at is not None} <= known
        assert told & keys <= single
        told, before = single, found
        known |= alerts.active.keys()
