"""The HTTP server: metrics, health checks, and the status page."""
