import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from exporter.errors import Cause, RateLimitedError
from exporter.telnyx.rate_limit_gate import (
    LONGEST_EXHAUSTED,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    RateLimitGate,
)

Desk = Callable[..., Any]


async def test_an_open_window_holds_nobody_back(desk: Desk) -> None:
    """Before anything is known of a limit, there is nothing to wait for."""
    clock = desk().clock
    await RateLimitGate(clock).wait()
    assert clock.waits == []


async def test_a_closed_window_is_waited_for(desk: Desk) -> None:
    """A wait ends when the window opens, for all who wait."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    gate.close_for(12.0)
    await asyncio.gather(gate.wait(), gate.wait())
    assert clock.monotonic() == pytest.approx(12.0)


async def test_a_shorter_wait_does_not_open_it_sooner(desk: Desk) -> None:
    """Of two answers that close it, the longer wait holds."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    gate.close_for(12.0)
    gate.close_for(1.0)
    await gate.wait()
    assert clock.monotonic() == pytest.approx(12.0)


async def test_who_waits_goes_on_waiting_where_it_is_closed_for_longer(desk: Desk) -> None:
    """What another request learns meanwhile counts for those that wait already."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    gate.close_for(5.0)
    asyncio.get_running_loop().call_later(4.0, gate.close_for, 5.0)
    await gate.wait()
    assert clock.monotonic() == pytest.approx(9.0)


async def test_a_wait_past_the_cap_ends_the_poll(desk: Desk) -> None:
    """Nobody waits longer than the cap: the error says how long the next poll has to."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    gate.close_for(LONGEST_WAIT + 1)
    with pytest.raises(RateLimitedError, match="requires a wait of 31 s") as caught:
        await gate.wait()
    assert caught.value.retry_after == pytest.approx(LONGEST_WAIT + 1)
    assert caught.value.cause is Cause.RATE_LIMITED
    assert clock.waits == []


@pytest.mark.parametrize("began", [0.0, 0.1, 12_345.678])
async def test_a_limit_that_is_said_to_be_spent_ends_no_poll(desk: Desk, began: float) -> None:
    """A good answer is no refusal: for an absurd reset in it a request waits, and goes out."""
    clock = desk().clock
    await asyncio.sleep(began)
    began = clock.monotonic()
    gate = RateLimitGate(clock)
    gate.exhaust_for(1e12)
    await gate.wait()
    assert clock.monotonic() - began == pytest.approx(LONGEST_EXHAUSTED)


async def test_who_waits_goes_on_where_it_is_tried_again(desk: Desk) -> None:
    """A request that waits goes out at once; one that was refused meanwhile waits for that."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    for refused, expected in ((0.0, 5.0), (9.0, 14.0)):
        gate.exhaust_for(20.0)
        gate.close_for(refused)
        asyncio.get_running_loop().call_later(5.0, gate.reopen)
        await gate.wait()
        assert clock.monotonic() == pytest.approx(expected)


async def test_what_is_said_to_be_spent_can_be_tried_again(desk: Desk) -> None:
    """It opens at once, and once."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    assert not gate.reopen()
    gate.exhaust_for(50.0)
    assert gate.reopen()
    assert not gate.reopen()
    await gate.wait()
    assert clock.waits == []


async def test_a_refusal_is_kept_to(desk: Desk) -> None:
    """Whoever asks again does not open what the API has closed."""
    clock = desk().clock
    gate = RateLimitGate(clock)
    gate.exhaust_for(20.0)
    gate.close_for(12.0)
    assert not gate.reopen()
    await gate.wait()
    assert clock.monotonic() == pytest.approx(12.0)


async def test_no_header_puts_off_the_next_poll_for_ever(desk: Desk) -> None:
    """A pause of years is cut to an hour."""
    gate = RateLimitGate(desk().clock)
    gate.close_for(1e12)
    with pytest.raises(RateLimitedError) as caught:
        await gate.wait()
    assert caught.value.retry_after == pytest.approx(LONGEST_PAUSE)
