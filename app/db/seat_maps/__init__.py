"""The SQL of seat maps: who has a seat, what changed, and whether Redis can be believed."""
