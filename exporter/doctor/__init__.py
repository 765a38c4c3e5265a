"""Examines what the exporter assumes, of the API and of this machine; it changes nothing."""
