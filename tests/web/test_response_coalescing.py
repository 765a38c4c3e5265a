import asyncio
import gzip
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily

from exporter.metrics.exposition import Format, render
from exporter.web.response_coalescing import CoalescedResponses


class Source:
    """Something to collect, which counts how often it is."""

    def __init__(self) -> None:
        """Start at 0."""
        self.collected = 0
        self.value = 0.0
        self.broken = False
        self.text = "g"

    def collect(self) -> Iterator[Metric]:
        """Give one gauge."""
        self.collected += 1
        if self.broken:
            raise RuntimeError("broken")
        yield GaugeMetricFamily("g", self.text, value=self.value)


@pytest.fixture
def source() -> Source:
    """Give a source."""
    return Source()


@pytest.fixture
def responses(source: Source) -> CoalescedResponses[list[Metric], Format]:
    """Give the responses of a registry of that source."""
    registry = CollectorRegistry()
    registry.register(source)
    source.collected = 0
    return CoalescedResponses(lambda: list(registry.collect()), render)


async def test_flood_is_written_once(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """Those who ask at the same time get the same exposition."""
    bodies = await asyncio.gather(*(responses.body(Format.TEXT, gzipped=False) for _ in range(200)))
    assert {each.content for each in bodies} == {b"# HELP g g\n# TYPE g gauge\ng 0.0\n"}
    assert source.collected == 1


async def test_who_asks_later_sees_what_is_newer(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """A request that comes while one is written is not served with what that one saw."""
    first = asyncio.create_task(responses.body(Format.TEXT, gzipped=False))
    while not source.collected:
        await asyncio.wait({first}, timeout=0)
    source.value = 1.0
    second = asyncio.create_task(responses.body(Format.TEXT, gzipped=False))
    assert b"g 0.0" in (await first).content
    assert b"g 1.0" in (await second).content


async def test_formats_are_kept_apart(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """Each gets the format and the coding that it asked for."""
    source.text = "g" * 2000
    text, gzipped, openmetrics = await asyncio.gather(
        responses.body(Format.TEXT, gzipped=False),
        responses.body(Format.TEXT, gzipped=True),
        responses.body(Format.OPENMETRICS, gzipped=False),
    )
    assert (text.gzipped, gzipped.gzipped) == (False, True)
    assert gzip.decompress(gzipped.content) == text.content
    assert openmetrics.content.endswith(b"# EOF\n")
    assert not text.content.endswith(b"# EOF\n")


async def test_small_answers_are_not_compressed(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """It would cost more than it saves."""
    source.text = ""
    body = await responses.body(Format.TEXT, gzipped=True)
    assert not body.gzipped
    assert body.content.endswith(b"g 0.0\n")


async def test_one_failure_is_not_the_next(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """An error reaches all who waited for it, and nobody after them."""
    source.broken = True
    results = await asyncio.gather(
        *(responses.body(Format.TEXT, gzipped=False) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in results] == [RuntimeError] * 3
    source.broken = False
    assert (await responses.body(Format.TEXT, gzipped=False)).content


async def test_who_goes_away_does_not_end_it_for_others(
    responses: CoalescedResponses[list[Metric], Format], source: Source
) -> None:
    """A cancelled request leaves the exposition to the others who wait for it."""
    first, second = (
        asyncio.create_task(responses.body(Format.TEXT, gzipped=False)) for _ in range(2)
    )
    await asyncio.wait({first, second}, timeout=0)
    first.cancel()
    assert (await second).content
    assert source.collected == 1
