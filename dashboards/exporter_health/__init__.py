"""The dashboard *Exporter health*: whether the figures can be trusted, and what they cost.

It must not know how panels look or are placed. Replicas are not taken together here, where
each of them is looked at.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import Line, Section, dashboard, place
from dashboards.exporter_health import details, overview

UID = "telnyx-sim-exporter-health"


def build() -> Dashboard:
    """Build the dashboard."""
    board = dashboard(
        UID,
        "Telnyx: SIM exporter health",
        "How the exporter itself fares: polls, requests, what it misses, how late it is.",
        types=False,
    )
    return place(
        board,
        [
            Section(
                "", [Line(4, [(3, panel) for panel in overview.figures()]), overview.since_when()]
            ),
            Section("Polls", details.polls()),
            Section("Requests to Telnyx", details.requests()),
            Section("How late the end of an action is seen", details.lag()),
            Section("What is known against what Telnyx lists", details.ledger()),
            Section("Process", details.process()),
        ],
    )
