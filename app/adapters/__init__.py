"""The outside: Redis cache, feed and rate limits, payments, the embedded servers. They implement services/ports.py."""
