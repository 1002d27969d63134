"""The SQL of seat maps: who has a seat, what has changed, and whether Redis can be trusted."""
