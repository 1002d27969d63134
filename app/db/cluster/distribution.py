"""Usher over a PostgreSQL of many nodes, which is Citus: what is distributed, the SQL that does it, what is missing.

What belongs to one screening lives on one node. All else is whole on the coordinator: theaters, screenings as
organizers plan them, people. docs/scale.md says when that is worth it.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema

SCREENING: Final = "screening_id"
"""The column by which tables are distributed."""

STATES: Final = "screening_states"
DISTRIBUTED: Final = (
    STATES,
    "reservations",
    "reservation_seats",
    "anonymous_holds",
    "kept_seats",
    "bookings",
    "booking_seats",
    "payments",
    "payment_entries",
    "refunds",
    "transfers",
    "shared_payments",
    "dummy_bank.dummy_charges",
    "dummy_bank.dummy_refunds",
    "seat_claims",
    "idempotency_keys",
    "seat_events",
)
"""Tables that are distributed, in the order in which they can be: what others refer to comes first."""

SETTINGS: Final = {"citus.override_table_visibility": "off", "citus.multi_shard_modify_mode": "sequential"}
"""What each connection of the service needs."""

NUMBERED: Final = tuple(
    table.name
    for table in schema.metadata.sorted_tables
    if table.autoincrement_column is not None and table is not schema.users
)
"""Tables that number their rows. The ids of users are drawn."""

LOCAL_KEYS: Final = {"reservations": "reservations_user_id_fkey", "bookings": "bookings_user_id_fkey"}
"""Foreign keys of distributed tables to one that is whole on the coordinator: Citus has none. There guests are written,
durably, before they take anything.
"""


class NoCluster(Exception):
    """This is no database of Citus; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table is: distributed by a column and in a group with others, or `is_reference`: whole on each node."""

    column: str | None
    group: int
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is so.

    Attributes:
        version: of Citus.
        nodes: how many there are that take shards.
        tables: the names of all tables.
        places: of the tables that Citus knows.
        types_here: row types that are on the coordinator only.
        settings: of the connection that asks.
        behind: tables that would give out a number again.
    """

    version: str
    nodes: int
    tables: frozenset[str]
    places: Mapping[str, Place]
    types_here: tuple[str, ...]
    settings: Mapping[str, str | None]
    behind: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        """What is not as it must be, a sentence each."""
        said = [] if self.nodes else ["No node takes shards: SELECT citus_add_node('host', 5432) on the coordinator"]
        said += [line for table in DISTRIBUTED if (line := self._wrong_with(table)) is not None]
        for table, place in sorted(self.places.items()):
            if table in schema.metadata.tables and table not in DISTRIBUTED and (place.is_reference or place.column):
                said.append(f"{table} must be whole on the coordinator: SELECT undistribute_table('{table}')")
        said += [f"The row type {name} is not on the nodes" for name in self.types_here]
        for name, value in SETTINGS.items():
            if self.settings.get(name) != value:
                said.append(f"{name} is {self.settings.get(name)} for this role, not {value}")
        return said + [f"The next id of {table} is one that was given out before" for table in self.behind]

    def _wrong_with(self, table: str) -> str | None:
        if table not in self.tables:
            return f"There is no table {table}: ./usher migrate"
        place = self.places.get(table)
        if place is None or place.is_reference or place.column is None:
            return f"{table} is not distributed"
        if place.column != SCREENING:
            return f"{table} is distributed by {place.column}, not by {SCREENING}"
        if STATES in self.places and place.group != self.places[STATES].group:
            return f"{table} is not colocated with {STATES}"
        return None


def _distribute(table: str) -> str:
    beside = "" if table == STATES else f", colocate_with => '{STATES}'"
    return (
        f"SELECT create_distributed_table('{table}', '{SCREENING}'{beside})\n"  # noqa: S608 - our own names
        f" WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = '{table}'::regclass)"
    )


def _is_behind(table: str) -> str:
    return f"max(id) > coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass), 0)"


def _move_on(table: str) -> str:
    set_it = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608 - our own names
    return f"{set_it}\nHAVING {_is_behind(table)}"


_TYPES_HERE: Final = """
       FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
      WHERE t.typnamespace = current_schema()::regnamespace AND t.typname LIKE 'usher\\_%'
        AND NOT EXISTS (SELECT FROM pg_dist_object o WHERE o.classid = 'pg_type'::regclass AND o.objid = t.oid)
"""
_TYPES: Final = f"""
DO $$
DECLARE
    members text;
BEGIN
    SELECT string_agg(format('%I %I', 'of_' || t.typname, t.typname), ', ') INTO members{_TYPES_HERE.rstrip()};
    IF members IS NOT NULL THEN
        EXECUTE format('CREATE TABLE usher_row_types ({SCREENING} bigint, %s)', members);
        PERFORM create_distributed_table('usher_row_types', '{SCREENING}', colocate_with => '{STATES}');
        DROP TABLE usher_row_types;
    END IF;
END
$$
"""
_ALTER: Final = """\
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET {} = {}',
                   current_user, current_database());"""
