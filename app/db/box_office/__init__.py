"""The SQL of the box office, for its own connection: what a batch reads, and what it writes."""
