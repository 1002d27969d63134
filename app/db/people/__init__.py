"""The SQL of accounts, guests, sessions and API keys."""
