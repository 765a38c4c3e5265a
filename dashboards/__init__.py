"""Builds the Grafana dashboards whose JSON is shipped; the exporter does not use it."""
