"""Renders the account's objects in the JSON formats of the API, odd ones included.

Which actions are rendered odd or malformed follows from their ids, so a page that is read
twice looks the same. It must not decide what is listed.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from exporter.domain import Status
from exporter.simulator.actions import SimulatedAction, SimulatedBulk
from exporter.simulator.faults import FaultSettings
from exporter.simulator.ids import IdCodec, IdType
from exporter.simulator.random_source import RandomSource

_HALF = 0.5
_BULK_TYPES = {
    "set_public_ip": "bulk_set_public_ips",
    "enable_voice": "bulk_enable_voice",
    "disable_voice": "bulk_disable_voice",
}


class ApiRenderer:
    """Renders the objects of one account."""

    def __init__(self, ids: IdCodec, seed: int) -> None:
        """Encode ids by ``ids``; ``seed`` selects the actions that look odd."""
        self._ids = ids
        self._random = RandomSource(seed, "shapes")

    def action(self, action: SimulatedAction, faults: FaultSettings) -> dict[str, object]:
        """Return an action, odd or malformed as often as ``faults`` says."""
        rendered: dict[str, object] = {
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
            odd, bare, malformed, *_ = self._random.uniforms(int(action.id[:8], 16))
            if odd < faults.odd_status:
                value = action.status.value
                rendered["status"] = value if bare < _HALF else {"value": value, "reason": None}
            if malformed < faults.malformed:
                del rendered["id"]
        return rendered

    def bulk(self, bulk: SimulatedBulk, actions: Sequence[SimulatedAction]) -> dict[str, object]:
        """Return a bulk action with the summary of its ``actions``."""
        counts = Counter(each.status for each in actions)
        return {
            "id": self._ids.encode(IdType.BULK, bulk.number),
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
        """Return the SIM card with this ``number``, with a few of its fields."""
        return {
            "id": self._ids.encode(IdType.SIM_CARD, number),
            "record_type": "sim_card",
            "iccid": f"8999{number:015d}",
            "status": {"value": "enabled", "reason": None},
            "type": "physical",
            "tags": [],
        }


def bulk_type(action_type: str) -> str:
    """Return the API's type of a bulk action whose actions have this type."""
    return _BULK_TYPES.get(action_type, f"bulk_{action_type}")


@lru_cache(maxsize=1024)  # the thousands of a bulk share a moment
def timestamp(at_ms: int) -> str:
    """Return an instant, in milliseconds since the epoch, as the API writes it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
