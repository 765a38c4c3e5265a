"""The dashboard *Exporter health*: whether the data can be trusted, and what it costs.

It must not know how panels look or are placed. Replicas are not aggregated here, where they differ:
this dashboard shows each of them.
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
        "Health of the exporter itself: polls, API requests, completeness and delay of its data.",
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
            Section("Detection delay", details.lag()),
            Section("Ledger and API totals", details.ledger()),
            Section("Alerts pushed", details.alerts()),
            Section("Process", details.process()),
            Section("Replicas", details.replicas()),
        ],
    )
