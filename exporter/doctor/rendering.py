"""Shows a report as text or JSON, whole or fit to be published. Pure.

It must not judge.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby

from exporter.doctor.findings import (
    ACCOUNT_CHECKS,
    LOCAL_CHECKS,
    AccountReport,
    Finding,
    Report,
    Result,
)
from exporter.sanitize import excerpt, one_line

TELNYX = "https://api.telnyx.com/v2"
ELSEWHERE = "(not api.telnyx.com)"
"""Stands for the base URL of any other API in what is published."""

_CHECK_WIDTH = max(map(len, (*LOCAL_CHECKS, *ACCOUNT_CHECKS)))
_INDENT = " " * (2 + 4 + 2)
_TEXT_INDENT = " " * (len(_INDENT) + _CHECK_WIDTH + 2)
_SHORTEST = 10
"""Columns that are worth a detail of what is well."""


def published(report: Report) -> Report:
    """Return a report without IDs, names, hosts, paths and reasons."""
    return Report(
        tuple(map(_without_details, report.local)),
        tuple(
            replace(
                account,
                name=f"account {number}",
                base_url=account.base_url if account.base_url.rstrip("/") == TELNYX else ELSEWHERE,
                findings=tuple(map(_without_details, account.findings)),
            )
            for number, account in enumerate(report.accounts, 1)
        ),
    )


def as_json(report: Report, about: Mapping[str, str]) -> str:
    """Return a report as JSON, with the versions of ``about``; its keys are an interface."""
    return f"{json.dumps(_document(report, about), indent=2)}\n"


def as_text(report: Report, about: Mapping[str, str], *, width: int, encoding: str) -> str:
    """Return a report as lines of ``width`` columns, which only details may exceed.

    Of several accounts, what is well is one line for each.
    """
    folded = len(report.accounts) > 1
    show = partial(_group, width=width, encoding=encoding)
    lines = [
        *_wrapped(", ".join(f"{name} {version}" for name, version in about.items()), "", width),
        *show("This machine", report.local, folded=False),
    ]
    for account in report.accounts:
        title = f"{account.name}, {account.base_url}"
        lines += show(one_line(title, encoding=encoding), account.findings, folded=folded)
    return "\n".join([*lines, _summary(report), ""])


def _document(report: Report, about: Mapping[str, str]) -> dict[str, object]:
    counts = report.counts()
    return {
        "versions": dict(about),
        "local": [asdict(each) for each in report.local],
        "accounts": [_account(each) for each in report.accounts],
        "summary": {each.value: counts[each] for each in Result},
    }


def _account(account: AccountReport) -> dict[str, object]:
    return {
        "name": account.name,
        "base_url": account.base_url,
        "requests": account.requests,
        "checks": [asdict(each) for each in account.findings],
    }


def _summary(report: Report) -> str:
    counts = report.counts()
    number, requests = len(report.accounts), sum(each.requests for each in report.accounts)
    return f"{number} account{'s' * (number != 1)}, {requests} requests: " + ", ".join(
        f"{counts[each]} {each.upper()}" for each in Result
    )


def _group(
    title: str, findings: Sequence[Finding], *, folded: bool, width: int, encoding: str
) -> Iterator[str]:
    """Yield the lines of one account; checks that were skipped for one reason are one line."""
    yield title
    well = [each for each in findings if each.result is Result.OK]
    if folded and well:
        yield from _several(
            "OK", [each.check for each in well], f"{len(well)} check{'s' * (len(well) != 1)}", width
        )
        findings = [each for each in findings if each.result is not Result.OK]

    def alike(finding: Finding) -> tuple[str, str]:
        return (finding.result, finding.text if finding.result is Result.SKIP else finding.check)

    for (result, text), group in groupby(findings, alike):
        together = list(group)
        if len(together) > 1:
            yield from _several(result.upper(), [each.check for each in together], text, width)
        else:
            yield from _finding(together[0], width, encoding)


def _several(word: str, checks: Iterable[str], text: str, width: int) -> Iterator[str]:
    first, *others = _wrapped(f"{text}: {', '.join(checks)}", _INDENT, width)
    yield f"  {word:<4}  {first.lstrip()}"
    yield from others


def _finding(finding: Finding, width: int, encoding: str) -> Iterator[str]:
    text = one_line(finding.text, encoding=encoding)
    details = [one_line(each, encoding=encoding) for each in finding.details]
    if finding.result is Result.OK and details:
        room = width - len(_TEXT_INDENT) - len(text) - len(" ()")
        shown = excerpt("; ".join(details), room) if room >= _SHORTEST else ""
        text += f" ({one_line(shown, encoding=encoding)})" if shown else ""
        details = []
    first, *others = _wrapped(text, _TEXT_INDENT, width)
    yield f"  {finding.result.upper():<4}  {finding.check:<{_CHECK_WIDTH}}  {first.lstrip()}"
    yield from others
    for each in details:
        yield from _wrapped(each, _TEXT_INDENT, width)
    if finding.remedy:
        yield from _wrapped(f"To do: {finding.remedy}", _TEXT_INDENT, width)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    # What has no spaces is there to be copied: a path, an address.
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]


def _without_details(finding: Finding) -> Finding:
    return replace(finding, details=())
