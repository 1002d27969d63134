"""Databases that tests have by turns, each with the connections to it.

To copy a database, and to connect to it anew, takes longer than what most tests do there. So when a test is done, the
rows that it changed are put back, and the program's connections stay for the next one. A database that has changed in
more than its rows, or in which somebody is left, is dropped.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.connections import LOST, OfficeConnection, call, connection_counts, open_engine
from app.settings import Settings
from tests.patience import PATIENCE_SECONDS
from tests.places import Place

Copy = Callable[[str, str], AbstractAsyncContextManager[None]]
Connect = Callable[[str], Awaitable[OfficeConnection]]

LEAVES_SECONDS: Final = 2.0
"""So long whoever has hung up may still be in the database."""
SPARE: Final = 2
"""So many pools of a database are kept: a test with settings of its own needs one of its own."""

_WAYS: Final = (
    *("database_url", "database_pool_size", "postgresql_connect_seconds", "statement_cache_size"),
    *("statement_timeout_ms", "lock_timeout_ms", "batch_per_screening"),
)
"""The settings that say how to connect."""

_TABLES: Final = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = $1::text::"char" AND n.nspname IN ('public', 'dummy_bank') ORDER BY 1
"""

_SHAPE: Final = """
SELECT count(*), sum(version) FROM (
    SELECT xmin::text::bigint FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_trigger WHERE oid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_namespace
    UNION ALL SELECT xmin::text::bigint FROM pg_db_role_setting
     WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS catalog (version)
"""
"""Whatever is created, altered or dropped leaves other versions of rows in these."""

_STRANGERS: Final = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid <> ALL($1)
"""

_GONE: Final = (*LOST, asyncpg.PostgresError)


class KeptEngine(AsyncEngine):
    """A pool that outlives those who use it."""

    def __init__(self, opened: AsyncEngine, database: "KeptDatabase", way: Hashable) -> None:
        super().__init__(opened.sync_engine)
        self.way = way
        self.connections: list[OfficeConnection] = []
        self._database = database
        self._others: dict[Hashable, AsyncEngine] = {}
        event.listen(self.sync_engine, "connect", lambda made, _: self.connections.append(made.driver_connection))
        self._own = {listener for _, listener in self._listeners()}

    async def dispose(self, close: bool = True) -> None:
        """Whoever used it is done with it. It is closed only if something is wrong with it."""
        for name, listener in self._listeners():
            if listener not in self._own:
                event.remove(self.sync_engine, name, listener)
        self.connections = [each for each in self.connections if not each.is_closed()]
        if len(self.connections) == connection_counts(self)[1][1] and await self._is_as_good_as_new():
            await self._database.keep(self)
        else:
            await super().dispose(close)

    def execution_options(self, **options: Any) -> AsyncEngine:
        """Whoever wants the same has the same: to make it takes long, and each service wants one."""
        wanted = frozenset(options.items())
        if wanted not in self._others:
            self._others[wanted] = super().execution_options(**options)
        return self._others[wanted]

    async def _is_as_good_as_new(self) -> bool:
        return all([await _is_as_good_as_new(each) for each in self.connections])

    def _listeners(self) -> Iterator[tuple[str, Callable[..., object]]]:
        """Who listens to the pool, or wants to know of each new connection."""
        yield from (("connect", each) for each in list(self.sync_engine.pool.dispatch.connect))
        yield from (("do_connect", each) for each in list(self.sync_engine.dialect.dispatch.do_connect))


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A connection that somebody has for themselves, and what ends it."""

    connection: OfficeConnection
    open: AsyncExitStack


@dataclass(slots=True)
class KeptDatabase:
    """One database, the pools and connections to it, and a connection over which its rows are put back."""

    name: str
    connection: OfficeConnection
    dropped: AsyncExitStack
    engines: list[KeptEngine] = field(default_factory=list)
    calls: defaultdict[Hashable, list[KeptCall]] = field(default_factory=lambda: defaultdict(list))
    _question: str = ""
    _content: dict[str, tuple[int, int]] = field(default_factory=dict)
    _shape: object = None
    _sequences: frozenset[str] = frozenset()

    async def note(self) -> None:
        """Note what it has: that is what it will have again."""
        tables, sequences = [[each[0] for each in await self.connection.fetch(_TABLES, kind)] for kind in ("r", "S")]
        for table in tables:
            await self.connection.execute(f'CREATE TEMPORARY TABLE "kept {table}" AS TABLE {table}')
        self._sequences = frozenset(sequences)
        self._question = " UNION ALL ".join(
            (
                *(f"SELECT '{each}', count(*), sum(xmin::text::bigint) FROM {each}" for each in tables),  # noqa: S608
                *(f"SELECT '{each}', last_value, is_called::int FROM {each}" for each in sequences),  # noqa: S608
            )
        )
        self._content = await self._read()
        self._shape = await self.connection.fetchrow(_SHAPE)

    async def put_back(self) -> bool:
        """It has what it had. Returns whether that could be done."""
        try:
            return await self._put_all_back()
        except _GONE:  # a test has ended the connection, too
            return False

    async def _put_all_back(self) -> bool:
        if await self.connection.fetchrow(_SHAPE) != self._shape or not await self._is_left():
            return False
        async with self.connection.transaction():
            # Nothing else is to happen because of it, and what refers to what is right in the end.
            await self.connection.execute("SET LOCAL session_replication_role = replica")
            other = {name: now for name, now in (await self._read()).items() if now != self._content[name]}
            for name, now in other.items():
                await self._put_back(name, now[0], *self._content[name])
        if other:
            self._content = await self._read()
        return True

    async def keep(self, engine: KeptEngine) -> None:
        """Nobody needs this pool for now."""
        self.engines.append(engine)
        if len(self.engines) > SPARE:
            await AsyncEngine.dispose(self.engines.pop(0))

    async def drop(self) -> None:
        """It is of no use any more."""
        await self.dropped.aclose()

    async def close(self) -> None:
        """End all connections."""
        await self.close_connections()
        self.connection.terminate()

    async def close_connections(self) -> None:
        """End those that nobody has."""
        while self.engines:
            await AsyncEngine.dispose(self.engines.pop())
        for calls in self.calls.values():
            while calls:
                await calls.pop().open.aclose()

    async def _read(self) -> dict[str, tuple[int, int]]:
        """How many rows each table has, and a figure that grows with each other row in the place of one of them; what
        each sequence gave out last, and whether it did.
        """
        return {name: (many, what) for name, many, what in await self.connection.fetch(self._question)}

    async def _put_back(self, name: str, now: int, many: int, what: int) -> None:
        ask = self.connection.fetchval  # plans are kept, too
        if name in self._sequences:
            await ask(f"SELECT setval('{name}', {many}, {bool(what)})")
            return
        is_new = f'NOT EXISTS (SELECT FROM "kept {name}" k WHERE k::text = t::text)' if many else "true"
        gone = await ask(f"WITH gone AS (DELETE FROM {name} t WHERE {is_new} RETURNING 1) SELECT count(*) FROM gone")  # noqa: S608
        if now - gone < many:
            is_missing = f"NOT EXISTS (SELECT FROM {name} t WHERE t::text = k::text)"
            await ask(f'INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT k.* FROM "kept {name}" k WHERE {is_missing}')  # noqa: S608

    async def _is_left(self) -> bool:
        """Nobody is in it but those who stay. Who has hung up is gone in a moment."""
        ours = [each for engine in self.engines for each in engine.connections]
        ours += [each.connection for calls in self.calls.values() for each in calls]
        pids = [each.get_server_pid() for each in ours]
        loop = asyncio.get_running_loop()
        end = loop.time() + LEAVES_SECONDS
        while await self.connection.fetchval(_STRANGERS, pids):
            if loop.time() > end:
                return False
            await asyncio.sleep(0.002)
        return True


