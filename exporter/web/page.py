"""Renders the pages: values in, HTML out.

It must not decide what a state means (`account_summary`). All text is autoescaped, because reasons
are foreign text.
"""

from collections.abc import Sequence
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.ledger.queries import ReasonCount
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.sanitize import excerpt
from exporter.version import __version__
from exporter.web import formatting
from exporter.web.account_query import AccountQuery
from exporter.web.account_summary import (
    PROBLEMS_SHOWN,
    AccountState,
    summarize,
    trouble_in,
)
from exporter.web.addresses import sim_card_page

REFRESH_SECONDS = (5, 60)
"""On request, the page reloads after one poll interval, within these bounds."""

FEW = 3
"""With as many accounts at most, the status page has the details of each."""

RUNBOOKS = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/tree/main/docs/runbooks"
"""The runbooks of the alerts."""

SHOWN_CHARACTERS = 500
"""How much of a reason is shown, or of another foreign text."""

_NAMED = 10
"""Accounts that are named at the top of the status page."""


@cache
def _environment() -> Environment:
    """Return the templates of the package; they are compiled once."""
    environment = Environment(
        loader=PackageLoader("exporter.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=formatting.duration,
        utc=formatting.utc,
        iso=formatting.iso,
        number=formatting.number,
        short=partial(excerpt, most=SHOWN_CHARACTERS),
        sim_card_page=sim_card_page,
    )
    return environment


class PageRenderer:
    """Renders the pages; their style is read once."""

    def __init__(self) -> None:
        """Load the style from the package."""
        self.css = _environment().get_template("page.css").render()

    def render(
        self,
        snapshot: ExporterSnapshot,
        reasons: Sequence[ReasonCount] | None = None,
        reasons_missing: str = "the state was not read",
        asked: AccountQuery = AccountQuery(),  # noqa: B008 # a value
    ) -> str:
        """Return the whole status page, or that of one account; safe to call from any thread.

        ``reasons`` are those of the failures of the last day; None, and the cause, without.
        """
        accounts = summarize(snapshot, reasons)
        shortest, longest = REFRESH_SECONDS
        moving = any(
            each.polling is AccountState.WAITING or each.health.progress for each in accounts
        )
        refresh = shortest if moving else min(max(int(snapshot.poll_interval), shortest), longest)
        return self.render_part(
            "account.html" if asked.account else "page.html",
            accounts=[each for each in accounts if asked.takes(each)],
            asked=asked,
            configured=len(accounts),
            detailed=len(accounts) <= FEW,
            links=(("Runbooks", RUNBOOKS), *snapshot.external_links),
            named=_NAMED,
            now=snapshot.now,
            reasons=reasons,
            reasons_missing=reasons_missing,
            refresh=refresh,
            reload_successful=snapshot.reload_successful,
            root="",
            shown=PROBLEMS_SHOWN,
            snapshot=snapshot,
            states=tuple(AccountState),
            trouble=trouble_in(accounts),
        )

    def render_part(self, template: str, **values: object) -> str:
        """Return the page of a template of the package; safe to call from any thread."""
        return (
            _environment()
            .get_template(template)
            .render(
                # Unescaped, because the header has the hash of exactly this style.
                css=Markup(self.css),  # noqa: S704 # from the package, not from outside
                version=__version__,
                **values,
            )
        )
