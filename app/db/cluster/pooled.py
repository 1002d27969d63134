"""A connection by way of a pooler in transaction mode (PgBouncer): each transaction may run in another session.

Nothing can be set for a session there: whoever gets the session next would have it. So each transaction begins with the
settings, and a statement that is said outside of a transaction gets one of its own. Nothing stays prepared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

import asyncpg

T = TypeVar("T")

_BEGIN: Final = "BEGIN"
_NEVER_IN_A_TRANSACTION: Final = " CONCURRENTLY "
_CANNOT_SAY_IT: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class PooledConnection(asyncpg.Connection):
    """One class for each set of settings: `pooled`."""

    settings: ClassVar[str] = ""
    """What each transaction begins with, after its BEGIN."""

    def is_in_transaction(self) -> bool:
        """As asyncpg's. Raises InterfaceError if it is closed, as all else does: the pool drops it then."""
        if self.is_closed():
            raise asyncpg.InterfaceError("connection is closed")
        return bool(super().is_in_transaction())

    async def execute(self, query: str, *args: Any, **how: Any) -> str:
        """As asyncpg's. A BEGIN brings the settings along, in the same round trip."""
        if query.startswith(_BEGIN):
            query = f"{query.rstrip(';')};{self.settings}"
        if not args:
            return await super().execute(query, **how)
        return await self._in_transaction(super().execute, query, *args, **how)

    async def prepare(self, query: str, **how: Any) -> Any:
        """As asyncpg's, for what is then run once, and before anything else is said."""
        if _NEVER_IN_A_TRANSACTION in query:
            return _Text(self, query)
        how["name"] = ""
        if self.is_in_transaction():
            return await super().prepare(query, **how)
        await self.execute(_BEGIN)
        return _Once(self, await self._or_roll_back(super().prepare(query, **how)))

    async def executemany(self, command: str, args: Any, **how: Any) -> None:
        """As asyncpg's."""
        await self._in_transaction(super().executemany, command, args, **how)

    async def fetch(self, query: str, *args: Any, **how: Any) -> Any:
        """As asyncpg's."""
        return await self._in_transaction(super().fetch, query, *args, **how)

    async def fetchrow(self, query: str, *args: Any, **how: Any) -> Any:
        """As asyncpg's."""
        return await self._in_transaction(super().fetchrow, query, *args, **how)

    async def fetchval(self, query: str, *args: Any, **how: Any) -> Any:
        """As asyncpg's."""
        return await self._in_transaction(super().fetchval, query, *args, **how)

    def _cancel_current_command(self, *_: object) -> None:
        """What asyncpg does about a statement that nobody waits for any more: hang up, and the pooler rolls back.

        A request to cancel would have to find its session behind the pooler (*seen*: PgBouncer 1.18 ends by itself).
        """
        asyncio.get_running_loop().call_soon(self.terminate)

    async def _in_transaction(self, say: Callable[..., Awaitable[T]], *said: Any, **how: Any) -> T:
        """In the transaction that there is, or else in one of its own."""
        if self.is_in_transaction():
            return await say(*said, **how)
        await self.execute(_BEGIN)
        return await self.and_commit(say(*said, **how))

    async def and_commit(self, said: Awaitable[T]) -> T:
        """The answer to the only statement of a transaction, once it is committed."""
        answer = await self._or_roll_back(said)
        await self.execute("COMMIT")
        return answer

    async def _or_roll_back(self, said: Awaitable[T]) -> T:
        try:
            return await said
        except BaseException:
            await self._roll_back()
            raise

    async def _roll_back(self) -> None:
        """Or close the connection: the pooler rolls back then."""
        try:
            await self.execute("ROLLBACK")
        except _CANNOT_SAY_IT:
            self.terminate()


class _Once:
    """A prepared statement in a transaction of its own, which ends when it was run."""

    def __init__(self, connection: PooledConnection, prepared: Any) -> None:
        self._connection = connection
        self._prepared = prepared
        self.get_attributes = prepared.get_attributes
        self.get_statusmsg = prepared.get_statusmsg

    async def fetch(self, *args: Any) -> Any:
        return await self._connection.and_commit(self._prepared.fetch(*args))


class _Text:
    """A statement that is sent as it is: it gives no rows, and refuses to be part of a transaction."""

    def __init__(self, connection: PooledConnection, query: str) -> None:
        self._connection = connection
        self._query = query
        self._said = ""

    def get_attributes(self) -> tuple[()]:
        return ()

    def get_statusmsg(self) -> str:
        return self._said

    async def fetch(self) -> tuple[()]:
        self._said = await self._connection.execute(self._query)
        return ()


def pooled(settings: Mapping[str, str]) -> type[PooledConnection]:
    """The connections whose transactions have these settings of PostgreSQL, which are our own words."""
    return _pooled("".join(f" SET LOCAL {name} = '{value}';" for name, value in settings.items()))


@cache
def _pooled(statements: str) -> type[PooledConnection]:
    return type("PooledConnection", (PooledConnection,), {"settings": statements})
