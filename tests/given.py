"""A PostgreSQL that is given (TEST_DATABASE_URL), instead of one that the tests start themselves.

It is one database: of a server, behind a pooler, or of a cluster over which the tables are distributed. Before each
test it gets back what a template has, so all that was in it is lost: its name must begin with `test`.
"""

import io
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest

from app.db import schema
from app.db.connecting import connect
from app.db.migrations import upgrade
from app.urls import postgresql

URL: Final = os.environ.get("TEST_DATABASE_URL")
TABLES: Final = tuple(table.fullname for table in schema.metadata.sorted_tables)


_NUMBERED: Final = """
SELECT array_agg(name) FROM unnest($1::text[]) AS name JOIN pg_attribute a ON a.attrelid = name::regclass
WHERE CASE WHEN a.attname = 'id' THEN pg_get_serial_sequence(name, 'id') IS NOT NULL END
"""
"""Of these tables, those whose ids come from a sequence."""


_SHAPE: Final = """
SELECT md5(string_agg(what, '|' ORDER BY what)) FROM (
    SELECT concat(c.relkind, c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY($1::text[])
    UNION ALL SELECT concat(conrelid::regclass, conname) FROM pg_constraint JOIN pg_namespace n ON n.oid = connamespace
     WHERE n.nspname = ANY($1::text[])
    UNION ALL SELECT concat(tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = ANY($1::text[])
) AS shape (what)
"""
"""Tables, constraints, triggers and functions: some tests add to them, or take them away."""
_SCHEMAS: Final = ("public", "dummy_bank")


@dataclass(frozen=True, slots=True)
class Content:
    """What the tables have, as COPY gives it, and the id that each of them gave out last."""

    rows: dict[str, bytes]
    last_ids: dict[str, int]


class GivenDatabase:
    """The database of TEST_DATABASE_URL."""

    def __init__(self, url: str) -> None:
        self.url = postgresql.normal(url)
        self.name = name_in(url)
        self._contents: dict[str, Content] = {}
        self._shape: str | None = None

    async def prepare(self, empty: str, demo: str, load_demo: Callable[[], Awaitable[None]]) -> None:
        """Bring the schema up to date, and note what it is to have: nothing, and the demo."""
        await upgrade(self.url)
        await self._empty()
        self._contents[empty] = await self._content()
        await load_demo()
        self._contents[demo] = await self._content()
        self._shape = await self._ask(_SHAPE, _SCHEMAS)

    async def put_back(self, template: str) -> None:
        """The database has what this template has, and nothing else."""
        if await self._ask(_SHAPE, _SCHEMAS) != self._shape:
            await self._build_anew()
        await self._empty()
        connection = await self._connect()
        try:
            async with connection.transaction():
                for table, rows in self._contents[template].rows.items():
                    name, within = _named(table)
                    await connection.copy_to_table(name, schema_name=within, source=io.BytesIO(rows), format="binary")
                for table, last_id in self._contents[template].last_ids.items():
                    await connection.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {max(last_id, 1)}, {last_id > 0})"
                    )
        finally:
            await connection.close()

    async def _build_anew(self) -> None:
        """Build the schema again, which a test has changed. Raises UsageError where that is more than migrations do."""
        if await self._ask("SELECT count(*) FROM pg_extension WHERE extname = 'citus'"):
            raise pytest.UsageError("A test has changed the schema of a distributed database. Prepare it again.")
        for schema_name in _SCHEMAS:
            await self._ask(f"DROP SCHEMA IF EXISTS {schema_name} CASCADE")
        await self._ask("CREATE SCHEMA public")
        await upgrade(self.url)

    async def _ask(self, statement: str, *values: object) -> Any:
        connection = await self._connect()
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def _content(self) -> Content:
        connection = await self._connect()
        try:
            rows, last_ids = {}, {}
            for table in TABLES:
                written = io.BytesIO()
                name, within = _named(table)
                await connection.copy_from_table(name, schema_name=within, output=written, format="binary")
                rows[table] = written.getvalue()
            for table in await connection.fetchval(_NUMBERED, list(TABLES)):
                last = f"pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass)"
                last_ids[table] = await connection.fetchval(f"SELECT coalesce({last}, 0)")
            return Content(rows, last_ids)
        finally:
            await connection.close()

    async def _empty(self) -> None:
        """Delete all rows; at first but for that which a migration wrote."""
        connection = await self._connect()
        try:
            kept = "email_secret" if not self._contents else ""
            tables = ", ".join(table for table in TABLES if table != kept)
            await connection.execute("SET lock_timeout = '10s'")
            await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        finally:
            await connection.close()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await connect(self.url, seconds=None, server_settings={"application_name": "a test"})


def _named(table: str) -> tuple[str, str | None]:
    """The name of a table, and its schema, if that is not the usual one."""
    within, _, name = table.rpartition(".")
    return name, within or None


def name_in(url: str) -> str:
    """The name of the database."""
    return postgresql.read(url).login.get("database", "")


def must_be_usable() -> None:
    """Raises UsageError if the given database is none that tests may have for themselves."""
    if URL is None:
        return
    if not name_in(URL).startswith("test"):
        raise pytest.UsageError("TEST_DATABASE_URL: everything in it is deleted, so its name must begin with `test`")
    if "PYTEST_XDIST_WORKER" in os.environ:
        raise pytest.UsageError("TEST_DATABASE_URL is one database, for one test at a time: -n 0")
