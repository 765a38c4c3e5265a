"""Parametrize tests with combinations of values: a few in each run, all in the thorough one."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any, TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., Any])
Row = tuple[Any, ...]


def combined(
    *, possible: Callable[..., bool] = lambda **_: True, **dimensions: Iterable[Any]
) -> Callable[[Test], Test]:
    """Parametrize a test with combinations of values, by the names of its arguments.

    Each value occurs in one of them at least, with ``make test-thorough`` all in each that is
    ``possible``. The test is marked ``combined``, by which that run selects it.
    """
    values = [list(each) for each in dimensions.values()]
    rows = [row for row in product(*values) if possible(**dict(zip(dimensions, row, strict=True)))]
    if settings.get_current_profile_name() != "thorough":
        rows = covering(rows)

    def parametrize(test: Test) -> Test:
        marked: Test = pytest.mark.combined(pytest.mark.parametrize(list(dimensions), rows)(test))
        return marked

    return parametrize


def covering(rows: Sequence[Row]) -> list[Row]:
    """Return some of ``rows`` that have each of their values; those of a pair rarely meet again."""
    used: Counter[frozenset[tuple[int, Any]]] = Counter()
    chosen = []
    missing = {single for row in rows for single in _parts(row, 1)}
    while missing:
        best = min(
            rows,
            key=lambda row: (
                -len(missing.intersection(_parts(row, 1))),
                sum(used[part] for part in (*_parts(row, 1), *_parts(row, 2))),
            ),
        )
        chosen.append(best)
        missing.difference_update(_parts(best, 1))
        used.update((*_parts(best, 1), *_parts(best, 2)))
    return chosen


def _parts(row: Row, size: int) -> list[frozenset[tuple[int, Any]]]:
    """Return the values of a row, or pairs of them, each with its place."""
    return [frozenset(each) for each in combinations(enumerate(map(_key, row)), size)]


def _key(value: Any) -> Any:
    """Return what tells a value from others; not all values are hashable."""
    return value if isinstance(value, str | int | float | None) else repr(value)
