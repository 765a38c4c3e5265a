"""The client of the Telnyx API; nothing else communicates with Telnyx."""
