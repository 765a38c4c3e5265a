"""Write the page for people: a snapshot in, HTML out.

It must not decide what a state means (that is `cards`). All text goes through autoescaping,
as reasons are foreign.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.version import __version__
from exporter.web import wording
from exporter.web.cards import State, arrange

REFRESH_SECONDS = (5, 60)
"""The page loads itself again after one poll interval, within these bounds."""

RUNBOOKS = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/tree/main/docs/runbooks"
"""Where it says what to do about each alert."""


class Page:
    """The page; its template and style are read once."""

    def __init__(self) -> None:
        """Load the template and the style from the package."""
        environment = Environment(
            loader=PackageLoader("exporter.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            span=wording.span, utc=wording.utc, iso=wording.iso, number=wording.number
        )
        self._template = environment.get_template("page.html")
        self.css = environment.get_template("page.css").render()

    def render(self, snapshot: ExporterSnapshot) -> str:
        """Return the whole page; safe to call from any thread."""
        cards = arrange(snapshot)
        shortest, longest = REFRESH_SECONDS
        waiting = any(card.state is State.WAITING for card in cards)
        refresh = shortest if waiting else min(max(int(snapshot.poll_interval), shortest), longest)
        return self._template.render(
            cards=cards,
            # The style is ours and has to arrive as its hash in the headers was taken.
            css=Markup(self.css),  # noqa: S704 # from the package, not from outside
            links=(("Runbooks", RUNBOOKS), *snapshot.external_links),
            now=snapshot.now,
            poll_interval=snapshot.poll_interval,
            refresh=refresh,
            reload_successful=snapshot.reload_successful,
            version=__version__,
        )
