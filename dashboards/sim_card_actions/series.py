"""The series of SIM card actions, and the sums of them that several panels show."""

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
UP = of_account("telnyx_up")
LAST_SUCCESS = of_account("telnyx_exporter_last_success_timestamp_seconds")

WHERE = ("account", "action_type")


def failure_ratio(count: Callable[[Histogram, *tuple[str, ...]], str], *by: str) -> str:
    """Divide the failed ones by all that ended, as ``count`` counts the observations by labels.

    Both are of one histogram, so that it is a share; and not of three counters, as where a
    filter on statuses leaves one of them out, there is no sum.
    """
    return ratio(count(ENDED_FAILED, *by), count(ENDED, *by))
