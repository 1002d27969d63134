"""The SQL of the box office, on its own connection: what a batch reads and what it writes."""
