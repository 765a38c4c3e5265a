"""What the lists of the API say, against what the exporter assumes of them. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from exporter.doctor import seen as questions
from exporter.doctor.connection_checks import api_errors, described, not_asked
from exporter.doctor.findings import Finding, fail, ok, skip, warn
from exporter.doctor.seen import (
    FILTERED,
    Answer,
    Seen,
    status_question,
    type_question,
)
from exporter.domain import KNOWN_ACTION_TYPES, OTHER, Status
from exporter.errors import AuthError, BadRequestError, NotFoundError
from exporter.ledger.reasons import NO_REASON
from exporter.ledger.records import SortOrder
from exporter.sanitize import excerpt
from exporter.sync.sort_order import detect_order
from exporter.telnyx.lenient_json import mapping, text, time
from exporter.telnyx.schema import Page

_ISSUES = "report it with the output of doctor --report"
_DOCUMENTED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_WORD = re.compile(r"[a-z]+([_-][a-z]+)*")
_LONGEST_WORD = 40
_SHOWN = 5
_REASON_SHOWN = 100
_HALF = 0.5

ListRule = Callable[[Seen, Page], Finding]


def list_findings(
    seen: Seen, classify: Callable[[str | None], str], *, lookup: bool
) -> Iterator[Finding]:
    """Yield a finding for each check of the lists.

    ``classify`` returns the class of a reason; ``lookup`` says whether SIM cards are looked up.
    """
    page = seen.first_page
    for check, rule in _RULES.items():
        if page is None:
            yield skip(check, not_asked(seen))
        else:
            yield rule(seen, page)
    if page is None:
        yield from (skip(check, not_asked(seen)) for check in ("reasons", "sim_cards"))
        return
    yield _reasons(seen, classify)
    yield _sim_cards(seen) if lookup else skip("sim_cards", "sim_cards.lookup is false")


def _order(seen: Seen, page: Page) -> Finding:
    check = "order"
    end = seen.page(questions.LIST_END)
    last = () if end is None else end.actions
    order = detect_order(page.actions, last, known=SortOrder.NEWEST)
    if order is not detect_order(page.actions, last, known=SortOrder.OLDEST):
        return skip(check, "too few actions to tell")
    if order is SortOrder.NONE:
        return warn(
            check,
            "the list is not sorted by time",
            remedy="none is needed unless polls fail as rate_limited, because new actions cost "
            "more requests: then increase poll.interval",
        )
    return ok(check, _ORDERS[order])


_ORDERS = {
    SortOrder.NEWEST: "newest first",
    SortOrder.OLDEST: "oldest first",
    SortOrder.UPDATED: "latest change first",
}


def _page_size(seen: Seen, page: Page) -> Finding:
    check, asked = "page_size", seen.page_size
    first = seen.answers[questions.LIST]
    if isinstance(first.error, BadRequestError):
        return fail(
            check,
            f"pages of {asked} are refused ({described(first)})",
            *map(str, api_errors(first)),
            remedy=f"set poll.page_size to less than {asked}, the more the fewer requests; "
            f"{seen.small_page} is taken",
        )
    served = max(page.length, page.page_size or 0)
    if page.length > asked:
        return warn(
            check,
            f"asked for {asked}, {page.length:,} came",
            remedy=f"the exporter copes; {_ISSUES}",
        )
    # The whole list may be shorter than a page.
    more = page.total is not None and page.total > page.length > 0
    if served < asked and (more or page.page_size):
        return warn(
            check,
            f"asked for {asked}, {served:,} come",
            remedy=f"polls need more requests; set poll.page_size to {served}",
        )
    if page.length < min(asked, page.total or 0):
        return warn(
            check,
            f"{page.length:,} actions on a page that should have {asked}",
            remedy=f"the exporter copes; {_ISSUES}",
        )
    if page.length < asked and page.total is None and page.page_size is None:
        return skip(check, f"{page.length:,} come, and nothing says whether there are more")
    return ok(check, f"{asked}, as asked for")


def _deep_pages(seen: Seen, page: Page) -> Finding:
    check = "deep_pages"
    end = seen.answers.get(questions.LIST_END)
    if end is None:
        complete = page.total is not None and page.total <= page.length
        return skip(check, "there is one page only" if complete else seen.stopped or "no total")
    if end.page is None or not end.page.actions:
        return warn(
            check,
            f"the last page cannot be read ({'no actions' if end.page else described(end)})",
            *map(str, api_errors(end)),
            remedy="the exporter copes if new actions are on the first pages (check `order`); old "
            "actions are then known as totals only",
        )
    if {each.id for each in end.page.actions} == {each.id for each in page.actions}:
        return warn(
            check,
            "the last page repeats the first one",
            remedy="old actions are known as totals only",
        )
    return ok(check, "the last page can be read")


def _totals(seen: Seen, page: Page) -> Finding:
    check = "totals"
    before, after = page.total, seen.total(questions.TOTAL_BETWEEN)
    if before is None:
        return warn(
            check,
            "the list does not say how many actions there are",
            remedy="polls read more pages, and ended actions have no gauge; check base_url",
        )
    counts = {each: seen.total(status_question(each)) for each in FILTERED}
    known = {status: total for status, total in counts.items() if total is not None}
    if after is None or len(known) < len(FILTERED):
        return skip(check, seen.stopped or "some totals were not given")
    # While the totals are asked for, actions are created, and those in progress end.
    slack = known[Status.IN_PROGRESS] + abs(after - before)
    rest = max(before, after) - sum(known.values())
    whole = page.length >= before and not page.malformed
    listed = Counter(each.status for each in page.actions)
    shown = ", ".join(f"{status} {total:,}" for status, total in known.items())
    remedy = "the gauges of ended actions are off by it; telnyx_exporter_ledger_drift shows it"
    if page.length > before:
        return warn(
            check,
            f"the total is {before:,}, but there are {page.length:,} on the page",
            remedy=remedy,
        )
    if rest < -slack:
        return warn(
            check, f"{-rest:,} more by status than in all ({before:,})", shown, remedy=remedy
        )
    wrong = [each for each in FILTERED if abs(listed[each] - known[each]) > slack]
    if whole and wrong:
        text = f"{', '.join(wrong)}: other totals than actions"
        return warn(check, text, shown, remedy=remedy)
    return ok(check, f"{before:,} in all; interrupted, as the rest: {max(0, rest):,}", shown)


def _totals_by_type(seen: Seen, page: Page) -> Finding:
    check = "totals_by_type"
    answers = {each: seen.answers.get(type_question(each)) for each in KNOWN_ACTION_TYPES}
    before, after = seen.total(questions.TOTAL_BETWEEN), seen.total(questions.TOTAL_AFTER)
    refused = [
        each
        for each, answer in answers.items()
        if answer and isinstance(answer.error, BadRequestError)
    ]
    totals = [
        answer.page.total if answer and answer.page else None
        for each, answer in answers.items()
        if each not in refused
    ]
    known = [each for each in totals if each is not None]
    if before is None or after is None or len(known) < len(totals):
        return skip(check, seen.stopped or "some totals were not given")
    rest, slack = max(before, after) - sum(known), abs(after - before)
    others = sorted({each.action_type for each in page.actions} - {*KNOWN_ACTION_TYPES})
    remedy = "the gauges by action type are off by it; telnyx_exporter_ledger_drift shows it"
    if rest < -slack:
        return warn(check, f"{-rest:,} more by type than in all ({before:,})", remedy=remedy)
    if rest > slack and not others and not refused:
        return warn(
            check,
            f"{rest:,} of {before:,} actions are of no documented type",
            remedy="they are counted under their own type, once they are seen",
        )
    if refused:
        return warn(
            check,
            f"{len(refused)} of {len(answers)} types are refused: {', '.join(refused)}",
            remedy="none is needed: they are taken as without actions",
        )
    return ok(check, f"they add up to {before:,}" if rest <= slack else f"{rest:,} of other types")


def _filters(seen: Seen, _: Page) -> Finding:
    check = "filters"
    asked = 0
    foreign = 0
    wrong: list[str] = []
    for name, found in _filtered(seen):
        others = sum(value != name for value in found)
        asked += len(found)
        foreign += others
        wrong += [name] * bool(others)
    if not asked:
        return skip(check, "no filter finds an action")
    if not wrong:
        return ok(check, "obeyed, for statuses and action types")
    finding = fail if foreign > asked * _HALF else warn
    return finding(
        check,
        f"{foreign:,} of {asked:,} actions are not of the filter: {', '.join(wrong)}",
        remedy="totals by status and type cannot be relied on; check base_url, and what is between "
        "here and Telnyx",
    )


def _filtered(seen: Seen) -> Iterator[tuple[str, list[str]]]:
    """Yield each value that was filtered on, and the values of the actions that came."""
    for status in FILTERED:
        page = seen.page(status_question(status))
        yield status.value, [each.status for each in page.actions] if page else []
    for action_type in KNOWN_ACTION_TYPES:
        page = seen.page(type_question(action_type))
        yield action_type, [each.action_type for each in page.actions] if page else []


def _action_types(seen: Seen, _: Page) -> Finding:
    return _vocabulary(
        "action_types",
        (each.action_type for each in seen.actions().values()),
        KNOWN_ACTION_TYPES,
        remedy="none is needed: they are counted as they are; stuck_after can be set for each",
    )


def _statuses(seen: Seen, _: Page) -> Finding:
    return _vocabulary(
        "statuses",
        (each.status for each in seen.actions().values()),
        tuple(Status),
        remedy=f"they are followed like actions in progress, at the cost of requests; {_ISSUES}",
    )


def _vocabulary(
    check: str, found: Iterable[str], documented: Iterable[str], *, remedy: str
) -> Finding:
    counts = Counter(found)
    unknown = {each: n for each, n in counts.most_common() if each not in {*documented}}
    if not counts:
        return skip(check, "there are no actions")
    if not unknown:
        return ok(check, f"{len(counts)} seen, all documented")
    shown = [_word(each) for each in unknown]
    return warn(
        check,
        f"{sum(unknown.values()):,} of {counts.total():,} actions have "
        f"{len(unknown)} not documented: {', '.join(dict.fromkeys(shown[:_SHOWN]))}",
        *(f"{each}: {n:,}" for each, n in [*unknown.items()][:_SHOWN] if _word(each) != each),
        remedy=remedy,
    )


def _word(value: str) -> str:
    """Return a value of an enumeration; anything else may be an ID or a name."""
    if not value:
        return "(none)"
    return value if _WORD.fullmatch(value) and len(value) <= _LONGEST_WORD else "(an odd one)"


def _dates(seen: Seen, _: Page) -> Finding:
    check = "dates"
    values = [item.get(name) for item in seen.items() for name in ("created_at", "updated_at")]
    if not values:
        return skip(check, "there are no actions")
    given = [each for each in values if each is not None and each != ""]
    missing = len(values) - len(given)
    unreadable = [each for each in given if time(each) is None]
    others = {
        _form(each)
        for each in given
        if time(each) is not None and not _DOCUMENTED_TIME.fullmatch(str(each))
    }
    shown = sorted({_form(each) for each in unreadable})[:_SHOWN]
    if missing or unreadable:
        parts = [f"{missing:,} missing"] * bool(missing)
        parts += [f"{len(unreadable):,} unreadable ({', '.join(shown)})"] * bool(unreadable)
        return warn(
            check,
            f"of {len(values):,} times {' and '.join(parts)}",
            remedy=f"such actions count from when they were first seen; {_ISSUES}",
        )
    if others:
        return ok(check, f"readable, also as {', '.join(sorted(others)[:_SHOWN])}")
    return ok(check, "as documented, to the millisecond")


def _form(value: object) -> str:
    """Return what a time looks like, without what it says."""
    if not isinstance(value, str):
        return type(value).__name__
    return re.sub(r"[^0TZ:.+ -]", "x", re.sub(r"\d", "0", value))[:_LONGEST_WORD]


def _reasons(seen: Seen, classify: Callable[[str | None], str]) -> Finding:
    check = "reasons"
    ended = [
        each.reason
        for each in seen.actions().values()
        if each.status in {Status.FAILED, Status.INTERRUPTED}
    ]
    given = [each for each in ended if each and classify(each) != NO_REASON]
    if not ended:
        return skip(check, "no action failed or was interrupted")
    if not given:
        return warn(
            check,
            f"none of {len(ended):,} failures gives a reason",
            remedy="none is needed: the class of such reasons is `none`",
        )
    others = Counter(each for each in given if classify(each) == OTHER)
    if not others:
        return ok(check, f"{len(given):,} of {len(ended):,} failures give one, each has a class")
    shown = others.most_common(_SHOWN)
    more = len(others) - len(shown)
    return warn(
        check,
        f"{others.total():,} of {len(given):,} fall into the class other",
        *(f"{n:,} x {excerpt(reason, _REASON_SHOWN)}" for reason, n in shown),
        *[f"and {more:,} more"] * bool(more),
        remedy="add rules under `reasons` in the configuration, for example "
        '{class: maintenance, match: "(?i)maintenance"}',
    )


def _action_by_id(seen: Seen, page: Page) -> Finding:
    check = "action_by_id"
    answer = seen.answers.get(questions.ACTION)
    if answer is None:
        return skip(check, seen.stopped or "there are no actions")
    remedy = "actions in progress are then followed by list, with more requests"
    if answer.error is not None:
        return warn(
            check,
            f"cannot be read ({described(answer)})",
            *map(str, api_errors(answer)),
            remedy=remedy,
        )
    if _data(answer).get("id") != page.actions[0].id:
        return warn(check, "another action came than was asked for", remedy=remedy)
    return ok(check, "can be read")


def _sim_cards(seen: Seen) -> Finding:
    check = "sim_cards"
    listed, answer = seen.answers.get(questions.SIM_CARD_LIST), seen.answers.get(questions.SIM_CARD)
    found = answer or listed
    if found is None:
        return skip(check, seen.stopped or "there is no SIM card to look up")
    details = tuple(map(str, api_errors(found)))
    if isinstance(found.error, AuthError):
        return warn(
            check,
            f"the key may not read SIM cards ({described(found)})",
            *details,
            remedy="give the key that right, so that failures have ICCID, group and tags; or set "
            "sim_cards.lookup to false",
        )
    if isinstance(found.error, NotFoundError) and found.error.documented:
        return ok(check, "can be looked up; this one is deleted")
    if found.error is not None:
        return warn(
            check,
            f"cannot be looked up ({described(found)})",
            *details,
            remedy="failures have no ICCID, group and tags until they can; try again later",
        )
    if answer is None:
        return skip(check, "the account has no SIM cards")
    return _sim_card(check, _data(answer))


def _sim_card(check: str, card: Mapping[str, Any]) -> Finding:
    if not text(card.get("iccid")):
        return warn(check, "no ICCID in the answer", remedy=f"failures have none; {_ISSUES}")
    if card.get("sim_card_group_id") and not mapping(card.get("sim_card_group")).get("name"):
        return warn(
            check,
            "the SIM card has a group, but its name is not in the answer",
            remedy=f"failures have the ID of the group only; {_ISSUES}",
        )
    group = "ICCID and group" if card.get("sim_card_group_id") else "ICCID, in no group"
    return ok(check, f"can be looked up, with {group}")


def _bulk_actions(seen: Seen, _: Page) -> Finding:
    check = "bulk_actions"
    listed, one = seen.answers.get(questions.BULK_LIST), seen.answers.get(questions.BULK)
    if listed is None:
        return skip(check, seen.stopped)
    if listed.error is not None:
        return warn(
            check,
            f"the list cannot be read ({described(listed)})",
            *map(str, api_errors(listed)),
            remedy="give the key that right, if bulk actions are used",
        )
    items = mapping(listed.document).get("data")
    bulks = [mapping(each) for each in items] if isinstance(items, list) else []
    if not bulks:
        return skip(check, "there are none")
    if all(_has_summary(each) for each in bulks):
        return ok(check, "the list has the summary of each")
    if one is not None and _has_summary(_data(one)):
        return warn(
            check,
            "only the single bulk action has its summary, the list does not",
            remedy="none is needed: each bulk action in progress costs one request more",
        )
    return warn(
        check,
        "neither the list nor the single bulk action has a summary",
        remedy="none is needed: their members have to be counted one by one",
    )


def _has_summary(bulk: Mapping[str, Any]) -> bool:
    return isinstance(bulk.get("sim_card_actions_summary"), list)


def _data(answer: Answer) -> dict[str, Any]:
    return mapping(mapping(answer.document).get("data"))


_RULES: Mapping[str, ListRule] = {
    "order": _order,
    "page_size": _page_size,
    "deep_pages": _deep_pages,
    "totals": _totals,
    "totals_by_type": _totals_by_type,
    "filters": _filters,
    "action_types": _action_types,
    "statuses": _statuses,
    "dates": _dates,
    "action_by_id": _action_by_id,
    "bulk_actions": _bulk_actions,
}
