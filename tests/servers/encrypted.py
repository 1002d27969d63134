"""A PostgreSQL that speaks TLS, on TCP, with passwords: the wheel's cannot, Debian's can.

Its certificate is for `localhost` alone, so that an address is a name that it is not for. Clients have one of the same
authority, if they want.
"""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from app.adapters.embedded.account import Account, server_account
from app.adapters.embedded.process import run, start, why_it_ended
from tests.patience import wait_until
from tests.servers.valkeys import free_port

PASSWORD: Final = "p@ss/wo:rd?#%&+ ü"
ROLE: Final = "usher"
DATABASE: Final = "usher"
_WHO_MAY: Final = """
local all all trust
local replication all trust
hostssl all all all scram-sha-256
hostnossl all all all scram-sha-256
"""
_STOP: Final = signal.SIGINT


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A server that runs."""

    port: int
    directory: Path
    account: Account

    @property
    def authority(self) -> Path:
        """The certificate of whoever signed the others."""
        return self.directory / "ca.crt"

    @property
    def of_a_client(self) -> tuple[Path, Path]:
        """A certificate for the role, and its key."""
        return self.directory / "client.crt", self.directory / "client.key"

    def url(
        self, host: str = "localhost", scheme: str = "postgresql", database: str = DATABASE, **parameters: str
    ) -> str:
        """The way there, as a hosting company would hand it out."""
        where = f"{ROLE}:{quote(PASSWORD, safe='')}@{host}:{self.port}/{database}"
        return f"{scheme}://{where}" + (f"?{urlencode(parameters, quote_via=quote)}" if parameters else "")


def programs() -> Path | None:
    """The directory of a PostgreSQL that speaks TLS, if there is one on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_config"), key=lambda path: -int(path.parts[-3]))
    on_path = shutil.which("pg_config")
    for config in [*found, *([Path(on_path)] if on_path else [])]:
        if not (config.with_name("initdb").exists() and config.with_name("postgres").exists()):
            continue
        told = subprocess.run([config, "--configure"], check=True, capture_output=True, text=True)
        if re.search(r"--with-(ssl=)?openssl", told.stdout):
            return config.parent
    return None


@contextmanager
def encrypted(where: Path, of: Path) -> Iterator[Encrypted]:
    """It runs as long as the block, with its data below this directory."""
    account = server_account()
    directory = where / "encrypted"
    account.own(directory)
    data = directory / "data"
    (directory / "pw").write_text(PASSWORD + "\n")
    (directory / "pw").chmod(0o644)
    initdb = [str(of / "initdb"), "-D", str(data), "-U", ROLE, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    run([*initdb, "--auth=scram-sha-256", f"--pwfile={directory / 'pw'}"], account=account, directory=directory)
    sign(directory, account)
    (data / "pg_hba.conf").write_text(_WHO_MAY)
    server = Encrypted(free_port(), directory, account)
    settings = {
        "port": str(server.port),
        "listen_addresses": "127.0.0.1,::1",
        "unix_socket_directories": str(directory),
        "ssl": "on",
        "ssl_cert_file": str(directory / "server.crt"),
        "ssl_key_file": str(directory / "server.key"),
        "ssl_ca_file": str(directory / "ca.crt"),
    }
    (data / "postgresql.auto.conf").write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
    with _running(of, data, server):
        yield server


@contextmanager
def standby_of(server: Encrypted, of: Path) -> Iterator[Encrypted]:
    """A standby of it, with the same certificates; it runs as long as the block."""
    data = server.directory / "standby"
    standby = Encrypted(free_port(), server.directory, server.account)
    copy = [str(of / "pg_basebackup"), "-h", str(server.directory), "-p", str(server.port), "-U", ROLE, "-D", str(data)]
    run([*copy, "--checkpoint=fast", "-R"], account=server.account, directory=server.directory)
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"port = {standby.port}\n")
    with _running(of, data, standby):
        yield standby


@contextmanager
def _running(of: Path, data: Path, server: Encrypted) -> Iterator[None]:
    process = start(
        [str(of / "postgres"), "-D", str(data)],
        account=server.account,
        directory=data,
        log=data.with_suffix(".log"),
        death_signal=_STOP,
    )
    try:
        wait_until(lambda: process.poll() is not None or _is_ready(data))
        assert process.poll() is None, why_it_ended(data.with_suffix(".log"))
        yield
    finally:
        process.send_signal(_STOP)
        process.wait()


def _is_ready(data: Path) -> bool:
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() in ("ready", "standby")
    except (FileNotFoundError, IndexError):
        return False


def sign(directory: Path, account: Account) -> None:
    """An authority, and what it signed, as files there: for the server `localhost`, and for the client `usher`."""

    def openssl(*words: str) -> None:
        run(["openssl", *words], account=account, directory=directory)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    openssl("req", "-x509", *key, "-subj", "/CN=a test", "-keyout", "ca.key", "-out", "ca.crt")
    by_it = ("-CA", "ca.crt", "-CAkey", "ca.key")
    named = ("-addext", "subjectAltName=DNS:localhost")
    for name, subject, more in (("server", "/CN=localhost", named), ("client", f"/CN={ROLE}", ())):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
        openssl("req", "-x509", *key, "-subj", subject, *by_it, *more, *files)
