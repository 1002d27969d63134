"""The stories: what happens, in order. They own transactions and know neither FastAPI nor Redis."""
