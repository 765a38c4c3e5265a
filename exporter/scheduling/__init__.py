"""When each account is polled, for how long, and what a failed poll means."""
