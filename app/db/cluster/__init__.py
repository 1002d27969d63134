"""The machines behind a PostgreSQL of many nodes (Citus): which there are, and what each of them says."""
