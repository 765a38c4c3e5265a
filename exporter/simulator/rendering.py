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
from exporter.simulator.sim_cards import GROUPS, SimulatedSimCard

_HALF = 0.5
_SIM_CARDS_SINCE_MS = 1_500_000_000_000
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
        if faults.odd_status or faults.malformed or faults.unknown_status or faults.odd_times:
            odd, bare, malformed, unknown, times, missing, *_ = self._random.uniforms(
                int(action.id[:8], 16)
            )
            if times < faults.odd_times:
                created = str(rendered["created_at"]).replace("T", " at ")
                rendered["created_at"] = None if missing < _HALF else created
            if unknown < faults.unknown_status:
                rendered["status"] = {"value": "parked", "reason": None}
            if odd < faults.odd_status:
                value = action.status.value
                rendered["status"] = value if bare < _HALF else {"value": value, "reason": None}
            if malformed < faults.malformed:
                del rendered["id"]
        return rendered

    def bulk(
        self, bulk: SimulatedBulk, actions: Sequence[SimulatedAction], *, with_summary: bool
    ) -> dict[str, object]:
        """Return a bulk action, with the summary of its ``actions`` or without."""
        rendered: dict[str, object] = {
            "id": self._ids.encode(IdType.BULK, bulk.number),
            "record_type": "bulk_sim_card_action",
            "action_type": bulk_type(bulk.action_type),
            "settings": {},
            "created_at": timestamp(bulk.created_ms),
            "updated_at": timestamp(max((a.updated_ms for a in actions), default=bulk.created_ms)),
        }
        if with_summary:
            counts = Counter(each.status for each in actions)
            rendered["sim_card_actions_summary"] = [
                {"status": status.value, "count": counts[status]} for status in Status
            ]
        return rendered

    def sim_card(
        self,
        card: SimulatedSimCard,
        status: str,
        *,
        with_group: bool,
        with_codes: bool = False,
    ) -> dict[str, object]:
        """Return a SIM card, with its group and its PIN and PUK codes where they are asked for.

        Personal fields are there in any case, as the API sends them.
        """
        digits = card.digits
        group_id = None if card.group_number is None else self._group_id(card.group_number)
        rendered: dict[str, object] = {
            "id": card.id,
            "record_type": "sim_card",
            "iccid": card.iccid,
            "imsi": f"00101{digits[:10]}",
            "msisdn": f"+1555{digits[10:17]}",
            "eid": f"8904{digits[17:45]}" if card.esim else None,
            "status": {"value": status, "reason": f"The SIM card is {status.replace('_', ' ')}."},
            "actions_in_progress": status.startswith(("enabling", "disabling", "setting_")),
            "type": "esim" if card.esim else "physical",
            "sim_card_group_id": group_id,
            "tags": list(card.tags),
            "authorized_imeis": [f"35{digits[45:58]}"],
            "current_imei": f"35{digits[58:71]}",
            "current_mcc": "001",
            "current_mnc": "01",
            "current_device_location": {
                "latitude": f"{int(digits[71:73]) % 60}.{digits[73:79]}",
                "longitude": f"-{int(digits[79:81])}.{digits[81:87]}",
                "accuracy": 50,
                "accuracy_unit": "m",
            },
            "ipv4": f"10.{int(digits[87:90]) % 256}.{int(digits[90:93]) % 256}.7",
            "ipv6": f"2001:db8::{digits[93:97]}",
            "voice_enabled": False,
            "created_at": timestamp(_SIM_CARDS_SINCE_MS),
            "updated_at": timestamp(_SIM_CARDS_SINCE_MS),
        }
        if with_group and card.group_number is not None:
            rendered["sim_card_group"] = self.group(card.group_number)
        if with_codes:
            rendered["pin_puk_codes"] = {
                "pin1": digits[97:101],
                "puk1": digits[101:109],
                "pin2": digits[109:113],
                "puk2": digits[113:121],
            }
        return rendered

    def group(self, number: int, sim_card_count: int | None = None) -> dict[str, object]:
        """Return a SIM card group; lists of groups say how many SIM cards it has."""
        rendered: dict[str, object] = {
            "id": self._group_id(number),
            "record_type": "sim_card_group",
            "name": GROUPS[number],
            "default": number == 0,
            "data_limit": None,
            "consumed_data": {"amount": "0.0", "unit": "MB"},
            "created_at": timestamp(_SIM_CARDS_SINCE_MS),
            "updated_at": timestamp(_SIM_CARDS_SINCE_MS),
        }
        return rendered if sim_card_count is None else rendered | {"sim_card_count": sim_card_count}

    def _group_id(self, number: int) -> str:
        return self._ids.encode(IdType.SIM_CARD_GROUP, number)


def bulk_type(action_type: str) -> str:
    """Return the API's type of a bulk action whose actions have this type."""
    return _BULK_TYPES.get(action_type, f"bulk_{action_type}")


@lru_cache(maxsize=1024)  # the thousands of a bulk share a moment
def timestamp(at_ms: int) -> str:
    """Return an instant, in milliseconds since the epoch, as the API writes it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