_ROLE: Final = "\n".join(("DO $$", "BEGIN", *(_ALTER.format(*each) for each in SETTINGS.items()), "END", "$$"))

STEPS: Final = (
    (
        "Else: cannot modify table ... because there was a parallel operation on a distributed table.",
        ("SET LOCAL citus.multi_shard_modify_mode = 'sequential'",),
    ),
    (
        """Whoever holds exists: a node cannot ask the coordinator. There guests are written, durably, before they take
        anything (BATCH_PER_SCREENING).""",
        tuple(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {key}" for table, key in LOCAL_KEYS.items()),
    ),
    ("What belongs to a screening is on the node of its state.", tuple(map(_distribute, DISTRIBUTED))),
    (
        "Row types that are older than the extension are not on the nodes: a table of them takes them along.",
        (_TYPES.strip(),),
    ),
    (
        """asyncpg asks the catalogs about each type that it does not know, on each new connection. Citus hides shards
        from them row by row: 1.4 to 1.7 s a type instead of 15 to 40 ms, longer than the service waits for a
        connection. And small questions to all shards are cheaper over one connection for each node.""",
        (_ROLE,),
    ),
    ("A table that was a reference table for a while begins to number its rows anew.", tuple(map(_move_on, NUMBERED))),
)
"""What is to be done, each with why. It may be done again: what is done already is left as it is."""

ABOUT: Final = """\
-- Usher over a Citus cluster, by screening: docs/scale.md. `./usher distribute --sql` prints this.
--
-- Once, on the coordinator, after CREATE EXTENSION citus, citus_add_node and `./usher migrate`, as the role that the
-- service connects as, which owns the tables. Again it does only what is missing. `./usher distribute --apply` does the
-- same, and `--check` says what is missing.
"""

_EXTENSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"
_NODES = "SELECT count(*) FROM pg_dist_node WHERE noderole = 'primary' AND isactive AND shouldhaveshards"
# Under the names by which they are asked.
_NAMED = """
CASE c.relnamespace WHEN current_schema()::regnamespace THEN c.relname::text
                    ELSE c.relnamespace::regnamespace || '.' || c.relname END AS name
"""
_TABLES = f"""
SELECT {_NAMED} FROM pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace IN (current_schema()::regnamespace, to_regnamespace('dummy_bank'))
"""  # noqa: S608 - our own names
_PLACES = f"""
SELECT {_NAMED}, CASE WHEN p.partkey IS NOT NULL THEN column_to_column_name(p.logicalrelid, p.partkey) END AS partkey,
       p.colocationid, p.repmodel = 't' AS is_reference
  FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
"""  # noqa: S608
_ROW_TYPES = f"SELECT t.typname {_TYPES_HERE}"
_SETTING = text("SELECT current_setting(:name, true)")


async def look(connection: AsyncConnection) -> Cluster:
    """What is so. Raises NoCluster if Citus is not there."""
    version = await _version(connection)
    return Cluster(
        version=version,
        nodes=(await connection.exec_driver_sql(_NODES)).scalar_one(),
        tables=frozenset((await connection.exec_driver_sql(_TABLES)).scalars()),
        places=await _places(connection),
        types_here=tuple((await connection.exec_driver_sql(_ROW_TYPES)).scalars()),
        settings={name: await connection.scalar(_SETTING, {"name": name}) for name in SETTINGS},
        behind=await behind(connection),
    )


async def behind(connection: AsyncConnection) -> tuple[str, ...]:
    """Tables whose next id may be one that they have already."""
    asked = {table: f"SELECT {_is_behind(table)} FROM {table}" for table in NUMBERED}  # noqa: S608
    return tuple([table for table, sql in asked.items() if (await connection.exec_driver_sql(sql)).scalar_one()])


async def distribute(connection: AsyncConnection) -> None:
    """Do all that is missing. Raises NoCluster as `look` does."""
    await _version(connection)
    for statement in chain.from_iterable(statements for _, statements in STEPS):
        await connection.exec_driver_sql(statement)


def script() -> str:
    """What `distribute` does, as a file for psql."""
    pieces = [ABOUT, "BEGIN;"]
    for about, statements in STEPS:
        lines = textwrap.wrap(" ".join(about.split()), 117)
        pieces += [f"-- {line}" for line in lines]
        pieces += [f"{statement};" for statement in statements]
    return "\n".join([*pieces, "COMMIT;", ""])


async def _places(connection: AsyncConnection) -> dict[str, Place]:
    rows = (await connection.exec_driver_sql(_PLACES)).mappings()
    return {row["name"]: Place(row["partkey"], row["colocationid"], row["is_reference"]) for row in rows}


async def _version(connection: AsyncConnection) -> str:
    version: str | None = (await connection.exec_driver_sql(_EXTENSION)).scalar_one_or_none()
    if version is None:
        raise NoCluster(
            "Citus is not in this database: everything is on one machine. To distribute it, say on the coordinator, as"
            " a superuser: CREATE EXTENSION citus (docs/scale.md)"
        )
    return version
