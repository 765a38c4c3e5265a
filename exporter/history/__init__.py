"""The past of an account, read once from Telnyx: as a report, as CSV, and as OpenMetrics."""
