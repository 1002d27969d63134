"""Who is told: the live feed of each screening, and what changed since a version."""
