"""What to ask of an account: one poll, the audit, sweeps."""
