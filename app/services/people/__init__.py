"""The stories of people: guests, accounts, sessions, tokens, API keys."""
