"""The changes of the schema, in order, each under a lock and with a lock timeout: see `app/db/migrations.py`."""
