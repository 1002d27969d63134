"""Whether a database can serve at all: UTF-8, not read-only, and with the rights that its role needs.

Asked before the service starts, by `/health` while it runs, and by `usher doctor`. Each answer says what to do.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import schema
from app.db.cluster.pooled import PooledConnection
from app.db.connecting import OfficeConnection

_TOLD: Final = "default_transaction_read_only"
_MAY_WRITE: Final = "SELECT current_setting('transaction_read_only') = 'off'"
RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
NO_RIGHT: Final = "42501"
READ_ONLY: Final = "25006"
_SHOWN: Final = 3
_REVISION: Final = "alembic_version"
"""The table that says which schema it is. Whoever serves only reads it."""

_LOOK: Final = text("""
SELECT current_setting('server_encoding') AS encoding, current_setting('transaction_read_only') = 'on' AS is_read_only,
       pg_is_in_recovery() AS is_standby, current_user::text AS role, current_database()::text AS database,
       current_schema() IS NULL AS has_no_schema,
       ARRAY(SELECT CASE n.nspname WHEN current_schema() THEN '' ELSE n.nspname || '.' END || c.relname
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE CASE n.nspname WHEN current_schema() THEN '' ELSE n.nspname || '.' END || c.relname
                    = ANY(CAST(:tables AS text[]))
                AND c.relkind IN ('r', 'p')
                AND (NOT has_schema_privilege(n.oid, 'USAGE')
                     OR EXISTS (SELECT FROM unnest(CAST(:rights AS text[])) AS wanted
                                 WHERE NOT has_table_privilege(c.oid, wanted)
                                   AND (c.relname <> :revision OR wanted = 'SELECT')))
              ORDER BY 1) AS lacking
""")
_ASKED: Final = {
    "tables": [_REVISION, *(table.fullname for table in schema.metadata.tables.values())],
    "rights": list(RIGHTS),
    "revision": _REVISION,
}

_SERVER: Final = text("SELECT system_identifier FROM pg_control_system()")
_DATABASE: Final = text("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")


class NotFit(Exception):
    """The database cannot serve. The text says why in one line, and what to do."""


@dataclass(frozen=True, slots=True)
class Fitness:
    """What a database says of itself, and of the role that asks."""

    encoding: str
    is_read_only: bool
    is_standby: bool
    role: str
    database: str
    has_no_schema: bool
    lacking: tuple[str, ...]
    """The tables on which the role has not all of `RIGHTS`; tables that do not exist yet are none of them."""

    @property
    def problem(self) -> str | None:
        """Why it cannot serve, and what to do; None: it can."""
        return self._of_the_database() or self._of_the_rights()

    def _of_the_database(self) -> str | None:
        if self.encoding != "UTF8":
            return (
                f"The database {self.database} is in {self.encoding}, and Usher needs UTF8: "
                f"CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to that."
            )
        if self.is_standby:
            return (
                "PostgreSQL is a standby, so it is read-only: set DATABASE_URL to the primary, or name all hosts in it "
                "and add target_session_attrs=read-write."
            )
        if self.is_read_only:
            return (
                f"The database {self.database} is read-only for {self.role}: set default_transaction_read_only = off "
                "where it was set on (ALTER DATABASE, ALTER ROLE, the configuration, or options in DATABASE_URL)."
            )
        return None

    def _of_the_rights(self) -> str | None:
        if self.has_no_schema:
            return (
                f"The role {self.role} may use no schema of the database {self.database}: "
                f"GRANT USAGE ON SCHEMA public TO {self.role}."
            )
        if not self.lacking:
            return None
        some = ", ".join(self.lacking[:_SHOWN]) + (" and more" if len(self.lacking) > _SHOWN else "")
        schemas = ", ".join(sorted({name.rpartition(".")[0] or "public" for name in self.lacking}))
        return (
            f"The role {self.role} lacks rights on {some}: GRANT USAGE ON SCHEMA {schemas} TO {self.role}; "
            f"GRANT {', '.join(RIGHTS)} ON ALL TABLES IN SCHEMA {schemas} TO {self.role}."
        )


async def look(connection: AsyncConnection) -> Fitness:
    """What the database of this connection says."""
    row = (await connection.execute(_LOOK, _ASKED)).one()
    return Fitness(
        row.encoding,
        row.is_read_only,
        row.is_standby,
        row.role,
        row.database,
        row.has_no_schema,
        tuple(row.lacking),
    )


async def must_be_fit(engine: AsyncEngine) -> None:
    """Raises NotFit if the database cannot serve."""
    async with engine.connect() as connection:
        if problem := (await look(connection)).problem:
            raise NotFit(problem)


def is_read_only(connection: OfficeConnection) -> bool:
    """Whether its server has told this session that it may only read. Nothing is asked.

    By way of a pooler nothing is known: it repeats what a server told it once.
    """
    told = connection.get_settings()
    is_said = "on" in (getattr(told, _TOLD, "off"), getattr(told, "in_hot_standby", "off"))
    return is_said and not _is_pooled(connection)


def _is_pooled(connection: OfficeConnection) -> bool:
    """isinstance is true for any class of asyncpg's connections."""
    return issubclass(type(connection), PooledConnection)


async def still_writes(connection: OfficeConnection) -> bool:
    """Whether it may be written, as of now: the cheapest question that shows it, and that it answers at all."""
    if hasattr(connection.get_settings(), _TOLD) and not _is_pooled(connection):
        await connection.execute("SELECT")
        return not is_read_only(connection)
    return bool(await connection.fetchval(_MAY_WRITE))


async def installation(engine: AsyncEngine) -> str:
    """A name for this database that no other one has, wherever both are: of its server, and of it there.

    All servers of a cluster that replicates have the same. A copy of the files has it too, a restored dump has not.
    """
    async with engine.connect() as connection:
        number = await connection.scalar(_DATABASE)
    try:
        async with engine.connect() as connection:
            server = await connection.scalar(_SERVER)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != NO_RIGHT:
            raise
        server = 0  # somebody took the right to ask that, which all have: databases of one number are taken for one
    return f"{server:x}-{number:x}"
