"""Generates the shipped Grafana dashboards; the exporter does not use it."""
