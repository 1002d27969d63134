"""A Redis 7 that speaks TLS by itself, as Debian has it, and its sentinels; the Valkey of the wheel cannot."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.adapters.embedded.account import me
from tests.servers.encrypted import sign
from tests.servers.valkeys import Server, free_port, valkey

NEEDED: Final = "needs a Redis with TLS (Debian: redis-server, or redis-tools, which has the same program)"


@dataclass(frozen=True, slots=True)
class Redises:
    """How to start some: their program, and the directory with their certificates (`sign`)."""

    program: Path
    certificates: Path

    @property
    def authority(self) -> str:
        """The parameter of a URL that believes their certificate."""
        return f"ssl_ca_certs={quote(str(self.certificates / 'ca.crt'))}"

    @property
    def of_a_client(self) -> str:
        """The parameters of a URL that show a certificate which they believe."""
        certificate, key = self.certificates / "client.crt", self.certificates / "client.key"
        return f"ssl_certfile={quote(str(certificate))}&ssl_keyfile={quote(str(key))}"

    @property
    def of_a_stranger(self) -> str:
        """The parameter of a URL that believes somebody else."""
        return f"ssl_ca_certs={quote(str(self.certificates / 'client.crt'))}"

    @contextmanager
    def running(self, *options: str, asks: bool = False, configuration: str = "") -> Iterator[tuple[Server, int]]:
        """One, and the port where it speaks TLS, as `localhost` alone. `asks`: for the certificate of whoever comes."""
        port = free_port()
        speaks = {
            "tls-port": str(port),
            "tls-cert-file": str(self.certificates / "server.crt"),
            "tls-key-file": str(self.certificates / "server.key"),
            "tls-ca-cert-file": str(self.certificates / "ca.crt"),
            "tls-auth-clients": "yes" if asks else "no",
            "tls-replication": "yes",
        }
        told = "".join(f'{name} "{value}"\n' for name, value in speaks.items())
        with valkey(*options, configuration=told + configuration, program=self.program) as server:
            yield server, port


def program(directory: Path) -> Path | None:
    """Redis' server, if it is on this machine; by a name in this directory if it has another one there."""
    if found := shutil.which("redis-server"):
        return Path(found)
    if found := shutil.which("redis-check-rdb"):  # one program: what it does depends on how it is called
        named = directory / "redis-server"
        named.symlink_to(found)
        return named
    return None


def redises(directory: Path) -> Redises | None:
    """With certificates in this directory; None: there is no such program."""
    found = program(directory)
    if found is None:
        return None
    sign(directory, me())
    return Redises(found, directory)
