"""Write the page for people: a snapshot in, HTML out.

It must not decide what a state means (that is `account_summary`). All text goes through
autoescaping, as reasons are foreign.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.version import __version__
from exporter.web import formatting
from exporter.web.account_summary import AccountState, summarize

REFRESH_SECONDS = (5, 60)
"""The page loads itself again after one poll interval, within these bounds."""

RUNBOOKS = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/tree/main/docs/runbooks"
"""Where it says what to do about each alert."""


@cache
def _templates() -> tuple[Template, str]:
    """Give the compiled template and the style: files of the package, so once is enough."""
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
    """The page; its template and style are read once."""

    def __init__(self) -> None:
        """Take the template and the style from the package."""
        self._template, self.css = _templates()

    def render(self, snapshot: ExporterSnapshot) -> str:
        """Return the whole page; safe to call from any thread."""
        accounts = summarize(snapshot)
        shortest, longest = REFRESH_SECONDS
        waiting = any(account.state is AccountState.WAITING for account in accounts)
        refresh = shortest if waiting else min(max(int(snapshot.poll_interval), shortest), longest)
        return self._template.render(
            accounts=accounts,
            # The style is ours and has to arrive as its hash in the headers was taken.
            css=Markup(self.css),  # noqa: S704 # from the package, not from outside
            links=(("Runbooks", RUNBOOKS), *snapshot.external_links),
            now=snapshot.now,
            poll_interval=snapshot.poll_interval,
            refresh=refresh,
            reload_successful=snapshot.reload_successful,
            version=__version__,
        )
