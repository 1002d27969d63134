"""What may lie between Usher and its rows: a pooler, and the machines of a PostgreSQL of many nodes (Citus)."""
