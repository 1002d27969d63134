"""A real PostgreSQL and a real Valkey for a machine that has none: one directory, one command, nothing to install.

Not a fake and not SQLite: the locks are the point. Everything lives in one directory (the home, `.usher`) that belongs
to whoever started it; nothing listens on a network, and a `kill -9` of everything is repaired by the next start.
"""

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.postgresql import EmbeddedPostgreSQL
from app.adapters.embedded.servers import (
    AlreadyRunning,
    EmbeddedServers,
    jwt_secret,
    remove_data,
    running_process,
    start_servers,
    urls_of,
)
from app.adapters.embedded.valkey import EmbeddedValkey

__all__ = [
    "AlreadyRunning",
    "EmbeddedError",
    "EmbeddedPostgreSQL",
    "EmbeddedServers",
    "EmbeddedValkey",
    "jwt_secret",
    "remove_data",
    "running_process",
    "start_servers",
    "urls_of",
]
