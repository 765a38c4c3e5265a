"""What is exported: every metric in one catalogue, and how it is written."""
