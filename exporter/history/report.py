"""The report on a history: text for people, at most 80 columns wide. Pure."""

from collections import Counter
from collections.abc import Iterator
from textwrap import wrap

from exporter.history.summary import DAY, HistorySummary
from exporter.sanitize import one_line, utc_time

WIDTH = 80
MOST_ROWS = 20
"""Reasons, and SIM cards, that are named."""

MOST_DAYS = 62
"""Days that are shown one by one; a longer history is shown by month."""

_BAR = 30
_CLASS = 19
_ID = 36
"""Columns of a reason class and of an id; a longer class is cut, a longer id on a line of its own.
"""


def report(account: str, summary: HistorySummary, read_at: float, encoding: str) -> Iterator[str]:
    """Yield the lines; ``read_at`` is when the history was read, the encoding is the output's."""

    def line(text: str, width: int = WIDTH) -> str:
        return _cut(one_line(text, encoding=encoding), width)

    total = sum(summary.statuses.values())
    yield line(f"SIM card actions of {account}")
    if summary.first is None or summary.last is None:
        yield f"{total:,} actions, read {_minute(read_at)} UTC"
    else:
        yield (
            f"{total:,} actions, created {_day(summary.first)} to {_day(summary.last)}, "
            f"read {_minute(read_at)} UTC"
        )
    yield ""
    for status, count in summary.statuses.most_common():
        yield line(f"{count:>12,}  {_percent(count, total):>7}  {status or 'unknown'}")
    if not summary.failures:
        yield from ("", "No action failed or was interrupted.")
        return
    yield from _section("Failed and interrupted, by class of reason")
    for name, count in summary.classes.most_common():
        bar = "#" * round(_BAR * count / summary.failures)
        share = _percent(count, summary.failures)
        yield line(f"{count:>12,}  {share:>7}  {_cut(name, _CLASS):<{_CLASS}}  {bar}").rstrip()
    yield from _section("By reason", len(summary.reasons), summary.reasons_total)
    yield f"{'failures':>12}  {'cards':>7}  {'class':<{_CLASS}}  reason"
    room = WIDTH - 12 - 7 - _CLASS - 6
    for each in summary.reasons:
        text = line(" ".join(each.reason.split()) or "(no reason given)", 3 * room)
        first, *rest = wrap(text, room, max_lines=3, placeholder=" ...") or [""]
        name = _cut(each.reason_class, _CLASS)
        yield f"{each.count:>12,}  {each.sim_cards:>7,}  {name:<{_CLASS}}  {first}"
        yield from (" " * (WIDTH - room) + more for more in rest)
    yield from _section("By action type")
    yield f"{'failed':>12}  {'interrupted':>11}  {'of actions':>12}  action type"
    for action_type, actions, failed, interrupted in _by_type(summary.types):
        name = line(action_type or "(none)", WIDTH - 41)
        yield f"{failed:>12,}  {interrupted:>11,}  {actions:>12,}  {name}"
    yield from _by_time(summary.days)
    yield from _section("SIM cards with the most", len(summary.cards), summary.cards_total)
    yield f"{'SIM card':<{_ID}}  {'failures':>8}  {'last':<10}  class of most"
    for card in summary.cards:
        name = line(card.sim_card_id or "(none)")
        if len(name) > _ID:
            yield name
            name = ""
        last = "" if card.last is None else _day(card.last)
        shown = _cut(card.reason_class, _CLASS)
        yield f"{name:<{_ID}}  {card.count:>8,}  {last:<10}  {shown}"


def _section(title: str, shown: int = 0, total: int = 0) -> Iterator[str]:
    more = f" (the first {shown:,} of {total:,})" if shown < total else ""
    yield ""
    yield f"{title}{more}"


def _by_type(types: Counter[tuple[str, str]]) -> Iterator[tuple[str, int, int, int]]:
    names = {action_type for action_type, _ in types}
    rows = [
        (
            name,
            sum(count for (its, _), count in types.items() if its == name),
            types[name, "failed"],
            types[name, "interrupted"],
        )
        for name in names
    ]
    yield from sorted(rows, key=lambda row: (-row[2] - row[3], row[0]))


def _by_time(days: Counter[tuple[int, str]]) -> Iterator[str]:
    numbers = {day for day, _ in days}
    by_month = bool(numbers) and max(numbers) - min(numbers) >= MOST_DAYS
    counts: dict[str, Counter[str]] = {}
    for day, status in sorted(days):
        name = _day(day * DAY)[:7] if by_month else _day(day * DAY)
        counts.setdefault(name, Counter())[status] += days[day, status]
    most = max((sum(each.values()) for each in counts.values()), default=0)
    yield from _section("By month (UTC)" if by_month else "By day (UTC)")
    yield f"{'':<10}  {'failed':>10}  {'interrupted':>11}"
    for name, each in counts.items():
        bar = "#" * round(_BAR * sum(each.values()) / most)
        row = f"{name:<10}  {each['failed']:>10,}  {each['interrupted']:>11,}  {bar}"
        yield row.rstrip()


def _cut(text: str, width: int) -> str:
    # Not every encoding has an ellipsis.
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else ""


def _day(time: float) -> str:
    return utc_time(time).strftime("%Y-%m-%d")


def _minute(time: float) -> str:
    return utc_time(time).strftime("%Y-%m-%d %H:%M")
