from collections.abc import Awaitable, Callable
from typing import Any

HOURS = 6 * 3600.0


async def test_after_hours_without_it_counters_go_on_and_each_failure_is_told_once(
    open_api: Callable[..., Awaitable[Any]], export: Callable[..., Awaitable[Any]]
) -> None:
    """What failed before, during and after the hours counts and is told once, and nothing dips."""
    api = await open_api(ahead=-HOURS)
    first = await export({"default": api.url}, ahead=-HOURS)
    await first.until(lambda seen: seen.up == 1)
    api.happen(400, failed=300)
    await first.until(lambda seen: seen.failed == 300)
    await first.stop()
    api.happen(50, failed=20)
    api.ahead = -HOURS / 2
    api.happen(700, failed=600)
    api.ahead = 0.0
    api.happen(10, failed=4)

    second = await export({"default": api.url})
    seen = await second.look()
    assert (seen.failed, seen.created) in {(300, 400), (924, 1160)}
    seen = await second.until(lambda seen: seen.failed != 300 and seen.up == 1)
    assert (seen.failed, seen.created) == (924, 1160)
    await second.until_polled(times=2)
    assert (await second.look()).failed == 924
    logged = [event["action_id"] for event in first.events("sim_card_action_failed")]
    told = [*logged, *await second.failures(924 - len(logged))]
    assert len(told) == len(set(told)) == 924
