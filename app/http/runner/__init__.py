"""Finds the operation that is meant, and runs it."""
