"""The whole chain on loopback: the exporter's demo, Prometheus with the rules, Alertmanager."""
