import subprocess
import sys
from itertools import product
from pathlib import Path

from tests.support.combinations import covering

ROOT = Path(__file__).parents[1]
SUITE = """
from tests.support.combinations import combined

@combined(possible=lambda a, b: a != b, a=range(3), b=range(3))
def test(a, b): assert a != b
"""


def test_each_value_is_covered_by_few_rows() -> None:
    """As many as the longest dimension has values; what others have does not always go together."""
    rows = covering(list(product("abcd", [1, 2], [True, False])))
    assert [sorted(set(values)) for values in zip(*rows, strict=True)] == [
        [*"abcd"], [1, 2], [False, True]
    ]  # fmt: skip
    assert len(rows) == 4
    assert len({(number, flag) for _, number, flag in rows}) == 4


def test_a_row_that_is_impossible_is_left_out() -> None:
    """The others still have each of their values."""
    possible = [row for row in product("abc", "abc") if row[0] != row[1]]
    rows = covering(possible)
    assert set(rows) <= set(possible)
    assert {first for first, _ in rows} == {second for _, second in rows} == {*"abc"}


def test_the_thorough_run_has_all(tmp_path: Path) -> None:
    """It is selected as `make test-thorough` does it."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_some.py").write_text(SUITE, "utf-8")

    def passed(*options: str) -> str:
        command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options)
        marks = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path))
        done = subprocess.run(  # noqa: S603 # ours
            [*command, *marks, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()[-1].partition(" in ")[0]

    assert passed() == "4 passed"
    assert passed("-m", "combined", "--hypothesis-profile=thorough") == "6 passed"
