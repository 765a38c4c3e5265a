"""What to ask and when: one cycle, the audit, the schedule."""
