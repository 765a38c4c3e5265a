"""What the meta of a list says: its totals, which may be wrong on purpose, and the page.

The draws follow from the seed and the number of the answer. It must not know what is listed.
"""

from exporter.simulator.chance import Chance
from exporter.simulator.faults import Faults

_HALF = 0.5


class Totals:
    """Tells the totals of one account."""

    def __init__(self, seed: int) -> None:
        """Draw repeatably by ``seed``."""
        self._chance = Chance(seed, "totals")
        self._drawn = 0
        self._faults: Faults | None = None
        self._since = 0.0

    def meta(
        self, faults: Faults, total: int, number: int, size: int, now: float
    ) -> dict[str, int] | None:
        """Return the meta of page ``number``, of ``size``, at ``now`` (seconds); None for none."""
        if faults is not self._faults:
            self._faults, self._since = faults, now
        self._drawn += 1
        no_meta, missing, zero, jump, side, width, *_ = self._chance.rolls(self._drawn)
        if no_meta < faults.meta_missing:
            return None
        page = {"page_number": number, "page_size": size}
        if missing < faults.totals_missing:
            return page
        if not faults.totals_short_for or now < self._since + faults.totals_short_for:
            total = max(0, total - faults.totals_short)
        if jump < faults.totals_jump:
            total = _jumped(total, faults.totals_jump_by, side, width)
        if faults.totals_cap:
            total = min(total, faults.totals_cap)
        if zero < faults.totals_zero:
            total = 0
        return {"total_pages": -(-total // size), "total_results": total, **page}


def _jumped(total: int, most: int, side: float, width: float) -> int:
    """Return a total that is wrong by 1 to ``most``, as two rolls say; never below 0."""
    below = min(most, total)
    if below and side < _HALF:
        return total - 1 - int(width * below)
    return total + 1 + int(width * most)
