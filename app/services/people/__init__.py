"""Who is asking: guests, accounts, sessions, tokens, API keys."""
