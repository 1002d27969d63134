"""SQL: the only package that writes queries. One file per table family; the schema is on one page, `schema.py`."""
