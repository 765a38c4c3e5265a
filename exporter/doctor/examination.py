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
from exporter.ledger.views import reasons_of
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.telnyx.http import Network, Route

AT_A_TIME = 16
"""Accounts that are asked at a time."""


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
        self._classify = reasons_of(settings).classify
        self._accounts = []
        for account in accounts:
            key = ApiKey(account)
            route = Route() if network is None else network.routes[account.base_url]
            probe = Probe(settings, account, key, route, clock)
            self._accounts.append((account, key, probe))
            if network is None:
                probe.seen.stopped = MISTAKEN
        self._asked = network is not None

    async def run(self) -> None:
        """Examine it all; it may be cancelled."""
        free = asyncio.Semaphore(AT_A_TIME)

        async def ask(probe: Probe) -> None:
            async with free:
                await probe.run()

        async with asyncio.TaskGroup() as group:
            local = group.create_task(local_findings(self._settings, self._alertmanager))
            local.add_done_callback(self._take)
            for _, _, probe in self._accounts if self._asked else ():
                group.create_task(ask(probe))

    def report(self, configuration: Finding) -> Report:
        """Return what was found up to now, with what was found of the configuration before."""
        found = {each.check: each for each in (configuration, *self._local)}
        local = tuple(found.get(each) or skip(each, "interrupted") for each in LOCAL_CHECKS)
        return Report(local, tuple(self._report(*each) for each in self._accounts))

    def _take(self, local: "asyncio.Task[tuple[Finding, ...]]") -> None:
        if not local.cancelled() and local.exception() is None:
            self._local = local.result()

    def _report(self, account: Account, key: ApiKey, probe: Probe) -> AccountReport:
        seen, poll = probe.seen, self._settings.poll
        lookup = self._settings.sim_cards.lookup
        findings = {
            each.check: each
            for each in (
                *connection_findings(seen, account.base_url, poll.rate_limit),
                *list_findings(seen, self._classify, lookup=lookup),
            )
        }
        return AccountReport(
            account.name,
            account.base_url,
            tuple(_without_key(findings[each], key) for each in ACCOUNT_CHECKS),
            seen.requests,
        )


def nothing_examined(configuration: Finding) -> Report:
    """Return the report about a configuration that could not be read."""
    return Report((configuration, *(skip(each, MISTAKEN) for each in LOCAL_CHECKS[1:])))


def _without_key(finding: Finding, key: ApiKey) -> Finding:
    """Return a finding without the key, which an answer may repeat."""
    details = tuple(map(key.redact, finding.details))
    return replace(finding, text=key.redact(finding.text), details=details)
