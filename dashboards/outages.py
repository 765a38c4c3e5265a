"""Whether exporters are down or accounts not polled, however long they have been.

Both dashboards begin with it. It must not depend on the rules.
"""

from dashboards.board import PAGE
from dashboards.panels import BAD, GOOD, WARN, Head, Panel, Scale, figure
from dashboards.queries import (
    RECENT,
    REMEMBERED,
    added,
    age,
    gone,
    highest,
    merged,
    of_account,
    of_exporter,
    own,
)

_TARGETS = of_exporter("up")
_UP = of_account("telnyx_up")
_SUCCESS = of_account("telnyx_exporter_last_success_timestamp_seconds")

# Each target that is down. Without any, those that were replaced by others count as one, also if
# the target that should replace them was never up.
EXPORTERS_DOWN = (
    f"{own(_TARGETS)} == bool 0 or {merged(own(gone(_TARGETS)))} >= bool 0 "
    f"unless {merged(own(_TARGETS))}"
)
"""By exporter: 1 if it is down or is no longer a target."""

NOT_POLLED = f"({merged(_UP)} == bool 0 or {merged(gone(_UP))} >= bool 0)"
"""By account: 1 if its last poll failed or no exporter has it, otherwise 0."""

# The timestamp is 0 until the first successful poll of a process.
_BEFORE = f"max_over_time({_SUCCESS}[{REMEMBERED}])"
LATEST_POLL = merged(f"max_over_time({_SUCCESS}[{RECENT}]) > 0 or {_BEFORE}")
"""By account, also one that was removed: the time of the last successful poll by any process."""


def outages() -> list[Panel]:
    """Build the figures; their thresholds are those of the alerts."""
    return [
        figure(
            Head(
                "Exporters down",
                "Exporters that Prometheus cannot scrape, or that are no longer its targets.",
                "short",
            ),
            added(EXPORTERS_DOWN),
            Scale(GOOD, [(1, BAD)]),
            nothing="none known",
        ),
        figure(
            Head(
                "Accounts not polled",
                "Accounts whose last poll failed or whose exporter is down. Their other values are "
                "the last known ones.",
                "short",
            ),
            added(NOT_POLLED),
            Scale(GOOD, [(1, WARN)]),
            nothing="none known",
            link=f"{PAGE}/",
        ),
        figure(
            Head("Last poll", "Longest time since a successful poll of any account.", "s"),
            highest(age(f"({LATEST_POLL} and {NOT_POLLED})")),
            Scale(GOOD, [(900, WARN), (1800, BAD)]),
            nothing="none yet",
        ),
    ]
