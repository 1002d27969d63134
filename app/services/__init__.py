"""The stories: what happens for each call, in order. They own transactions, and know neither FastAPI nor Redis."""
