"""How names are looked up: one look-up at a time, kept for a while, and waited for by nobody."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

from exporter.clock import SystemClock
from exporter.errors import DeliveryError
from exporter.sinks.alertmanager.names import MOST, Names

HANGING = """
import asyncio, threading
from exporter.sinks.alertmanager.names import in_thread

async def main():
    waiting = asyncio.ensure_future(in_thread("hangs", threading.Event().wait))
    await asyncio.wait({waiting}, timeout=0.1)

asyncio.run(main())
"""


def test_a_thread_that_hangs_does_not_keep_the_program_alive() -> None:
    """It ends with the process."""
    subprocess.run([sys.executable, "-c", HANGING], check=True, timeout=30)  # noqa: S603 # ours


async def test_an_address_is_kept_while_it_is_fresh_and_tried_first_once_it_answered() -> None:
    """Addresses with a zone, which cannot be connected to, are left out."""
    asked: list[str] = []

    async def resolver(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return ["fe80::1%eth0", "127.0.0.1", "127.0.0.2"]

    names = Names(SystemClock(), resolver)
    assert await names.addresses("am", 1) == ("127.0.0.1", "127.0.0.2")
    names.prefer("am", 1, "127.0.0.2")
    assert await names.addresses("am", 1) == ("127.0.0.2", "127.0.0.1")
    assert await names.addresses("::1", 1) == ("::1",)
    assert asked == ["am"]


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
async def test_a_name_that_is_not_found_is_tried_again(error: Exception) -> None:
    """At the next request, not half a minute later."""
    answers: list[Exception | Sequence[str]] = [error, [], ["127.0.0.1"]]

    async def resolver(_: str, __: int) -> Sequence[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    names = Names(SystemClock(), resolver)
    with pytest.raises(DeliveryError, match="the look-up of am failed"):
        await names.addresses("am", 1)
    with pytest.raises(DeliveryError, match="has no address"):
        await names.addresses("am", 1)
    assert await names.addresses("am", 1) == ("127.0.0.1",)


async def test_the_number_of_names_is_bounded() -> None:
    """Redirects may lead to ever new ones; those that are known are forgotten, not those asked."""

    async def resolver(host: str, _: int) -> Sequence[str]:
        if host.startswith("slow"):
            await asyncio.Event().wait()
        return ["127.0.0.1"]

    names = Names(SystemClock(), resolver)
    for number in range(MOST + 1):
        assert await names.addresses(f"fast{number}", 1)
    slow = [asyncio.ensure_future(names.addresses(f"slow{each}", 1)) for each in range(MOST)]
    await asyncio.wait(slow, timeout=0)
    with pytest.raises(DeliveryError, match="too many look-ups"):
        await names.addresses("one-more", 1)
    for each in slow:
        each.cancel()
    names.close()
