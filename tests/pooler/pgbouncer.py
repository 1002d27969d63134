"""A PgBouncer in transaction mode, as Debian has it, in front of the PostgreSQL of a run.

With USHER_TEST_POOLER=1 the program speaks through one in all tests, which look into the database directly themselves.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import parse_qs, urlsplit

from app.adapters.embedded.account import server_account
from app.adapters.embedded.process import start

IN_ALL_TESTS: Final = os.environ.get("USHER_TEST_POOLER") == "1"
PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SESSIONS: Final = 20
"""The sessions that all clients of a database share, unless a test says otherwise: PgBouncer's own default."""


@dataclass(frozen=True, slots=True)
class Pooler:
    """A PgBouncer that runs."""

    user: str
    port: int

    def url_of(self, database: str) -> str:
        """The way to a database through it."""
        return f"postgresql+asyncpg://{self.user}@127.0.0.1:{self.port}/{database}"


@contextmanager
def pooler_to(database_url: str, sessions: int = SESSIONS) -> Iterator[Pooler]:
    """A pooler in front of this PostgreSQL, as long as the block lasts."""
    assert PROGRAM is not None, "pgbouncer is not installed: apt-get install pgbouncer"
    parts = urlsplit(database_url)
    server, user = parse_qs(parts.query)["host"][0], parts.username or "usher"
    account = server_account()  # whoever may open PostgreSQL's socket
    with TemporaryDirectory(prefix="usher pooler ") as name:
        directory = Path(name)
        directory.chmod(0o755)
        port = _free_port()
        configuration = directory / "pgbouncer.ini"
        configuration.write_text(f"""
[databases]
* = host={server} port=5432 user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 1000
""")
        process = start(
            [PROGRAM, str(configuration)],
            account=account,
            directory=directory,
            log=directory / "log",
            death_signal=signal.SIGKILL,
        )
        try:
            _wait_for(port, process)
            yield Pooler(user, port)
        finally:
            ended = process.poll()
            process.kill()
            process.wait()
        assert ended is None, f"pgbouncer ended by itself: {(directory / 'log').read_text()[-2_000:]}"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until it listens."""
    for _ in range(500):
        assert process.poll() is None, "pgbouncer ended"
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("pgbouncer does not listen")
