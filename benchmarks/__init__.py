"""Measurements, each a ratio or a count from one run: `python -m benchmarks`."""
