"""SQL: the only room that writes queries. One file per table family; the schema on one page, `schema.py`."""
