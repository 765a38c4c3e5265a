"""`rules`: print the rules for Prometheus, with other thresholds, durations and labels."""

import math
import re
import shlex
from collections.abc import Iterable
from itertools import chain

import click

from exporter.cli.options import examples
from exporter.cli.output import say
from exporter.cli.rule_files import (
    Changes,
    RuleFile,
    Threshold,
    objective_rules,
    plain_rules,
    write_groups,
)
from exporter.config.durations import parse_duration
from exporter.config.mistakes import suggestion
from exporter.sanitize import one_line
from exporter.version import __version__

_URL = re.compile(r"https?://[^\s?#{}]+")
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_SEVERITIES = ("critical", "warning", "info")
_ALERT_KEYS = ("for", "keep_firing_for", "severity", "disabled")


class _RulesCommand(click.Command):
    """The command, whose help lists the thresholds of the rule files."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        for title, file in (
            ("Thresholds", plain_rules()),
            ("Thresholds with --objective", objective_rules()),
        ):
            if file.thresholds:
                with formatter.section(title):
                    formatter.write_dl(
                        [
                            (each.name, f"{each.meaning} [default: {each.default}]")
                            for each in file.thresholds.values()
                        ]
                    )


@click.command(
    "rules",
    cls=_RulesCommand,
    short_help="Print the rules for Prometheus, with your settings.",
    epilog=examples(
        ("The rules as they are shipped", "telnyx-sim-exporter rules > telnyx.rules.yaml"),
        ("One alert an hour later", "telnyx-sim-exporter rules --set TelnyxSimActionsStuck.for=1h"),
    ),
)
@click.option("--objective", is_flag=True, help="Add the alerts on a service level objective.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one thing; may be repeated.",
)
def command(objective: bool, settings: tuple[str, ...]) -> None:  # noqa: FBT001 # a flag
    """Print a rule file for Prometheus.

    Names for --set:

    \b
    THRESHOLD               A number; the thresholds are listed below
    ALERT.for               How long the condition has to last, such as 10m
    ALERT.keep_firing_for   How long the alert goes on after it, such as 15m
    ALERT.severity          critical, warning or info
    ALERT.disabled          true
    labels.LABEL            A label for all alerts
    runbook_url             Where the runbooks are: ALERT.md is added to it
    page_url                Where users open the exporter's page; adds the
                            annotation page_url to all alerts
    """  # noqa: D301 # click's mark for text that is not to be folded
    plain, optional = plain_rules(), objective_rules()
    changes = read_changes(settings, plain, optional, objective=objective)
    files = (plain, optional) if objective else (plain,)
    words = shlex.join(chain(["--objective"] * objective, *(("--set", each) for each in settings)))
    head = one_line(f"# Written by telnyx-sim-exporter {__version__}: rules {words}".rstrip())
    groups = [group for file in files for group in file.changed(changes)]
    say(f"{head}\n{write_groups(groups)}")


def read_changes(
    settings: Iterable[str], plain: RuleFile, optional: RuleFile, *, objective: bool
) -> Changes:
    """Return what the values of ``--set`` change; raises click.UsageError with every mistake.

    Of a name that is set twice, the last value counts. What belongs to the ``optional`` rules can
    only be set with the ``objective``.
    """
    changes = Changes()
    mistakes: list[str] = []
    for each in settings:
        name, _, value = each.partition("=")
        try:
            if not objective:
                _check_plain(name, plain, optional)
            _read(changes, name, value, (plain, optional))
        except ValueError as exc:
            mistakes.append(one_line(f"--set {name}: {exc}"))
    if mistakes:
        raise click.UsageError("\n".join(mistakes))
    return changes


def _check_plain(name: str, plain: RuleFile, optional: RuleFile) -> None:
    first = name.partition(".")[0]
    if first in {*optional.thresholds, *optional.alerts}.difference(plain.thresholds):
        raise ValueError("belongs to the objective; add --objective, or remove this")


def _read(changes: Changes, name: str, value: str, files: tuple[RuleFile, RuleFile]) -> None:
    """Add one setting to ``changes``; raises ValueError with what is wrong and how to fix it."""
    thresholds = {each.name: each for file in files for each in file.thresholds.values()}
    alerts = [alert for file in files for alert in file.alerts]
    first, dot, rest = name.partition(".")
    if name in thresholds:
        changes.thresholds[name] = _number(thresholds[name], value)
    elif name == "runbook_url":
        changes.runbook_url = _url(value)
    elif name == "page_url":
        changes.page_url = _url(value)
    elif first == "labels" and dot:
        used = {"alertname"}.union(*(file.labels for file in files))
        changes.labels[_label(rest, used)] = _label_value(value)
    elif first in alerts:
        if rest not in _ALERT_KEYS:
            raise ValueError(f"unknown name; use one of {', '.join(_of(first))}")
        changes.alerts.setdefault(first, {})[rest] = _alert_value(rest, value)
    elif dot:
        raise ValueError(f"unknown alert; {suggestion(first, alerts)}")
    else:
        options = (*thresholds, "labels.LABEL", "runbook_url", "page_url", *_of("ALERT"))
        raise ValueError(f"unknown name; {suggestion(name, options)}")


def _of(alert: str) -> Iterable[str]:
    return (f"{alert}.{key}" for key in _ALERT_KEYS)


def _number(threshold: Threshold, value: str) -> str:
    form = re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", value)  # 010 is 8 to Prometheus
    number = float(value) if form else math.nan
    if threshold.is_share and not 0 < number < 1:
        raise ValueError("must be a number between 0 and 1, such as 0.25")
    if not 0 < number < math.inf:
        raise ValueError("must be a number above 0, such as 5 or 0.25")
    return value


def _alert_value(key: str, value: str) -> str:
    if key == "severity" and value not in _SEVERITIES:
        raise ValueError(f"unknown severity; use one of {', '.join(_SEVERITIES)}")
    if key == "disabled" and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    if key in {"for", "keep_firing_for"}:
        parse_duration(value)
    return value


def _label(name: str, used: set[str]) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError("is not the name of a label; use letters, digits and _")
    if name in used:
        raise ValueError("is a label that the rules use themselves; choose another one")
    return name


def _label_value(value: str) -> str:
    if not value or not value.isprintable() or "{{" in value:
        raise ValueError("must be text of printable characters, without {{")
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value) or not value.isprintable():
        raise ValueError("is not an http or https URL; write it like https://example.org/path")
    return value.rstrip("/")
