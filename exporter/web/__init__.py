"""The HTTP face: metrics, health, and a page for people."""
