"""`history`: read the history of accounts once from Telnyx, as report, CSV or OpenMetrics."""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import click

from exporter.cli.build import read_settings
from exporter.cli.history_reading import cancelled_by_signals, read_list
from exporter.cli.ledger_reader import open_reader
from exporter.cli.options import CONFIG_OPTION, examples
from exporter.cli.output import shown
from exporter.cli.output_file import write_file
from exporter.cli.times import TIMES, parse_period, parse_time
from exporter.config import Account, Settings, read_api_key
from exporter.errors import PollError, StateError, UsageError
from exporter.history.listing import COLUMNS, csv_parts
from exporter.history.openmetrics import PastAccount, collect, write
from exporter.history.past import CounterStart
from exporter.history.report import MOST_ROWS, report
from exporter.history.spool import HistorySource, Spool, owner_of
from exporter.history.summary import Scope, summarize
from exporter.ledger.listings import csv_text, rfc3339
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import TrackedAction
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import LedgerState
from exporter.ledger.store.protocol import ActionReader, StateReader
from exporter.ledger.views import options_of, reasons_of
from exporter.network import find_network
from exporter.sanitize import one_line

JOB = INSTANCE = "telnyx-sim-exporter"
"""The labels in the shipped scrape configuration of replicas, and of the chart."""

HEAD_BLOCK = 3 * 3600
"""Seconds for which Prometheus keeps samples in a block that it still changes."""

MOST_AGE = 3600
"""Seconds for which what was read is shown again instead of what is there now."""