class Keeper:
    """Has the databases that nobody has at the moment, and knows those that somebody has."""

    def __init__(self, place: Place, copy: Copy, connect: Connect) -> None:
        self._place = place
        self._copy = copy
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._free: defaultdict[str, list[KeptDatabase]] = defaultdict(list)
        self._taken: dict[str, KeptDatabase] = {}
        """By the URL at which the program is led to it."""

    @asynccontextmanager
    async def database(self, template: str) -> AsyncIterator[str]:
        """The name of a database that is like the template. What is done in it has no consequences after the block."""
        free = self._free[template]
        database = free.pop() if free else await self._make(template)
        url = self._place.programs_url_of(database.name)
        self._taken[url] = database
        try:
            yield database.name
        finally:
            del self._taken[url]
            if await database.put_back():
                free.append(database)
            else:
                await database.drop()

    async def drop_all(self) -> None:
        """Drop those that nobody has."""
        for free in self._free.values():
            while free:
                await free.pop().drop()

    async def forget_connections(self, settings: Settings) -> None:
        """Connections to this database begin anew: what they begin with has changed."""
        database = self._database_of(settings)
        if database is not None:
            await database.close_connections()

    def open_engine(self, settings: Settings) -> AsyncEngine:
        """As `connections.open_engine`. To dispose of the pool means that another may have it."""
        database = self._database_of(settings)
        if database is None:
            return open_engine(settings)
        way = _way(settings)
        for engine in database.engines:
            if engine.way == way:
                database.engines.remove(engine)
                return engine
        return KeptEngine(open_engine(settings), database, way)

    @asynccontextmanager
    async def call(
        self, settings: Settings, seconds: float | None = None, **server_settings: str
    ) -> AsyncIterator[OfficeConnection]:
        """As `connections.call`."""
        database = self._database_of(settings)
        async with AsyncExitStack() as stack:
            if database is None:
                yield await stack.enter_async_context(call(settings, seconds, **server_settings))
                return
            free = database.calls[_way(settings), *sorted(server_settings.items())]
            if free:
                kept = free.pop()
                stack.push_async_exit(kept.open)
            else:
                opened = AsyncExitStack()
                stack.push_async_exit(opened)
                kept = KeptCall(await opened.enter_async_context(call(settings, seconds, **server_settings)), opened)
            try:
                yield kept.connection
            finally:
                if len(free) < SPARE and await _is_as_good_as_new(kept.connection):
                    stack.pop_all()
                    free.append(kept)

    def _database_of(self, settings: Settings) -> KeptDatabase | None:
        """The one that is meant. None if it is none of these, or if connections to it are not as usual: led another
        way, heard by somebody else, in the loop of a command.
        """
        is_usual = settings.statement_cache_size > 0 and settings.traces_endpoint is None
        if not is_usual or asyncio.get_running_loop() is not self._loop:
            return None
        return self._taken.get(settings.database_url or "")

    async def _make(self, template: str) -> KeptDatabase:
        name = f"test_{token_hex(6)}"
        stack = AsyncExitStack()
        await stack.enter_async_context(self._copy(template, name))
        database = KeptDatabase(name, await self._connect(self._place.url_of(name)), stack)
        stack.push_async_callback(database.close)
        await database.note()
        return database


def _way(settings: Settings) -> Hashable:
    return tuple(getattr(settings, name) for name in _WAYS)


async def _is_as_good_as_new(connection: OfficeConnection) -> bool:
    try:
        await connection.reset(timeout=PATIENCE_SECONDS)
    except _GONE:
        return False
    return not connection.is_closed()
