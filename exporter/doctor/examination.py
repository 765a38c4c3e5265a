"""Examines this machine and the accounts, some at a time, and reports at any moment.

It must not know how a report is shown.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from exporter.api_key import ApiKey
from exporter.clock import Clock
from exporter.config import Account, Settings
from exporter.doctor.connection_checks import connection_findings
from exporter.doctor.findings import (
    ACCOUNT_CHECKS,
    LOCAL_CHECKS,
    AccountReport,
    Finding,
    Report,
    skip,
)
from exporter.doctor.list_checks import list_findings
from exporter.doctor.local_checks import MISTAKEN, local_findings
from exporter.doctor.probe import Probe
from exporter.doctor.seen import INTERRUPTED, Seen
from exporter.ledger.views import reasons_of
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.telnyx.http import Network, Route

AT_A_TIME = 16
"""Accounts that are asked at a time."""


class _Subject:
    """One account; what was seen of it is let go of as soon as it is judged: it may be large."""

    def __init__(
        self, settings: Settings, account: Account, network: Network | None, clock: Clock
    ) -> None:
        route = Route() if network is None else network.routes[account.base_url]
        self._key = ApiKey(account)
        self._settings = settings
        self._account = account
        self._probe: Probe | None = Probe(settings, account, self._key, route, clock)
        if network is None:
            self._probe.seen.stopped = MISTAKEN
        self._report: AccountReport | None = None

    async def examine(self) -> None:
        if self._probe is not None:
            await self._probe.run()
            self._report = self._judge(self._probe.seen)
            self._probe = None

    def report(self) -> AccountReport:
        """Return what was found, up to now if it is being examined."""
        if self._report is None and self._probe is not None:
            return self._judge(self._probe.seen)
        assert self._report is not None  # noqa: S101 # there is one of the two
        return self._report

    def _judge(self, seen: Seen) -> AccountReport:
        settings, account = self._settings, self._account
        classify, lookup = reasons_of(settings).classify, settings.sim_cards.lookup
        findings = {
            each.check: _without_key(each, self._key)
            for each in (
                *connection_findings(seen, account.base_url, settings.poll.rate_limit),
                *list_findings(seen, classify, lookup=lookup),
            )
        }
        ordered = tuple(findings[each] for each in ACCOUNT_CHECKS)
        return AccountReport(account.name, account.base_url, ordered, seen.requests)


class Examination:
    """Examines the accounts of the settings, or some of them, and this machine."""

    def __init__(
        self,
        settings: Settings,
        accounts: Sequence[Account],
        network: Network | None,
        alertmanager: HttpConfig | None,
        clock: Clock,
    ) -> None:
        """Store the parts; nothing is asked yet.

        Without a ``network`` accounts are not asked, nor is Alertmanager without its settings: the
        configuration has mistakes.
        """
        self._settings = settings
        self._alertmanager = alertmanager
        self._local: tuple[Finding, ...] = ()
        self._subjects = [_Subject(settings, each, network, clock) for each in accounts]
        self._asked = network is not None

    async def run(self) -> None:
        """Examine it all; it may be cancelled."""
        free = asyncio.Semaphore(AT_A_TIME)

        async def examine(subject: _Subject) -> None:
            async with free:
                await subject.examine()

        async def examine_this_machine() -> None:
            self._local = await local_findings(self._settings, self._alertmanager)

        async with asyncio.TaskGroup() as group:
            group.create_task(examine_this_machine())
            for each in self._subjects if self._asked else ():
                group.create_task(examine(each))

    def report(self, configuration: Finding) -> Report:
        """Return what was found up to now, with what was found of the configuration before."""
        found = {each.check: each for each in (configuration, *self._local)}
        local = tuple(found.get(each) or skip(each, INTERRUPTED) for each in LOCAL_CHECKS)
        return Report(local, tuple(each.report() for each in self._subjects))


def nothing_examined(configuration: Finding) -> Report:
    """Return the report about a configuration that could not be read."""
    return Report((configuration, *(skip(each, MISTAKEN) for each in LOCAL_CHECKS[1:])))


def _without_key(finding: Finding, key: ApiKey) -> Finding:
    """Return a finding without the key, which an answer may repeat."""
    details = tuple(map(key.redact, finding.details))
    return replace(finding, text=key.redact(finding.text), details=details)
