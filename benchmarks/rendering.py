"""Rendering the metrics in this process, beside prometheus-client's own exposition.

Both expose the same, which is checked. It must not know how they are asked for.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import ParamSpec

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from benchmarks.account import open_account
from benchmarks.native import lines, native
from benchmarks.timing import in_turn
from exporter.domain import Status
from exporter.ledger.records import Histogram
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.negotiation import Format, compress
from exporter.metrics.self_metrics import AccountHealth, SelfMetrics
from tests.support.simulation import QUIET

P = ParamSpec("P")


async def populated(accounts: int) -> ExporterSnapshot:
    """Return a snapshot of accounts that have seen every kind of action."""
    with ThreadPoolExecutor(1) as worker:
        account = open_account(replace(QUIET, history=10_000), worker)
        await account.poll()
        world = account.simulator.world
        endings = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, None)
        for number, action_id in enumerate(world.create(4_000)):
            if (status := endings[number % len(endings)]) is not None:
                world.finish(action_id, status, "SIM card is blocked")
        await account.poll()
        await account.poll()
        view = account.ledger.snapshot
    return ExporterSnapshot(
        accounts=tuple(_named(view, f"account-{number:03}") for number in range(accounts)),
        reload_successful=True,
        reload_success_at=time.time(),
        now=time.time(),
        poll_interval=60.0,
    )


def equal(snapshot: ExporterSnapshot) -> CollectorRegistry:
    """Return a registry of native metrics that exposes what we do of ``snapshot``."""
    exposition = Exposition()
    exposed = exposition.text(snapshot, Format.OPENMETRICS).decode()
    registry = native(text_string_to_metric_families(exposed))  # type: ignore[no-untyped-call] # untyped
    if lines(generate_latest(registry)) != lines(exposition.text(snapshot, Format.TEXT)):
        raise AssertionError("the two do not expose the same")
    return registry


async def ratios(
    snapshot: ExporterSnapshot, theirs: CollectorRegistry, rounds: int
) -> Mapping[str, float]:
    """Return how much longer ours takes in the same process, by format.

    All of it is written anew, as at the first scrape; or all of it is kept, as at the others.
    """
    text, openmetrics_ = Format.TEXT, Format.OPENMETRICS
    kept = Exposition()
    spent = await in_turn(
        {
            "ours, text": _later(lambda: Exposition().text(snapshot, text)),
            "kept, text": _later(lambda: kept.text(snapshot, text)),
            "theirs, text": _later(lambda: generate_latest(theirs)),
            "ours": _later(lambda: Exposition().gzip(snapshot, openmetrics_)),
            "kept": _later(lambda: kept.gzip(snapshot, openmetrics_)),
            "theirs": _later(lambda: packed(theirs)),
        },
        rounds=rounds,
    )
    return {
        "text": spent["ours, text"].wall / spent["theirs, text"].wall,
        "text, kept": spent["kept, text"].wall / spent["theirs, text"].wall,
        "OpenMetrics with gzip": spent["ours"].wall / spent["theirs"].wall,
        "OpenMetrics with gzip, kept": spent["kept"].wall / spent["theirs"].wall,
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """Seconds of CPU, as Prometheus asks: a scrape, and what was written before it."""

    at_rest: float
    polled: float
    written: float


def kept_ready(snapshot: ExporterSnapshot, rounds: int) -> Kept:
    """Scrape where nothing changed, and where all accounts were polled since the last scrape."""
    exposition, chosen = Exposition(), Format.OPENMETRICS
    exposition.gzip(snapshot, chosen)
    rest, polled, written = [], [], []
    for _ in range(rounds):
        rest.append(_cpu(exposition.gzip, snapshot, chosen))
        snapshot = _polled(snapshot)
        written.append(_cpu(exposition.keep_ready, snapshot))
        polled.append(_cpu(exposition.gzip, snapshot, chosen))
    return Kept(median(rest), median(polled), median(written))


def _cpu(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    began = time.process_time()
    call(*args, **kwargs)
    return time.process_time() - began


def _polled(snapshot: ExporterSnapshot) -> ExporterSnapshot:
    """Return a snapshot in which each account was polled once more, and nothing was new."""

    def observed(before: Histogram) -> Histogram:
        first, *others = before.counts
        return replace(before, counts=(first + 1, *others), sum=before.sum + 0.01)

    def polled(health: AccountHealth) -> AccountHealth:
        requests, durations = health.requests, health.request_duration
        return replace(
            health,
            polls=health.polls + 1,
            last_success=health.last_success + 60,
            poll_duration=observed(health.poll_duration),
            requests={**requests, ("list", "200"): requests["list", "200"] + 1},
            request_duration={**durations, "list": observed(durations["list"])},
        )

    pairs = tuple((view, polled(health)) for view, health in snapshot.accounts)
    return replace(snapshot, accounts=pairs, now=snapshot.now + 60)


def packed(registry: CollectorRegistry) -> bytes:
    """Return what `generate_latest` for OpenMetrics returns, as gzip."""
    body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # untyped
    return compress(body)


def _later(call: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        call()

    return run


def _named(view: AccountSnapshot, name: str) -> tuple[AccountSnapshot, AccountHealth]:
    self_metrics = SelfMetrics(name)
    for number in range(500):
        self_metrics.request_done("get" if number % 5 else "list", "200", number / 1000)
        self_metrics.poll_succeeded(time.time(), number / 100)
    return replace(view, name=name), self_metrics.health()
