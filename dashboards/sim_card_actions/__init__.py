"""The dashboard *SIM card actions*: what is wrong, where, since when and why.

It must not know how panels look or are placed.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import Section, dashboard, place
from dashboards.sim_card_actions import details, overview, problems

UID = "telnyx-sim-card-actions"


def build() -> Dashboard:
    """Build the dashboard."""
    board = dashboard(
        UID,
        "Telnyx: SIM card actions",
        "Asynchronous SIM card actions: what is wrong now, what changed, and why.",
        types=True,
    )
    return place(
        board,
        [
            Section(
                "",
                [
                    *overview.wrong_now(),
                    overview.changed(),
                    *overview.totals(),
                ],
            ),
            Section("Problems", problems.problems()),
            Section("How actions end", details.ends()),
            Section("In flight", details.in_flight()),
            Section("How long actions take", details.durations()),
            Section("Accounts", details.accounts()),
            Section("Bulk actions", details.bulks()),
        ],
    )
