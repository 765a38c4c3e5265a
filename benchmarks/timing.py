"""Timing things beside each other, in turn, and letting things happen at random moments.

What is slow on a busy machine is then slow for all of them. It must not know what it times.
"""

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of the clock on the wall, and of this process' CPU, its threads included."""

    wall: float
    cpu: float


async def in_turn(
    contenders: Mapping[str, Callable[[], Awaitable[object]]], *, rounds: int
) -> dict[str, Spent]:
    """Run each contender once a round; returns the median of what each spent.

    The order is turned round every other round. A round before all is not counted.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        names = list(contenders)[:: -1 if number % 2 else 1]
        for name in names:
            wall, cpu = time.perf_counter(), time.process_time()
            await contenders[name]()
            if number:
                spent[name].append(Spent(time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Spent(median(each.wall for each in all_), median(each.cpu for each in all_))
        for name, all_ in spent.items()
    }


def random_moments(count: int, window: float) -> Iterator[int]:
    """Yield 0, 1 and so on, each at a random moment of its share of ``window`` seconds."""
    began = time.monotonic()
    for number in range(count):
        due = began + window * (number + random.random()) / count  # noqa: S311 # guards nothing
        time.sleep(max(0.0, due - time.monotonic()))
        yield number
