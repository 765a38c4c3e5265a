"""What is known of each account: transitions and reasons (pure), store (durable), view."""
