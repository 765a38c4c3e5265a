"""Checks this machine: the configuration, the state, and whether Alertmanager answers.

It must not change the state, lock it, or send alerts.
"""

import asyncio
from collections.abc import Iterator, Sequence

from exporter.config import Settings
from exporter.config.postgresql import without_secrets
from exporter.doctor.findings import Finding, fail, ok, skip, warn
from exporter.errors import DeliveryError, StateError
from exporter.ledger.store.protocol import StateFacts
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.sinks.alertmanager.names import in_thread
from exporter.sinks.alertmanager.reachability import ask_status
from exporter.state import state_facts

STATE_TIMEOUT = 2.0
"""Seconds that a query of the state may take."""

STATE_DEADLINE = 15.0
"""Seconds for connecting to the state and reading it: a disk or a server may hang."""

MISTAKEN = "the configuration has mistakes"
"""Why something was not examined."""

_MEBIBYTE = 1024 * 1024
_LARGE_LOG = 64 * _MEBIBYTE
"""A write-ahead log of this size is not truncated any more: it should be by 16 MiB."""


def configuration_finding(mistakes: Sequence[str], accounts: int, file: str) -> Finding:
    """Return whether the configuration is valid, by its mistakes; of ``file``, if there is one."""
    if mistakes:
        return fail(
            "configuration",
            f"{len(mistakes)} mistake{'s' * (len(mistakes) != 1)}",
            *mistakes,
            remedy="correct them: each line says where and how",
        )
    source = "from a file" if file else "from TELNYX_API_KEY"
    text = f"valid, {accounts} account{'s' * (accounts != 1)}, {source}"
    return ok("configuration", text, *[file] * bool(file))


async def local_findings(settings: Settings, http: HttpConfig | None) -> tuple[Finding, ...]:
    """Return what is found of the state and of Alertmanager; ``http`` is how that is reached."""
    state, alertmanager = await asyncio.gather(_state(settings), _alertmanager(settings, http))
    return (*state, alertmanager)


async def _state(settings: Settings) -> tuple[Finding, ...]:
    name = without_secrets(settings.state.url).removeprefix("sqlite:///")
    shared = settings.state.shared
    try:
        async with asyncio.timeout(STATE_DEADLINE):
            facts = await in_thread(
                "reading the state", lambda: state_facts(settings, timeout=STATE_TIMEOUT)
            )
    except TimeoutError:
        error = f"no answer within {STATE_DEADLINE:g} s"
    except (StateError, DeliveryError) as exc:
        error = str(exc)
    else:
        if facts is None:
            why = "in the memory of the exporter"
            return skip("state", why), skip("state_in_use", why)
        return tuple(_state_findings(facts, name, shared=shared))
    remedy = "check state.url, and that the server is up" if shared else "check state.url and disk"
    found = fail("state", "cannot be read", error, remedy=f"{remedy}; the error says more")
    return found, skip("state_in_use", "the state was not read")


def _state_findings(facts: StateFacts, name: str, *, shared: bool) -> Iterator[Finding]:
    check = "state"
    if not facts.writable:
        yield fail(
            check,
            "cannot be written by this user",
            name,
            remedy="run doctor as the user of the exporter; if it is, "
            + (
                "grant that role its tables, and connect to the primary server"
                if shared
                else "give it the file and its directory"
            ),
        )
    elif not facts.exists:
        yield ok(check, "not there yet, can be created", name)
    elif facts.log > _LARGE_LOG:
        yield warn(
            check,
            f"{_size(facts.database)}, and {_size(facts.log)} of write-ahead log",
            name,
            remedy="end the program that keeps reading it: the log cannot be truncated meanwhile",
        )
    else:
        log = "" if shared else f", log {_size(facts.log)}"
        yield ok(check, f"writable, {_size(facts.database)}{log}", name)
    check = "state_in_use"
    if facts.users is None:
        yield skip(check, "this system does not tell")
    elif shared:
        yield ok(check, f"by {facts.users} replica{'s' * (facts.users != 1)}")
    else:
        yield ok(check, "by a running exporter" if facts.users else "by no process")


async def _alertmanager(settings: Settings, http: HttpConfig | None) -> Finding:
    check, targets = "alertmanager", settings.alertmanager.targets
    if not targets:
        return skip(check, "alertmanager.targets is empty")
    if http is None:
        return skip(check, MISTAKEN)
    asked = [ask_status(target, http) for target in targets]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    errors: list[str] = []
    for target, answer in zip(targets, answers, strict=True):
        if isinstance(answer, DeliveryError):
            errors.append(f"{target}: {answer}")
        elif answer is not None:
            raise answer
    text = f"{len(targets) - len(errors)} of {len(targets)} answer"
    if not errors:
        return ok(check, text)
    finding = fail if len(errors) == len(targets) else warn
    remedy = "check alertmanager.targets and alertmanager.config_file; start Alertmanager"
    return finding(check, text, *errors, remedy=remedy)


def _size(size: int) -> str:
    return f"{size / _MEBIBYTE:,.1f} MiB"
