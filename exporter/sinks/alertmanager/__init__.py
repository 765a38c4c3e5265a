"""The alerts that the exporter itself sends to Alertmanager: one for each problem of a SIM card."""
