"""People, their passwords and their API keys as JSON."""
