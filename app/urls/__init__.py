"""The URLs of PostgreSQL and Redis: one reading each, for all connections. Standard library only.

What is not understood is refused by its name, and nothing that was given is repeated: it may be part of a password.
"""
