"""The series of the exporter's own health and their legends."""

from dashboards.queries import (
    histogram,
    of_account,
    of_exporter,
    own,
)

SCRAPED = own(of_exporter("up"))
RELOADED = of_exporter("telnyx_exporter_config_last_reload_successful")
UP = of_account("telnyx_up")
LAST_SUCCESS = of_account("telnyx_exporter_last_success_timestamp_seconds")
LAST_AUDIT = of_account("telnyx_exporter_last_audit_timestamp_seconds")
DRIFT = of_account("telnyx_exporter_ledger_drift")
FAILURES = of_account("telnyx_exporter_poll_failures_total")
POLLS = of_account("telnyx_exporter_polls_total")
POLL_TIME = histogram(of_account, "telnyx_exporter_poll_duration_seconds")
REQUESTS = of_account("telnyx_exporter_api_requests_total")
REQUEST_TIME = histogram(of_account, "telnyx_exporter_api_request_duration_seconds")
DELAY = histogram(of_account, "telnyx_sim_card_action_detection_delay_seconds")
SENT = of_exporter("telnyx_exporter_alerts_sent_total")
UNSENT = of_exporter("telnyx_exporter_alert_errors_total")
LAST_ACCEPTED = of_exporter("telnyx_exporter_alertmanager_last_success_timestamp_seconds")

HELD = of_account("telnyx_exporter_account_held")
UNHELD = of_exporter("telnyx_exporter_accounts_unheld")
TAKEOVERS = of_account("telnyx_exporter_lease_takeovers_total")
LOST = of_account("telnyx_exporter_lease_lost_total")

EACH = ("instance", "account")
NAMED = "{{account}} on {{instance}}"

TARGET = ("instance", "target")
TO = "{{target}} from {{instance}}"
