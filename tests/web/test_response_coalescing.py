import asyncio
import gzip
import threading

import pytest

from exporter.web.response_coalescing import Body, CoalescedResponses, packed


class Source:
    """Something to write, which counts how often it is taken."""

    def __init__(self) -> None:
        """Start at 0."""
        self.taken = 0
        self.value = 0
        self.broken = False

    def take(self) -> int:
        """Return the value as it is now."""
        self.taken += 1
        if self.broken:
            raise RuntimeError("broken")
        return self.value

    def write(self, value: int, form: str) -> Body:
        """Write a value that was taken."""
        return Body(f"{form} {value}".encode(), gzipped=False)


@pytest.fixture
def source() -> Source:
    """Give a source."""
    return Source()


@pytest.fixture
def responses(source: Source) -> CoalescedResponses[int, str]:
    """Give the responses of that source."""
    return CoalescedResponses(source.take, source.write)


async def test_flood_is_written_twice_at_most(
    responses: CoalescedResponses[int, str], source: Source
) -> None:
    """All who ask while the first response is written get the same one."""
    bodies = await asyncio.gather(*(responses.body("text") for _ in range(200)))
    assert {each.content for each in bodies} == {b"text 0"}
    assert source.taken == 2


async def test_who_asks_later_sees_what_is_newer(
    responses: CoalescedResponses[int, str], source: Source
) -> None:
    """A request that comes while one is written is not served with what that one saw."""
    first = asyncio.create_task(responses.body("text"))
    while not source.taken:
        await asyncio.wait({first}, timeout=0)
    source.value = 1
    second = asyncio.create_task(responses.body("text"))
    assert (await first).content == b"text 0"
    assert (await second).content == b"text 1"


async def test_forms_are_kept_apart(responses: CoalescedResponses[int, str]) -> None:
    """Each gets the form that it asked for."""
    text, openmetrics = await asyncio.gather(responses.body("text"), responses.body("openmetrics"))
    assert (text.content, openmetrics.content) == (b"text 0", b"openmetrics 0")


def test_only_large_bodies_are_compressed_for_those_who_accept_it() -> None:
    """Compressing a small one would cost more than it saves."""
    small, large = b"." * 1023, b"." * 1024
    assert packed(small, gzipped=True) == Body(small, gzipped=False)
    assert packed(large, gzipped=False) == Body(large, gzipped=False)
    body = packed(large, gzipped=True)
    assert body.gzipped
    assert gzip.decompress(body.content) == large


async def test_one_failure_is_not_the_next(
    responses: CoalescedResponses[int, str], source: Source
) -> None:
    """An error reaches all who waited for it, and nobody after them."""
    source.broken = True
    results = await asyncio.gather(
        *(responses.body("text") for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in results] == [RuntimeError] * 3
    source.broken = False
    assert (await responses.body("text")).content


async def test_a_thread_that_is_refused_is_one_failure(
    responses: CoalescedResponses[int, str],
) -> None:
    """Where the system starts none, those who wait are told, and the next request begins anew."""
    threading.stack_size(1 << 46)  # more than there are addresses
    try:
        with pytest.raises(RuntimeError, match="thread"):
            await responses.body("text")
    finally:
        threading.stack_size(0)
    assert (await asyncio.wait_for(responses.body("text"), 10)).content


async def test_who_goes_away_does_not_end_it_for_others(
    responses: CoalescedResponses[int, str], source: Source
) -> None:
    """A cancelled request leaves the exposition to the others who wait for it."""
    writing, first, second, gone = (
        asyncio.create_task(responses.body(form)) for form in ("text", "text", "text", "other")
    )
    await asyncio.wait({writing, first, second, gone}, timeout=0)
    for each in (writing, first, gone):
        each.cancel()
    assert (await second).content
    assert source.taken == 2, "nobody waits for the other form"
    assert (await responses.body("text")).content
