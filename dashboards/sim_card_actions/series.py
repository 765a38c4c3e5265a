"""The series of SIM card actions, and expressions that several panels use."""

from collections.abc import Callable

from dashboards.queries import Histogram, histogram, of_account, of_action, ratio

LISTED = of_action("telnyx_sim_card_actions")
IN_FLIGHT = of_action("telnyx_sim_card_actions", 'status="in-progress"')
OLDEST = of_action("telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds")
STUCK = of_action("telnyx_sim_card_actions_stuck")
CREATED = of_action("telnyx_sim_card_actions_created_total")
COMPLETED = of_action("telnyx_sim_card_actions_completed_total")
FAILED = of_action("telnyx_sim_card_actions_failed_total")
INTERRUPTED = of_action("telnyx_sim_card_actions_interrupted_total")
ENDS = {"completed": COMPLETED, "failed": FAILED, "interrupted": INTERRUPTED}
DURATION = "telnyx_sim_card_action_duration_seconds"
ENDED = histogram(of_action, DURATION, shared=True)
ENDED_COMPLETED = histogram(of_action, DURATION, 'status="completed"', shared=True)
ENDED_FAILED = histogram(of_action, DURATION, 'status="failed"', shared=True)
PROBLEMS = of_account("telnyx_sim_card_problems")
OLDEST_PROBLEM = of_account("telnyx_sim_card_problems_oldest_timestamp_seconds")
OPENED = of_account("telnyx_sim_card_problems_opened_total")
CLOSED = of_account("telnyx_sim_card_problems_closed_total")
MENDED = of_account("telnyx_sim_card_problems_closed_total", 'outcome="mended"')
MEND = histogram(of_account, "telnyx_sim_card_problem_mend_seconds", shared=True)
SIM_CARDS_KNOWN = of_account("telnyx_exporter_sim_cards_known")
BULKS = of_action("telnyx_bulk_sim_card_actions", 'status="in-progress"')
BULKS_ENDED = of_action("telnyx_bulk_sim_card_actions", 'status="ended"')
BULK_MEMBERS = of_action("telnyx_bulk_sim_card_action_members")
BULK_MEMBERS_ENDED = of_action(
    "telnyx_bulk_sim_card_action_members", 'status=~"completed|failed|interrupted"'
)
BULKS_WORST = of_action("telnyx_bulk_sim_card_actions_worst_failure_ratio")
BULKS_STALLED = of_action("telnyx_bulk_sim_card_actions_stalled")
UP = of_account("telnyx_up")

WHERE = ("account", "action_type")


def failure_ratio(count: Callable[[Histogram, *tuple[str, ...]], str], *by: str) -> str:
    """Divide failed by ended actions; ``count`` counts the observations by labels.

    Both come from one histogram instead of three counters: a sum of counters would be empty if a
    filter on statuses excludes one of them.
    """
    return ratio(count(ENDED_FAILED, *by), count(ENDED, *by))
