"""Prometheus exporter for the asynchronous SIM card actions of Telnyx accounts."""

from exporter.version import __version__

__all__ = ["__version__"]
