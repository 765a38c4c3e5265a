"""When each account is polled, for how long, and how failed polls are handled."""
