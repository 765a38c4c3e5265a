"""Renders the status page: a snapshot in, HTML out.

It must not decide what a state means (`account_summary`). All text is autoescaped, because reasons
are foreign text.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.version import __version__
from exporter.web import formatting
from exporter.web.account_summary import AccountState, summarize

REFRESH_SECONDS = (5, 60)
"""The page reloads after one poll interval, within these bounds."""

RUNBOOKS = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/tree/main/docs/runbooks"
"""The runbooks of the alerts."""


@cache
def _templates() -> tuple[Template, str]:
    """Return the compiled template and the style; cached, because they are package files."""
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
    )
    return environment.get_template("page.html"), environment.get_template("page.css").render()


class Page:
    """The status page; its template and style are read once."""

    def __init__(self) -> None:
        """Load the template and the style from the package."""
        self._template, self.css = _templates()

    def render(self, snapshot: ExporterSnapshot) -> str:
        """Return the whole page; safe to call from any thread."""
        accounts = summarize(snapshot)
        shortest, longest = REFRESH_SECONDS
        waiting = any(account.state is AccountState.WAITING for account in accounts)
        refresh = shortest if waiting else min(max(int(snapshot.poll_interval), shortest), longest)
        return self._template.render(
            accounts=accounts,
            # Unescaped, because the header has the hash of exactly this style.
            css=Markup(self.css),  # noqa: S704 # from the package, not from outside
            links=(("Runbooks", RUNBOOKS), *snapshot.external_links),
            now=snapshot.now,
            poll_interval=snapshot.poll_interval,
            refresh=refresh,
            reload_successful=snapshot.reload_successful,
            version=__version__,
        )
