"""The text of `once --format table`: what is wrong, then a table with a row for each account.

It only renders a snapshot; it must not poll or decide what failed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.sanitize import one_line
from exporter.web.account_summary import (
    NOT_POLLED,
    AccountState,
    AccountSummary,
    TypeRow,
    summarize,
)
from exporter.web.formatting import duration, number

_UNLIMITED = 10**9
"""Columns of what is no terminal, where nothing is broken over lines."""

_COLORS = {
    **dict.fromkeys((*NOT_POLLED, AccountState.PROBLEMS), "red"),
    AccountState.STUCK: "yellow",
    AccountState.UP: "green",
}

_WORDS = {
    AccountState.UNHELD: "not polled",
    AccountState.PROBLEMS: "with problems",
    AccountState.STUCK: "with stuck actions",
    AccountState.ELSEWHERE: "polled elsewhere",
}
"""How many accounts are in a state, where its name does not say it."""


def render_table(snapshot: ExporterSnapshot, stream: TextIO) -> str:
    """Return what is wrong and the figures of each account, those in trouble first.

    A single account has a table by action type, too. The width, colors and encoding are those of
    ``stream``; what is no terminal is as wide as it needs to be.
    """
    console = Console(
        file=stream, width=None if stream.isatty() else _UNLIMITED, highlight=False, emoji=False
    )
    accounts = summarize(snapshot)
    states = Counter(each.state for each in accounts)
    counts = ", ".join(
        f"{states[each]} {_WORDS.get(each, each)}" for each in AccountState if states[each]
    )
    with console.capture() as capture:
        plural = "" if len(accounts) == 1 else "s"
        console.print(f"{len(accounts)} account{plural}{': ' if counts else ''}{counts}")
        for account in accounts:
            for sentence in _troubles(account, snapshot.now):
                name, text = (escape(_line(console, each)) for each in (account.name, sentence))
                console.print(f"[{_COLORS.get(account.state, 'default')}]{name}[/]: {text}")
        console.print(_overview(accounts, console))
        if len(accounts) == 1:
            console.print(_by_type(accounts[0], console))
    return capture.get()


def _line(console: Console, text: str) -> str:
    return one_line(text, encoding=console.encoding)


def _troubles(account: AccountSummary, now: float) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with an account."""
    view = account.view
    if account.health.last_error is not None:
        yield f"Poll failed: {account.health.last_error}"
    elif account.polling in NOT_POLLED:
        yield "Not polled"
    if view.problems:
        kinds = Counter(f"{each.concern} {each.status}" for each in view.problems)
        since = duration(now - view.problems[0].opened_at)
        yield f"{_counted(len(view.problems), 'problem', kinds)}, the oldest open for {since}"
    if account.total.stuck:
        yield _counted(account.total.stuck, "stuck action", view.stuck)


def _counted(count: int, what: str, parts: Mapping[str, int]) -> str:
    named = ", ".join(f"{name} {number(each)}" for name, each in parts.items() if each)
    return f"{number(count)} {what}{'' if count == 1 else 's'} ({named})"


def _overview(accounts: Iterable[AccountSummary], console: Console) -> Table:
    table = _table("account", "state", "problems", "stuck", "in progress", "failed", "interrupted")
    table.columns[1].justify = "left"
    for account in accounts:
        total = account.total
        table.add_row(
            escape(_line(console, account.name)),
            f"[{_COLORS.get(account.state, 'default')}]{account.state}[/]",
            *(
                _amount(each if account.view.baselined else None)
                for each in (
                    len(account.view.problems),
                    total.stuck,
                    total.in_progress,
                    total.failed,
                    total.interrupted,
                )
            ),
        )
    return table


def _by_type(account: AccountSummary, console: Console) -> Table:
    table = _table("action type", "stuck", "in progress", "completed", "failed", "interrupted")
    for row in account.rows:
        table.add_row(escape(_line(console, row.name)), *map(_amount, _figures(row)))
    return table


def _figures(row: TypeRow) -> tuple[int | None, ...]:
    return row.stuck, row.in_progress, row.completed, row.failed, row.interrupted


def _amount(value: int | None) -> str:
    """Return a number; ``-`` for one that is not known."""
    return "-" if value is None else number(value)


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    # Wrapped, not truncated: not every encoding has an ellipsis.
    add = partial(table.add_column, overflow="fold")
    add(first)
    for name in numbers:
        add(name, justify="right")
    return table
