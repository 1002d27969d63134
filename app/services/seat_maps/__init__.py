"""What is free: maps at hand, kept in Redis, and never older than an acknowledged write."""
