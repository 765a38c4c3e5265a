import platform
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

from exporter.errors import Cause
from exporter.ledger.records import Exemplar, Histogram
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.collector import SnapshotCollector, build_registry
from exporter.metrics.definition import BuildInfo
from exporter.metrics.self_metrics import ExporterSnapshot, SelfMetrics
from exporter.version import __version__

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]

UUID = "6a09cdc3-8948-47f0-aa62-74ac943d6c58"


def _registry_of(snapshot: ExporterSnapshot) -> CollectorRegistry:
    return build_registry(lambda: snapshot, revision="abc123")


def _families(snapshot: ExporterSnapshot) -> dict[str, Metric]:
    return {family.name: family for family in _registry_of(snapshot).collect()}


def _value(snapshot: ExporterSnapshot, name: str, **labels: str) -> float | None:
    return _registry_of(snapshot).get_sample_value(name, labels)


def _failed_exemplar(snapshot: ExporterSnapshot) -> Sample:
    return _families(snapshot)["telnyx_sim_card_actions_failed"].samples[0]


def test_everything_known_is_there_at_zero_from_the_start(snapshot: Snapshots) -> None:
    """Before the first poll each known combination of labels has a series, at 0."""
    registry = _registry_of(snapshot())
    account = {"account": "default"}
    for name, labels in (
        ("telnyx_up", {}),
        ("telnyx_sim_card_actions", {"action_type": "enable", "status": "in-progress"}),
        ("telnyx_sim_card_actions_created_total", {"action_type": "enable"}),
        (
            "telnyx_sim_card_actions_failed_total",
            {"action_type": "enable", "reason_class": "other"},
        ),
        ("telnyx_exporter_polls_total", {}),
        *(("telnyx_exporter_poll_failures_total", {"cause": cause.value}) for cause in Cause),
        ("telnyx_exporter_api_requests_total", {"endpoint": "list", "code": "200"}),
        ("telnyx_exporter_api_requests_total", {"endpoint": "get", "code": "200"}),
        ("telnyx_exporter_api_retries_total", {"cause": "rate_limited"}),
        ("telnyx_exporter_api_retries_total", {"cause": "unavailable"}),
        ("telnyx_exporter_sweeps_total", {"cause": "drift"}),
        ("telnyx_exporter_ledger_drift", {"status": "interrupted"}),
        ("telnyx_exporter_listings", {"order": "none"}),
        ("telnyx_exporter_last_success_timestamp_seconds", {}),
        ("telnyx_exporter_poll_duration_seconds_count", {}),
    ):
        assert registry.get_sample_value(name, account | labels) == 0, (name, labels)


@pytest.mark.parametrize(
    "family",
    [
        "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds",
        "telnyx_exporter_api_rate_limit",
        "telnyx_exporter_api_rate_limit_remaining",
    ],
)
def test_what_is_not_known_has_no_series(snapshot: Snapshots, family: str) -> None:
    """A gauge without a value vanishes instead of showing a wrong 0."""
    assert _families(snapshot())[family].samples == []


def test_view_is_drawn_as_it_is(view: Views, snapshot: Snapshots) -> None:
    """What is committed shows under its labels, unchanged."""
    committed = view(
        actions={("enable", "failed"): 3},
        oldest_in_progress={"enable": 1_784_999_000.5},
        stuck={"enable": 2},
        drift={"interrupted": -4},
        lists={"none": 3},
        tracked=17,
    )
    drawn = snapshot((committed, SelfMetrics("default")))
    enable = {"account": "default", "action_type": "enable"}
    assert _value(drawn, "telnyx_sim_card_actions", **enable, status="failed") == 3
    oldest = "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds"
    assert _value(drawn, oldest, **enable) == 1_784_999_000.5
    assert _value(drawn, "telnyx_sim_card_actions_stuck", **enable) == 2
    assert (
        _value(drawn, "telnyx_exporter_ledger_drift", account="default", status="interrupted") == -4
    )
    assert _value(drawn, "telnyx_exporter_listings", account="default", order="none") == 3
    assert _value(drawn, "telnyx_exporter_actions_tracked", account="default") == 17


def test_health_is_drawn_as_it_is(view: Views, snapshot: Snapshots) -> None:
    """What the polls did shows under its labels, unchanged."""
    self_metrics = SelfMetrics("default")
    self_metrics.poll_succeeded(1_785_000_000.0, 0.2)
    self_metrics.request_done("list", "429", 0.02)
    self_metrics.retrying("rate_limited")
    self_metrics.rate_limit_seen(100.0, 99.0)
    self_metrics.malformed_seen(2)
    drawn = snapshot((view(), self_metrics))
    expected = {
        "telnyx_up": 1,
        "telnyx_exporter_polls_total": 1,
        "telnyx_exporter_last_success_timestamp_seconds": 1_785_000_000,
        "telnyx_exporter_api_rate_limit": 100,
        "telnyx_exporter_api_rate_limit_remaining": 99,
        "telnyx_exporter_malformed_actions_total": 2,
        "telnyx_exporter_poll_duration_seconds_sum": 0.2,
    }
    assert {name: _value(drawn, name, account="default") for name in expected} == expected
    requests = "telnyx_exporter_api_requests_total"
    assert _value(drawn, requests, account="default", endpoint="list", code="429") == 1
    retries = "telnyx_exporter_api_retries_total"
    assert _value(drawn, retries, account="default", cause="rate_limited") == 1


