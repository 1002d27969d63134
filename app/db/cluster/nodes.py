"""Asks each node of PostgreSQL for its settings and its clock. A PostgreSQL without Citus is one node.

A node is asked by the coordinator, over the connection that statements take, too: so what it says is what they get.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
"""With one of these off a crash can lose acknowledged commits (*measured*: 9 % of them)."""

BOUNDED: Final = ("lock_timeout", "statement_timeout")
"""Usher sets these on its own connections, but nodes have them from their own configuration."""

CLOCKS_APART_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 0.7

_SETTINGS: Final = (
    "SELECT json_build_object("  # noqa: S608 - our own names
    + ", ".join(f"'{name}', current_setting('{name}')" for name in (*DURABLE, *BOUNDED))
    + ", 'version', current_setting('server_version_num')::int / 10000,"
    " 'clock', extract(epoch FROM clock_timestamp())::double precision)::text"
)
_HAS_MANY = text("SELECT to_regclass('pg_dist_node') IS NOT NULL")
_NODES = text("""
SELECT nodename AS name, nodeport AS port, groupid = 0 AS is_coordinator FROM pg_dist_node
 WHERE isactive AND noderole = 'primary' ORDER BY groupid, nodename, nodeport
""")
_ASK = text("""
SELECT success, result FROM master_run_on_worker(
       ARRAY[CAST(:name AS text)], ARRAY[CAST(:port AS int)], ARRAY[CAST(:command AS text)], false)
""")
_CLOCK = text("SELECT extract(epoch FROM clock_timestamp())::double precision")


class Address(NamedTuple):
    """Where a node is, as the coordinator knows it."""

    name: str
    port: int
    is_coordinator: bool

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Node:
    """What a node says; `settings` None: it does not answer. Its clock is compared with that of the coordinator."""

    address: Address
    settings: dict[str, Any] | None
    seconds_ahead: float = 0.0

    def problems(self, version: int) -> list[str]:
        """What is wrong with it, in a few words each. `version`: the major version of the coordinator."""
        if self.settings is None:
            return ["does not answer"]
        found = [f"{name} is off" for name in DURABLE if self.settings[name] == "off"]
        found += [f"{name} is not set" for name in BOUNDED if self.settings[name] == "0"]
        if abs(self.seconds_ahead) > CLOCKS_APART_SECONDS:
            found.append(f"its clock is {self.seconds_ahead:+.1f} s off")
        if self.settings["version"] != version:
            found.append(f"is PostgreSQL {self.settings['version']}, not {version}")
        return found


async def addresses(connection: AsyncConnection) -> list[Address]:
    """The nodes; none if PostgreSQL is one machine."""
    if not await connection.scalar(_HAS_MANY):
        return []
    return [Address(*row) for row in await connection.execute(_NODES)]


async def ask_all(engine: AsyncEngine) -> list[Node]:
    """What each node says, all asked at once; none if PostgreSQL is one machine."""
    async with engine.connect() as connection:
        known = await addresses(connection)
    return list(await asyncio.gather(*(_ask(engine, each) for each in known)))


async def version(connection: AsyncConnection) -> int:
    """The major version of the server that this is a connection to."""
    return int(await connection.scalar(text("SHOW server_version_num"))) // 10_000


async def _ask(engine: AsyncEngine, address: Address) -> Node:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), engine.connect() as connection:
            given = {"name": address.name, "port": address.port, "command": _SETTINGS}
            answer = (await connection.execute(_ASK, given)).one()
            clock = await connection.scalar(_CLOCK)
    except Exception:  # noqa: BLE001 - whatever it was, it does not answer
        return Node(address, None)
    if not answer.success:
        return Node(address, None)
    settings = json.loads(answer.result)
    return Node(address, settings, settings["clock"] - clock)
