"""Lists actions as Telnyx has them now, page by page, within the rate limit of the settings.

It asks Telnyx only to list, and must not read or write the ledger.
"""

import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

import click

from exporter.account_client import open_client
from exporter.api_key import ApiKey
from exporter.clock import SystemClock
from exporter.config import Account, Settings
from exporter.domain import Action, Status
from exporter.ledger.queries import AccountAction, ActionQuery, LedgerView
from exporter.ledger.rules import ended_status
from exporter.metrics.self_metrics import SelfMetrics
from exporter.network import find_network
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

PAGE_SIZE = 250


@dataclass(frozen=True, slots=True)
class LiveListing:
    """The actions that Telnyx lists; those filters that it lacks are applied here."""

    settings: Settings
    view: LedgerView
    query: ActionQuery
    bulk_id: str | None

    async def pages(self) -> AsyncGenerator[Sequence[AccountAction], None]:
        """Yield what passes of each page, account by account, in the order of the API.

        An action that is listed twice, because the list grew meanwhile, comes once. Raises
        PollError where Telnyx cannot be asked.
        """
        network = find_network(self.settings)
        for account in self.settings.accounts:
            if self.query.account in {None, account.name}:
                async for rows in self._of_account(account, network):
                    yield rows

    async def _of_account(
        self, account: Account, network: Network
    ) -> AsyncGenerator[Sequence[AccountAction], None]:
        client, close = open_client(
            account,
            self.settings.poll,
            key=ApiKey(account),
            route=network.routes[account.base_url],
            observer=SelfMetrics(account.name),
            clock=SystemClock(),
        )
        # Telnyx documents no filter on interrupted, nor on statuses that it does not document.
        filtered = {Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED}
        asked = self.query.status if self.query.status in filtered else None
        wanted = Query(
            size=PAGE_SIZE,
            status=asked,
            action_type=self.query.action_type,
            sim_card_id=self.query.sim_card_id,
            bulk_id=self.bulk_id,
        )
        seen: set[str] = set()
        read = 0
        progress = _Progress(account.name)
        try:
            while True:
                page = await client.list(wanted)
                read += page.length
                progress.show(read, page.total)
                new = [each for each in page.actions if each.id not in seen]
                seen.update(each.id for each in new)
                rows = [self._row(account.name, each) for each in new]
                yield [row for row in rows if self.query.takes(row)]
                whole = page.total is not None and read >= page.total
                if not page.length or whole:
                    return
                wanted = replace(wanted, page=wanted.page + 1)
        finally:
            progress.end()
            await close()

    def _row(self, account: str, action: Action) -> AccountAction:
        ended = ended_status(action.status) is not None
        started = action.created_at if action.created_at is not None else action.updated_at
        return AccountAction(
            account=account,
            action_id=action.id,
            sim_card_id=action.sim_card_id,
            action_type=action.action_type,
            status=action.status,
            reason=action.reason or "",
            reason_class=self.view.classify(action.reason),
            created_at=action.created_at,
            updated_at=action.updated_at,
            started_at=started or 0.0,
            seen_end=action.updated_at if ended else None,
            stuck=False,
        )


class _Progress:
    """How far an account is read, on the last line of a terminal; nothing elsewhere."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._shown = sys.stderr.isatty()

    def show(self, read: int, total: int | None) -> None:
        if self._shown:
            of = "" if total is None else f" of {total}"
            click.echo(f"\r\x1b[K{self._account}: {read}{of} actions read", err=True, nl=False)

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
