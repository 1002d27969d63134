"""Seat maps: kept in memory and in Redis, and never older than an acknowledged write."""
