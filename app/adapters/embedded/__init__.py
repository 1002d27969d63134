"""The embedded servers: a real PostgreSQL and a real Valkey for a machine that has none, with nothing to install.

Not SQLite and not a fake, because Usher relies on PostgreSQL's locks. All their files are in one directory, the home
(USHER_HOME, by default `.usher`), which belongs to the user who starts them. They listen on Unix sockets only, never on
a network. If everything is killed with `kill -9`, the next start recovers; a server that ends while Usher serves is
started again.
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
from app.adapters.embedded.tending import Tender
from app.adapters.embedded.valkey import EmbeddedValkey

__all__ = [
    "AlreadyRunning",
    "EmbeddedError",
    "EmbeddedPostgreSQL",
    "EmbeddedServers",
    "EmbeddedValkey",
    "Tender",
    "jwt_secret",
    "remove_data",
    "running_process",
    "start_servers",
    "urls_of",
]
