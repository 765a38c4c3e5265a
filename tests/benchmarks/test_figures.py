from math import inf
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Report, Table, markdown, read, shown, write


@pytest.mark.parametrize(
    ("figure", "kept"),
    [
        pytest.param(Figure("a", 5, "s"), True, id="no-bound"),
        pytest.param(Figure("a", 5, "s", most=5), True, id="at-most"),
        pytest.param(Figure("a", 5.1, "s", most=5), False, id="above"),
        pytest.param(Figure("a", 5, "x", least=5), True, id="at-least"),
        pytest.param(Figure("a", 4.9, "x", least=5), False, id="below"),
        pytest.param(Figure("a", 6, "x", most=5, least=1), False, id="above-one-of-two"),
        pytest.param(Figure("a", 0, "x", most=5, least=1), False, id="below-one-of-two"),
    ],
)
def test_a_figure_is_kept_up_to_its_bounds(figure: Figure, *, kept: bool) -> None:
    """A bound itself is within the bounds."""
    assert figure.kept is kept


@pytest.mark.parametrize(
    ("figure", "before", "worse"),
    [
        pytest.param(Figure("a", 11, "s"), 10, 0.1, id="more-is-worse"),
        pytest.param(Figure("a", 9, "s", most=20), 10, -0.1, id="less-is-better"),
        pytest.param(Figure("a", 10, "x", least=5), 11, 0.1, id="less-is-worse-with-a-least"),
        pytest.param(Figure("a", 10, "x", least=5), 9, -0.1, id="more-is-better-with-a-least"),
        pytest.param(Figure("a", 0, "s"), 0, 0, id="both-zero"),
        pytest.param(Figure("a", 1, "s"), 0, inf, id="worse-than-zero"),
        pytest.param(Figure("a", 0, "x", least=5), 1, inf, id="zero-with-a-least"),
        pytest.param(Figure("a", 0, "s"), 1, -1, id="down-to-zero"),
        pytest.param(Figure("a", -0.1, "s"), -0.2, inf, id="worse-below-zero"),
        pytest.param(Figure("a", -0.5, "s"), -0.2, -inf, id="better-below-zero"),
    ],
)
def test_a_change_is_the_share_by_which_it_got_worse(
    figure: Figure, before: float, worse: float
) -> None:
    """More is worse, but where a figure has a least to reach."""
    assert figure.change(before) == pytest.approx(worse)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (40_000, "", "40,000"),
        (40_000.4, "s", "40,000 s"),
        (3, "x", "3 x"),
        (12.34, "ms", "12.3 ms"),
        (1.234, "x", "1.23 x"),
        (-0.25, "s", "-0.25 s"),
    ],
)
def test_a_number_is_shown_with_three_digits(value: float, unit: str, text: str) -> None:
    """Whole numbers are shown whole, others with three digits that count."""
    assert shown(value, unit) == text


def test_a_report_is_a_section_with_a_table() -> None:
    """Each figure has its row, with its bounds, and what was missed is marked."""
    figures = (
        Figure("kept", 1.5, "x", most=3),
        Figure("missed", 2, "x", least=5),
        Figure("between", 2, "s", most=5, least=1),
        Figure("free", 9, "s"),
    )
    assert markdown(Report("Title", "It means this.", figures)).splitlines() == [
        "## Title",
        "",
        "| what    | measured |                        bound |",
        "|---------|---------:|-----------------------------:|",
        "| kept    |   1.50 x |                  at most 3 x |",
        "| missed  |      2 x |     at least 5 x: **missed** |",
        "| between |      2 s | at most 5 s and at least 1 s |",
        "| free    |      9 s |                              |",
        "",
        "It means this.",
    ]


def test_a_table_is_shown_in_place_of_the_figures() -> None:
    """A benchmark that lays out its figures itself has only its own table."""
    table = Table(("what", "10", "20"), [("polls", "1", "2")])
    lines = markdown(Report("Title", "Meaning.", (Figure("polls at 10", 1, ""),), table))
    assert "| polls |   1 |   2 |" in lines
    assert "polls at 10" not in lines


def test_figures_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    """What is written for a comparison is read with its bounds, of all reports."""
    one = Figure("one", 1.5, "x", most=3.0, steady=False)
    two = Figure("two", 2.0, "s", least=1.0)
    write([Report("A", "", (one,)), Report("B", "", (two,))], tmp_path / "figures.json")
    assert read(tmp_path / "figures.json") == {"one": one, "two": two}
