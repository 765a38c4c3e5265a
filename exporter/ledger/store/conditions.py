"""Conditions in the SQL of SQLite and PostgreSQL, and what of each account is shown.

However many accounts there are: each of a thousand may have filters of its own, and SQLite refuses
an expression of more than a thousand levels. It must not read the ledger.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from exporter.ledger.queries import AccountScope

_KeyT = TypeVar("_KeyT", bound=Hashable)


class BoundValues(dict[str, object]):
    """The values that are bound in a statement, by name."""

    def __init__(self) -> None:
        """Bind nothing yet."""
        super().__init__()
        self._names: dict[tuple[type, object], str] = {}

    def bind(self, value: object) -> str:
        """Bind a value, and return what stands for it in the statement."""
        # One of an enumeration is a text to the driver of either database only as such.
        value = str(value) if isinstance(value, str) else value
        name = self._names.setdefault((type(value), value), f"v{len(self)}")
        self[name] = value
        return f":{name}"

    def one_of(self, column: str, values: Iterable[str]) -> str:
        """Return the condition that a column has one of the values."""
        bound = ", ".join(map(self.bind, values))
        return f"{column} IN ({bound})" if bound else "1 = 0"


def numbers(values: Iterable[int]) -> str:
    """Return numbers as they stand in a statement."""
    return ", ".join(str(int(each)) for each in values)


def any_of(conditions: Sequence[str]) -> str:
    """Return the condition that one of them holds, as a tree: a chain would be too deep."""
    if len(conditions) <= 1:
        return conditions[0] if conditions else "1 = 0"
    half = len(conditions) // 2
    return f"({any_of(conditions[:half])} OR {any_of(conditions[half:])})"


def shown_actions(scopes: Mapping[int, AccountScope], values: BoundValues, *, indexed: bool) -> str:
    """Return the condition of the actions that the filters of their accounts leave.

    With ``indexed`` it may be looked up in an index, without it never is.
    """
    account, status, action_type = (
        ("account_id", "status", "action_type")
        if indexed
        else ("account_id + 0", "status || ''", "action_type || ''")
    )
    alike = _grouped(
        (id_, (_set(scope.options.statuses), _set(scope.options.action_types)))
        for id_, scope in scopes.items()
    )
    return any_of(
        [
            _all_of(
                f"{account} IN ({numbers(ids)})",
                *(
                    values.one_of(column, wanted)
                    for column, wanted in ((status, statuses), (action_type, types))
                    if wanted
                ),
            )
            for (statuses, types), ids in alike.items()
        ]
    )


def shown_problems(scopes: Mapping[int, AccountScope], values: BoundValues) -> str:
    """Return the condition of the problems of the concerns that their accounts watch."""
    watched = ((id_, scope.concerns) for id_, scope in scopes.items())
    alike = _grouped((id_, None if each is None else _set(each)) for id_, each in watched)
    return any_of(
        [
            _all_of(
                f"problems.account_id IN ({numbers(ids)})",
                *([] if concerns is None else [values.one_of("problems.concern", concerns)]),
            )
            for concerns, ids in alike.items()
        ]
    )


def _all_of(*conditions: str) -> str:
    return f"({' AND '.join(conditions)})"


def _set(values: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted({*values}))


def _grouped(pairs: Iterable[tuple[int, _KeyT]]) -> dict[_KeyT, list[int]]:
    """Return the accounts that are filtered alike, by their filters."""
    alike: dict[_KeyT, list[int]] = {}
    for id_, key in pairs:
        alike.setdefault(key, []).append(id_)
    return alike
