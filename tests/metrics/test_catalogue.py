from collections import Counter
from typing import Any

import pytest

from exporter.metrics.catalogue import ACCOUNT_METRICS, CATALOGUE, POLL_METRICS, UP_METRICS
from exporter.metrics.definition import MetricDefinition

UNITS = {
    "_timestamp_seconds": "Unix timestamp",
    "_seconds": "in seconds",
    "_bytes": "in bytes",
}
"""What the help says, by the end of the name; the first that fits counts."""


def test_names_are_unique() -> None:
    """No metric has the name of another, as Prometheus would reject the whole scrape."""
    assert [
        name for name, times in Counter(each.name for each in CATALOGUE).items() if times > 1
    ] == []


def test_accounts_are_told_apart() -> None:
    """What is read of an account has the label account, and it comes first."""
    metrics: tuple[MetricDefinition[Any], ...] = (
        *ACCOUNT_METRICS,
        *UP_METRICS,
        *POLL_METRICS,
    )
    assert [each.name for each in metrics if each.labels[:1] != ("account",)] == []


@pytest.mark.parametrize("labels", [pytest.param(each.labels, id=each.name) for each in CATALOGUE])
def test_no_label_is_an_id(labels: tuple[str, ...]) -> None:
    """SIM cards and actions are not told apart by labels, as there is no bound to them."""
    unbounded = [each for each in labels if each.endswith("id")]
    assert not unbounded, "put the ID into an exemplar or into the log"


@pytest.mark.parametrize(
    ("name", "text"), [pytest.param(each.name, each.help, id=each.name) for each in CATALOGUE]
)
def test_help_is_one_line_with_the_unit(name: str, text: str) -> None:
    """A help text is one plain line that ends, without quotes that would need escaping."""
    assert text.endswith("."), "end the help with a full stop"
    assert not {"\n", '"', "\\"} & set(text), "write the help without quotes and line breaks"
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    assert unit in text, f"say in the help: {unit}"


def test_help_says_that_polls_do_not_follow_scrapes() -> None:
    """The two metrics a reader meets first say that the exporter polls on its own timer."""
    texts = {each.name: each.help for each in CATALOGUE}
    for name in ("telnyx_up", "telnyx_sim_card_actions"):
        assert "polls on its own timer" in texts[name]
