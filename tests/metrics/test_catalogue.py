import pytest

from exporter.metrics.catalogue import CATALOGUE

DECLARED = """
telnyx_sim_card_actions gauge account action_type status
telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds gauge account action_type
telnyx_sim_card_actions_stuck gauge account action_type
telnyx_sim_card_actions_created_total counter account action_type
telnyx_sim_card_actions_completed_total counter account action_type
telnyx_sim_card_actions_failed_total counter account action_type reason_class
telnyx_sim_card_actions_interrupted_total counter account action_type reason_class
telnyx_sim_card_action_duration_seconds histogram account action_type status
telnyx_sim_card_action_detection_delay_seconds histogram account
telnyx_exporter_last_audit_timestamp_seconds gauge account
telnyx_exporter_baseline_timestamp_seconds gauge account
telnyx_exporter_ledger_drift gauge account status
telnyx_exporter_listings gauge account order
telnyx_exporter_actions_tracked gauge account
telnyx_up gauge account
telnyx_exporter_polls_total counter account
telnyx_exporter_poll_failures_total counter account cause
telnyx_exporter_poll_duration_seconds histogram account
telnyx_exporter_last_success_timestamp_seconds gauge account
telnyx_exporter_api_requests_total counter account endpoint code
telnyx_exporter_api_request_duration_seconds histogram account endpoint
telnyx_exporter_api_retries_total counter account cause
telnyx_exporter_api_rate_limit gauge account
telnyx_exporter_api_rate_limit_remaining gauge account
telnyx_exporter_sweeps_total counter account cause
telnyx_exporter_malformed_actions_total counter account
telnyx_exporter_config_last_reload_successful gauge
telnyx_exporter_config_last_reload_success_timestamp_seconds gauge
telnyx_exporter_state_bytes gauge part
telnyx_exporter_web_connections_dropped_total counter
telnyx_exporter_web_tls_handshake_errors_total counter cause
telnyx_exporter_log_lines_dropped_total counter
telnyx_exporter_build_info gauge version python_version revision
"""
"""The public interface: dashboards and alert rules of others rest on each word."""


def test_names_types_and_labels_are_pinned() -> None:
    """No metric is renamed, retyped, relabelled, added or dropped unnoticed."""
    declared = [" ".join((each.name, each.metric_type, *each.labels)) for each in CATALOGUE]
    assert declared == DECLARED.split("\n")[1:-1]


@pytest.mark.parametrize("text", [pytest.param(each.help, id=each.name) for each in CATALOGUE])
def test_help_is_one_sentence(text: str) -> None:
    """A help text is one plain line that ends, without quotes that would need escaping."""
    assert text.endswith(".")
    assert not {"\n", '"', "\\"} & set(text)


def test_help_says_that_polls_do_not_follow_scrapes() -> None:
    """The two metrics a reader meets first say that the exporter polls on its own timer."""
    texts = {each.name: each.help for each in CATALOGUE}
    for name in ("telnyx_up", "telnyx_sim_card_actions"):
        assert "polls on its own timer" in texts[name]