_LABEL = re.compile(r"(?P<name>(?!__)[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_OWN_LABELS = {"account", "action_type", "reason_class", "status", "le", "job", "instance"}
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for; times are seconds since the epoch."""

    since: float | None
    until: float | None
    baseline: float | None
    again: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class _AccountHistory:
    """An account, and the work file with its history."""

    account: Account
    options: SnapshotOptions
    spool: Spool
    source: HistorySource


@click.command(
    "history",
    short_help="Read the history once: report, CSV or OpenMetrics.",
    epilog=examples(
        ("What failed in the last 30 days, and why", "telnyx-sim-exporter history --since 30d"),
        (
            "Every action, for a spreadsheet",
            "telnyx-sim-exporter history --format csv --output actions.csv",
        ),
        (
            "A past for the dashboards; promtool makes blocks of it",
            "telnyx-sim-exporter history --since 15d --format openmetrics --output past.om",
        ),
    ),
)
@CONFIG_OPTION
@click.option("--account", "names", multiple=True, help="Only this account; may be repeated.")
@click.option(
    "--since",
    help=f"Only created then or later: {TIMES}.",
)
@click.option("--until", help="Only created before then; written like --since.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["report", "csv", "openmetrics"]),
    default="report",
    show_default=True,
    help="Output. openmetrics is for promtool tsdb create-blocks-from openmetrics.",
)
@click.option("--output", type=_FILE, help="File to write. Default: standard output.")
@click.option(
    "--work-dir",
    type=_FOLDER,
    help="Folder for what was read, one file an account. Default: that of --output, or the "
    "working directory.",
)
@click.option("--again", is_flag=True, help="Read again from the start.")
@click.option("--job", help=f"Label job of the series (openmetrics). Default: {JOB}.")
@click.option(
    "--instance", help=f"Label instance of the series (openmetrics). Default: {INSTANCE}."
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="Further label that scraping adds to the series (openmetrics); may be repeated.",
)
@click.option(
    "--baseline",
    help="When the counters of the account began, if the state cannot be read from here "
    "(openmetrics): the value of telnyx_exporter_baseline_timestamp_seconds.",
)
def command(  # noqa: PLR0913 # one for each option
    *,
    config_file: Path | None,
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    output_format: str,
    output: Path | None,
    work_dir: Path | None,
    again: bool,
    job: str | None,
    instance: str | None,
    labels: tuple[str, ...],
    baseline: str | None,
) -> None:
    """Read the history of accounts once from Telnyx, and print what it holds.

    What was read is kept in a work file. If the command is interrupted, run it again: it goes on
    from there. Another format of the same history needs no more requests.

    The exporter may be running. Nothing in its state is changed.
    """
    metrics = output_format == "openmetrics"
    given = {"job": job, "instance": instance, "label": labels, "baseline": baseline}
    for name, value in given.items():
        if value and not metrics:
            raise click.UsageError(f"--{name}: is for --format openmetrics; leave it out")
    now = time.time()
    wanted = _Wanted(
        *parse_period(since, until, now),
        parse_time("--baseline", baseline, now),
        again,
        work_dir or (Path() if output is None else output.parent),
    )
    extra = _extra_labels(job or JOB, instance or INSTANCE, labels)
    settings = read_settings(config_file)
    accounts = _chosen(settings, names)
    reasons = reasons_of(settings)
    counters = _CounterStarts(settings, accounts, wanted.baseline) if metrics else None
    with ExitStack() as opened:
        parts = asyncio.run(_read_all(settings, accounts, reasons, wanted, counters, opened))
        if counters is not None:
            pasts = [counters.past(part, reasons, wanted) for part in parts]
            for past in pasts:
                collect(past)
            _write(output, write(pasts, extra), private=False)
            _advise(pasts, now)
        elif output_format == "csv":
            text = _csv(parts, reasons, wanted)
            text = map(shown, text) if output is None else text
            _write(output, _encoded(output, text), private=True)
        else:
            text = _reports(parts, reasons, wanted, output)
            _write(output, _encoded(output, text), private=True)


class _CounterStarts:
    """Where the live counters of the accounts begin: as the state says, or the command line."""

    def __init__(
        self, settings: Settings, accounts: Sequence[Account], baseline: float | None
    ) -> None:
        """Find out; raises StateError or UsageError, with what to do first."""
        self._retention = settings.state.retention
        self._reader: ActionReader | None = None
        if baseline is None:
            reader = self._reader = open_reader(settings)
            self.starts = {each.name: _begun(reader, each.name)[1] for each in accounts}
        elif len(accounts) > 1:
            raise click.UsageError("--baseline: is of one account; name it with --account")
        else:
            self.starts = {each.name: baseline for each in accounts}

    def past(self, part: _AccountHistory, reasons: Reasons, wanted: _Wanted) -> PastAccount:
        """Return what the past of an account is made of, by the ledger as it is now."""
        name, offset = part.account.name, part.spool.clock_offset
        find: Callable[[Collection[str]], Mapping[str, TrackedAction]]
        if self._reader is None:
            begun = self.starts[name]
            state = LedgerState(name, 0, begun, None, 0, {}, {}, {}, {}, {}, {}, ())
            start = CounterStart(begun, begun + offset)
            find = _nothing
        else:
            state, begun = _begun(self._reader, name)
            start = CounterStart(
                begun,
                begun + offset,
                {key: value for key, value in state.cursors.items() if part.options.reads(key)},
                expired=time.time() - self._retention > begun,
            )
            find = partial(self._reader.find, state.account_id)
        if part.source.started_at < begun:
            raise UsageError(
                f"account {name!r}: its counters began while the history was read; run this again"
            )
        return PastAccount(
            name=name,
            spool=part.spool,
            options=part.options,
            start=start,
            find=find,
            label=state.label,
            classify=reasons.classify,
            since=wanted.since,
            until=wanted.until,
        )


def _begun(reader: StateReader, name: str) -> tuple[LedgerState, float]:
    """Return the state of an account, and when its counters began."""
    try:
        state = reader.state(name)
    except StateError as exc:
        raise StateError(
            f"{exc}. The state says where the counters begin, and so where the past has to end; "
            "if it is on another machine, give --baseline"
        ) from exc
    if state is None or state.baseline_at is None:
        raise UsageError(
            f"account {name!r}: its counters have not begun, so nobody knows where the past has to "
            "end; start the exporter, and run this after its first poll"
        )
    return state, state.baseline_at


def _nothing(_: Collection[str]) -> Mapping[str, TrackedAction]:
    """Return what is known of actions without a ledger."""
    return {}


async def _read_all(
    settings: Settings,
    accounts: Sequence[Account],
    reasons: Reasons,
    wanted: _Wanted,
    counters: _CounterStarts | None,
    opened: ExitStack,
) -> list[_AccountHistory]:
    """Read what is not read yet, account by account. Exits on a signal, and after an error."""
    network = find_network(settings)
    parts = []
    with cancelled_by_signals() as exit_code:
        for account in accounts:
            path = wanted.folder / f"telnyx-sim-history-{quote(account.name, safe='')}.db"
            spool = opened.enter_context(Spool(path))
            source = _prepared(spool, account, wanted, counters)
            options = options_of(settings, account, reasons)
            try:
                missing = await read_list(settings, account, network, spool, source)
            except asyncio.CancelledError:
                click.echo(_go_on(f"account {account.name!r}: interrupted", path), err=True)
                sys.exit(exit_code())
            except PollError as exc:
                raise PollError(_go_on(f"account {account.name!r}: {exc}", path)) from exc
            if missing:
                click.echo(one_line(f"account {account.name!r}: note: {missing}"), err=True)
            parts.append(_AccountHistory(account, options, spool, source))
    return parts


def _go_on(text: str, path: Path) -> str:
    remedy = "run the same command again to go on from there"
    return one_line(f"{text.rstrip('.')}. What was read is in {path}: {remedy}")


def _prepared(
    spool: Spool, account: Account, wanted: _Wanted, counters: _CounterStarts | None
) -> HistorySource:
    """Return what a work file holds, or is to hold from now on."""
    key, managed = read_api_key(account), account.managed_account_id
    asked = HistorySource(
        account.name,
        account.base_url,
        account.action_types,
        wanted.since,
        time.time(),
        owner_of(key, managed, token_hex(16)),
    )
    held = spool.source
    if held is not None and not held.is_owned(key, managed):
        click.echo(
            one_line(
                f"account {account.name!r}: reading anew: what is in {spool.path} was read with "
                "another API key, or of another managed account"
            ),
            err=True,
        )
        held = None
    read_at = spool.finished_at
    if counters is not None:  # what is wanted ends there
        too_old = held is not None and held.started_at < counters.starts[account.name]
    else:
        newest = asked.started_at - MOST_AGE
        newest = newest if wanted.until is None else min(newest, wanted.until)
        too_old = read_at is not None and read_at < newest
    if held is None or wanted.again or too_old or not held.serves(asked):
        spool.begin(asked)
        return asked
    what = "going on with" if read_at is None else "using"
    when = rfc3339(held.started_at if read_at is None else read_at)
    words = f"account {account.name!r}: {what} what was read at {when} ({spool.path})"
    click.echo(one_line(f"{words}; --again reads anew"), err=True)
    return held


def _chosen(settings: Settings, names: Iterable[str]) -> tuple[Account, ...]:
    known = {each.name: each for each in settings.accounts}
    for name in names:
        if name not in known:
            raise click.UsageError(
                one_line(f"--account: {name!r} is unknown; use one of {', '.join(known)}")
            )
    return tuple(known[each] for each in dict.fromkeys(names)) or settings.accounts


def _extra_labels(job: str, instance: str, given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    labels = {"job": job, "instance": instance}
    for each in given:
        match = _LABEL.fullmatch(each)
        if match is None:
            raise click.UsageError(f"--label: {each!r} is not of the form NAME=VALUE")
        if match["name"] in _OWN_LABELS:
            raise click.UsageError(f"--label: {match['name']} is a label of the series already")
        labels[match["name"]] = match["value"]
    return tuple(labels.items())


def _csv(parts: Sequence[_AccountHistory], reasons: Reasons, wanted: _Wanted) -> Iterator[str]:
    yield csv_text(COLUMNS, ())
    for part in parts:
        scope = Scope(part.options, wanted.since, wanted.until)
        yield from csv_parts(part.account.name, part.spool, scope, reasons.classify)


def _reports(
    parts: Sequence[_AccountHistory], reasons: Reasons, wanted: _Wanted, output: Path | None
) -> Iterator[str]:
    for number, part in enumerate(parts):
        scope = Scope(part.options, wanted.since, wanted.until)
        summary = summarize(part.spool, scope, reasons.classify, MOST_ROWS)
        read_at = part.spool.finished_at or part.source.started_at
        yield "\n" * min(number, 1)
        for line in report(part.account.name, summary, read_at, _encoding(output)):
            yield f"{line}\n"


def _encoding(output: Path | None) -> str:
    return "utf-8" if output is not None else sys.stdout.encoding


def _encoded(output: Path | None, parts: Iterable[str]) -> Generator[bytes]:
    return (each.encode(_encoding(output), "backslashreplace") for each in parts)


def _write(output: Path | None, parts: Generator[bytes], *, private: bool) -> None:
    """Write to standard output or a file, and close the parts: they read from the work files."""
    if output is not None:
        write_file(output, parts, private=private)
        return
    with closing(parts):
        for part in parts:
            click.echo(part, nl=False)


def _advise(pasts: Sequence[PastAccount], now: float) -> None:
    """Say what to do with the file, and when."""
    latest = max(each.end for each in pasts)
    for past in pasts:
        click.echo(
            one_line(
                f"account {past.name!r}: the past ends at {rfc3339(past.end)}, before the counters "
                f"began at {rfc3339(past.start.at)}"
            ),
            err=True,
        )
    if now - latest < HEAD_BLOCK:
        click.echo(
            f"Create the blocks after {rfc3339(latest + HEAD_BLOCK)}: until then Prometheus may "
            "hold samples of that time in memory, and drop them when it loads the blocks",
            err=True,
        )
