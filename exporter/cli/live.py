"""Lists actions as Telnyx has them now, page by page, within the rate limit of the settings.

It asks Telnyx only to list, and must not read or write the ledger.
"""

import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

import click

from exporter.account_client import open_client
from exporter.api_key import ApiKey
from exporter.cli.live_list import LiveList
from exporter.clock import SystemClock
from exporter.config import Account, Settings
from exporter.domain import Action, Status
from exporter.errors import BadRequestError, InvalidResponseError, NotFoundError, PollError
from exporter.ledger.queries import AccountAction, AccountScope, ActionQuery, LedgerView
from exporter.ledger.records import ListFilter
from exporter.ledger.rules import ended_status
from exporter.metrics.self_metrics import SelfMetrics
from exporter.network import find_network
from exporter.sync.fetcher import Fetcher, ServerLimits
from exporter.telnyx.client import Client
from exporter.telnyx.http import Network
from exporter.telnyx.query import Query

_NO_BULK = "00000000-0000-0000-0000-000000000000"
"""An ID that no bulk action has."""


@dataclass(frozen=True, slots=True)
class LiveListing:
    """The actions that Telnyx lists; those filters that it lacks are applied here.

    ``incomplete`` has a sentence for each list of which something could not be read.
    """

    settings: Settings
    view: LedgerView
    query: ActionQuery
    incomplete: list[str] = field(default_factory=list)

    async def pages(self) -> AsyncGenerator[Sequence[AccountAction], None]:
        """Yield what passes of each page, account by account, in the order of the API.

        An action that is listed twice, because the list grew meanwhile, comes once. Raises
        PollError where Telnyx cannot be asked.
        """
        network = find_network(self.settings)
        scopes = {each.name: each for each in self.view.only(self.query.account)}
        for account in self.settings.accounts:
            if account.name in scopes:
                try:
                    async for rows in self._of_account(account, scopes[account.name], network):
                        yield rows
                except PollError as exc:
                    raise PollError(f"account {account.name!r}: {exc}") from exc

    async def _of_account(
        self, account: Account, scope: AccountScope, network: Network
    ) -> AsyncGenerator[Sequence[AccountAction], None]:
        client, close = open_client(
            account,
            self.settings.poll,
            key=ApiKey(account),
            route=network.routes[account.base_url],
            observer=SelfMetrics(account.name),
            clock=SystemClock(),
        )
        fetcher = Fetcher(
            client,
            page_size=self.settings.poll.page_size,
            limits=ServerLimits(),
            narrowed=Query(sim_card_id=self.query.sim_card_id, bulk_id=self.query.bulk_id),
        )
        progress = _ProgressLine(account.name)
        try:
            if self.query.bulk_id is not None:
                await _check_bulk_filter(client)
            for list_filter in self._lists(scope):
                listed = LiveList(fetcher, list_filter)
                async for new, read, total in listed.pages():
                    rows = [self._row(account.name, each) for each in new]
                    passed = [
                        row
                        for row in rows
                        if scope.options.shows(row.status) and self.query.takes(row)
                    ]
                    if passed:
                        progress.clear()
                        yield passed
                    progress.show(read, total)
                if listed.incomplete:
                    self.incomplete.append(f"account {account.name!r}: {listed.incomplete}")
        finally:
            progress.clear()
            await close()

    def _lists(self, scope: AccountScope) -> Iterator[ListFilter]:
        """Yield the lists to read: as the ledger does, one for each type that an account has."""
        # Telnyx documents no filter on interrupted, nor on statuses that it does not document.
        filtered = {Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED}
        asked = Status(self.query.status) if self.query.status in filtered else None
        for action_type in scope.options.action_types or (self.query.action_type,):
            if self.query.action_type in {None, action_type}:
                yield ListFilter(action_type, asked)

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


class _ProgressLine:
    """How far an account is read, on the last line of a terminal; nothing elsewhere."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._shown = sys.stderr.isatty()

    def show(self, read: int, total: int | None) -> None:
        if self._shown:
            of = "" if total is None else f" of {total}"
            click.echo(f"\r\x1b[K{self._account}: {read}{of} actions read", err=True, nl=False)

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)


async def _check_bulk_filter(client: Client) -> None:
    """Raise PollError if Telnyx ignores the filter: it would list all actions as those of one."""
    try:
        page = await client.list(Query(size=1, bulk_id=_NO_BULK))
    except (BadRequestError, NotFoundError):
        return
    if page.length:
        raise InvalidResponseError(
            "Telnyx ignores the filter of --bulk-id, so which actions are of it is not known; "
            "leave out --live to list those that the ledger knows"
        )
