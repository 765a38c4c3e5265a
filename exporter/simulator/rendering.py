"""Turns what the world knows into the JSON shapes of the API, odd ones included.

Which actions are listed in an odd or malformed shape follows from their ids, so a page that
is read twice looks the same. It must not decide what is listed.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from exporter.ledger.view import Status
from exporter.simulator.action import Action, Bulk
from exporter.simulator.chance import Chance
from exporter.simulator.faults import Faults
from exporter.simulator.ids import Ids, Kind

_HALF = 0.5
_BULK_TYPES = {
    "set_public_ip": "bulk_set_public_ips",
    "enable_voice": "bulk_enable_voice",
    "disable_voice": "bulk_disable_voice",
}


class Rendering:
    """Renders the things of one account."""

    def __init__(self, ids: Ids, seed: int) -> None:
        """Name things by ``ids``; ``seed`` picks which actions look odd."""
        self._ids = ids
        self._odd = Chance(seed, "shapes")

    def action(self, action: Action, faults: Faults) -> dict[str, object]:
        """Return an action, in an odd shape if ``faults`` says so."""
        shape: dict[str, object] = {
            "id": action.id,
            "record_type": "sim_card_action",
            "sim_card_id": action.sim_card_id,
            "action_type": action.action_type,
            "status": {"value": action.status.value, "reason": action.reason},
            "settings": None,
            "created_at": timestamp(action.created_ms),
            "updated_at": timestamp(action.updated_ms),
        }
        if faults.odd_status or faults.malformed:
            odd, bare, malformed, *_ = self._odd.rolls(int(action.id[:8], 16))
            if odd < faults.odd_status:
                value = action.status.value
                shape["status"] = value if bare < _HALF else {"value": value, "reason": None}
            if malformed < faults.malformed:
                del shape["id"]
        return shape

    def bulk(self, bulk: Bulk, actions: Sequence[Action]) -> dict[str, object]:
        """Return a bulk with the summary of its ``actions``."""
        counts = Counter(each.status for each in actions)
        return {
            "id": self._ids.make(Kind.BULK, bulk.number),
            "record_type": "bulk_sim_card_action",
            "action_type": bulk_type(bulk.action_type),
            "settings": {},
            "created_at": timestamp(bulk.created_ms),
            "updated_at": timestamp(max((a.updated_ms for a in actions), default=bulk.created_ms)),
            "sim_card_actions_summary": [
                {"status": status.value, "count": counts[status]} for status in Status
            ],
        }

    def sim_card(self, number: int) -> dict[str, object]:
        """Return the SIM card with this ``number``, in a small form."""
        return {
            "id": self._ids.make(Kind.SIM_CARD, number),
            "record_type": "sim_card",
            "iccid": f"8999{number:015d}",
            "status": {"value": "enabled", "reason": None},
            "type": "physical",
            "tags": [],
        }


def bulk_type(action_type: str) -> str:
    """Return what the API calls a bulk of actions of this type."""
    return _BULK_TYPES.get(action_type, f"bulk_{action_type}")


@lru_cache(maxsize=1024)  # the thousands of a bulk share a moment
def timestamp(at_ms: int) -> str:
    """Return an instant, in milliseconds since the epoch, as the API writes it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