def test_failed_poll_is_down_and_counted(view: Views, snapshot: Snapshots) -> None:
    """A failed poll shows as telnyx_up 0 and under its cause, and keeps the view."""
    self_metrics = SelfMetrics("default")
    self_metrics.poll_failed(1_785_000_000.0, 0.2, Cause.AUTH, "refused")
    drawn = snapshot((view(created={"enable": 5}), self_metrics))
    assert _value(drawn, "telnyx_up", account="default") == 0
    failures = "telnyx_exporter_poll_failures_total"
    assert _value(drawn, failures, account="default", cause="auth") == 1
    created = "telnyx_sim_card_actions_created_total"
    assert _value(drawn, created, account="default", action_type="enable") == 5


def test_histogram_is_cumulative(view: Views, snapshot: Snapshots) -> None:
    """Counts per bucket become cumulative ones, and +Inf equals the count."""
    counts = (1, 2) + (0,) * 10 + (4,)
    committed = view(durations={("enable", "failed"): Histogram(counts, 99.5)})
    drawn = snapshot((committed, SelfMetrics("default")))
    name = "telnyx_sim_card_action_duration_seconds"
    labels = {"account": "default", "action_type": "enable", "status": "failed"}
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in _families(drawn)[name].samples
        if sample.name == f"{name}_bucket"
    ]
    assert buckets[:3] == [("1.0", 1), ("5.0", 3), ("15.0", 3)]
    assert buckets[-2:] == [("86400.0", 3), ("+Inf", 7)]
    assert _value(drawn, f"{name}_count", **labels) == 7
    assert _value(drawn, f"{name}_sum", **labels) == 99.5


def test_accounts_share_each_family(view: Views, snapshot: Snapshots) -> None:
    """Every account has its own series, and a family is still there only once."""
    pairs = [(view(name), SelfMetrics(name)) for name in ("one", "two")]
    drawn = list(_registry_of(snapshot(*pairs)).collect())
    assert len({family.name for family in drawn}) == len(drawn)
    up = next(family for family in drawn if family.name == "telnyx_up")
    assert [sample.labels["account"] for sample in up.samples] == ["one", "two"]


@pytest.mark.parametrize(
    ("action_id", "sim_card_id", "labels"),
    [
        pytest.param(UUID, UUID, {"action_id": UUID, "sim_card_id": UUID}, id="both fit"),
        pytest.param(
            UUID,
            "s" * 72,
            {"action_id": UUID, "sim_card_id": "s" * 72},
            id="128 characters exactly",
        ),
        pytest.param(UUID, "s" * 73, {"action_id": UUID}, id="one too many: no sim card"),
        pytest.param("a" * 119, "", {"action_id": "a" * 119}, id="action alone fits exactly"),
        pytest.param("a" * 120, "", None, id="nothing fits"),
    ],
)
def test_exemplar_keeps_within_the_limit(
    view: Views,
    snapshot: Snapshots,
    action_id: str,
    sim_card_id: str,
    labels: dict[str, str] | None,
) -> None:
    """An exemplar names the action within the 128 characters of OpenMetrics, or is left out."""
    latest = Exemplar(action_id, sim_card_id, 1_785_000_000.25)
    committed = view(
        failed={("enable", "other"): 1}, failed_exemplars={("enable", "other"): latest}
    )
    exemplar = _failed_exemplar(snapshot((committed, SelfMetrics("default")))).exemplar
    assert (exemplar and dict(exemplar.labels)) == labels
    if exemplar is not None:
        assert (exemplar.value, exemplar.timestamp) == (1, 1_785_000_000.25)


def test_interrupted_has_exemplars_too(view: Views, snapshot: Snapshots) -> None:
    """The counter of interrupted actions carries its own exemplar."""
    latest = {("enable", "other"): Exemplar(UUID, "sim", 5.0)}
    drawn = _families(snapshot((view(interrupted_exemplars=latest), SelfMetrics("default"))))
    exemplar = drawn["telnyx_sim_card_actions_interrupted"].samples[0].exemplar
    assert exemplar is not None
    assert exemplar.labels == {"action_id": UUID, "sim_card_id": "sim"}
    assert drawn["telnyx_sim_card_actions_failed"].samples[0].exemplar is None


def test_build_and_runtime_are_exported(snapshot: Snapshots) -> None:
    """The build, the process and the Python runtime are in the same registry."""
    registry = _registry_of(snapshot())
    build = {
        "version": __version__,
        "python_version": platform.python_version(),
        "revision": "abc123",
    }
    assert registry.get_sample_value("telnyx_exporter_build_info", build) == 1
    names = {family.name for family in registry.collect()}
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


def test_reload_state_is_exported(snapshot: Snapshots) -> None:
    """Whether and when the configuration was read well is exported without an account."""
    drawn = snapshot()
    assert _value(drawn, "telnyx_exporter_config_last_reload_successful") == 1
    at = _value(drawn, "telnyx_exporter_config_last_reload_success_timestamp_seconds")
    assert at == 1_785_000_000


def test_each_collection_takes_a_new_snapshot(snapshot: Snapshots) -> None:
    """A collection shows what holds then, and asks for it exactly once."""
    later = iter([snapshot(), snapshot()])
    registry = build_registry(lambda: next(later), revision="x")
    list(registry.collect())
    list(registry.collect())
    assert next(later, None) is None


def test_registering_twice_is_refused(snapshot: Snapshots) -> None:
    """A second metric of the same name cannot slip into the registry."""
    registry = _registry_of(snapshot())
    second = SnapshotCollector(snapshot, BuildInfo("1", "3", "x"))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(second)


def test_no_sample_has_a_timestamp_or_a_creation_time(snapshot: Snapshots) -> None:
    """Samples carry no timestamps, and there are no _created series."""
    for family in _registry_of(snapshot()).collect():
        for sample in family.samples:
            assert sample.timestamp is None
            assert not sample.name.endswith("_created")
