"""The reasons that simulated actions give for a failure or an interruption.

Worded as a carrier's back end might word them; none is Telnyx's, which publishes no catalogue.
"""

from exporter.domain import Status

_FAILURES = (
    "The SIM card has used up its data limit and cannot be activated.",
    "Data limit exceeded: raise the limit of the SIM card or of its group.",
    "The account has insufficient funds to reserve a public IP address.",
    "Insufficient balance. Top up the account and try again.",
    "The SIM card does not belong to a SIM card group.",
    "No SIM card group is assigned; a group is required before the SIM card can be enabled.",
    "No public IP address is available in the requested region.",
    "All public IPs of the pool are in use.",
    "The SIM card is blocked by the operator.",
    "The SIM card was abolished and cannot change its state any more.",
    "Unauthorized IMEI: the SIM card is locked to another device.",
    "Another action is already in process for this SIM card.",
    "The carrier did not answer in time.",
    "Timeout while the home network was provisioning the subscription.",
    "The home location register refused the update (error 5004).",
    "The operator's network is temporarily unreachable.",
    "The voice profile is not available for this type of SIM card.",
    "The SIM card is not registered yet.",
    "Internal error while processing the action. Please contact support.",
    "Unexpected error, reference 7f3c-22.",
)

_INTERRUPTIONS = (
    "The action was cancelled by a user.",
    "Cancelled: the SIM card was removed from its group.",
    "Superseded by a newer action on the same SIM card.",
    "A disable request overtook this action.",
    "The data limit was reached while the action was in process.",
    "Interrupted because another action on this SIM card takes precedence.",
    "The SIM card was blocked while the action was in process.",
    "The IMEI lock was triggered before the action could finish.",
    "The connection to the carrier was lost; the action will be taken up again.",
    "Network timeout while waiting for the carrier's confirmation.",
    "The account ran out of funds before the public IP was bound.",
    "No free public IP was left when the action's turn came.",
    "Maintenance at the carrier: provisioning is suspended.",
    "The worker that processed the action was restarted.",
    "The bulk request was stopped before this SIM card's turn.",
    "The SIM card lost its group assignment during the action.",
    "The carrier asked to slow down; the action is parked.",
    "The SIM card changed its state by itself during the action.",
    "The SIM card's subscription expired during the action.",
    "Internal error: the action was put aside.",
)


def choose_reason(status: Status, uniform: float) -> str | None:
    """Return the reason that ``uniform`` (0 to 1) selects; None for a status that needs none."""
    reasons = {Status.FAILED: _FAILURES, Status.INTERRUPTED: _INTERRUPTIONS}.get(status)
    return reasons[int(uniform * len(reasons))] if reasons else None
