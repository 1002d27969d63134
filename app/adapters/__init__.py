"""The outside: the Redis cache and feed, payment providers, embedded servers. Ports made real."""
