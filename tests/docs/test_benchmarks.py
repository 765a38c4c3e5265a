import pytest

from benchmarks.__main__ import NAMES
from tests.docs.documents import DOCS, read


@pytest.mark.parametrize("name", NAMES)
def test_figures_stand_with_the_command_that_measures_them(name: str) -> None:
    """Each benchmark has a section in docs/benchmarks.md that says how to repeat it."""
    sections = read(DOCS / "benchmarks.md").split("\n## ")
    assert [each for each in sections if f"`make bench NAMES={name}`" in each]
