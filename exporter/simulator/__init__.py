"""A simulated Telnyx account in memory, for the demo, the tests and users' own trials."""
