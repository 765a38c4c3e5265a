from collections.abc import Callable

from exporter.errors import Cause
from exporter.metrics.self_metrics import SelfMetrics
from exporter.sync.progress import Progress


def test_health_is_the_same_object_until_something_is_noted() -> None:
    """What was written of it need not be written anew; each note makes another copy."""
    self_metrics = SelfMetrics("one")
    copies = [self_metrics.health(), self_metrics.health()]
    assert copies[0] is copies[1]
    notes: tuple[Callable[[], None], ...] = (
        lambda: self_metrics.request_done("list", "200", 0.1),
        lambda: self_metrics.retrying("unavailable"),
        lambda: self_metrics.rate_limit_seen(10.0, 9.0),
        lambda: self_metrics.malformed_seen(1),
        lambda: self_metrics.sweep_started("drift"),
        lambda: self_metrics.progressed(Progress(unseen=3)),
        lambda: self_metrics.poll_succeeded(1.0, 0.1),
        lambda: self_metrics.poll_failed(2.0, 0.1, Cause.AUTH, "refused"),
    )
    for note in notes:
        note()
        assert self_metrics.health() != copies[-1]
        copies.append(self_metrics.health())
