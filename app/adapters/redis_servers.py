"""The way to Redis or Valkey, for everyone who asks it: a server, a socket, or what sentinels say is the primary.

What the URL says is read in one place (`app/urls/redis.py`), and nothing in it changes how answers are read here.
"""

from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo

from app.urls.redis import RedisUrl, read

MOST_CONNECTIONS: Final = 64
_DRIVER: Final = DriverInfo()
"""What each connection tells the server of redis-py. It would read the files of its own package for each, otherwise."""


@dataclass(frozen=True, slots=True)
class Names:
    """What keys and channels are called: they begin with REDIS_PREFIX and with the installation whose they are."""

    prefix: str = "usher"
    installation: str = ""

    def of(self, name: str) -> str:
        """The name of a key of this installation alone."""
        return f"{self.prefix}:{self.installation}:{name}" if self.installation else f"{self.prefix}:{name}"

    @property
    def shared(self) -> str:
        """The key that all installations with this prefix share: who is here."""
        return f"{self.prefix}:installations"


def open_redis(
    url: str,
    *,
    connect_seconds: float,
    answer_seconds: float | None,
    retry: Retry | None = None,
    max_connections: int = MOST_CONNECTIONS,
) -> Redis:
    """A client, with connections of its own, which it opens when they are needed and closes when it is closed.

    Args:
        url: in any form that `app/urls/redis.py` reads.
        connect_seconds: the timeout of a new connection.
        answer_seconds: the timeout of an answer; None: however long it takes.
        retry: when something is tried again; by default once, if a connection is broken.
        max_connections: the most at a time.
    """
    return Redis.from_pool(
        connections(
            url,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            retry=retry,
            max_connections=max_connections,
            legacy_responses=False,
        )
    )


def connections(
    url: str, *, connect_seconds: float, answer_seconds: float | None, retry: Retry | None = None, **how: Any
) -> ConnectionPool:
    """The connections of a client. Takes what `open_redis` does, and whatever else redis-py has for a connection."""
    where = read(url)
    bounds = {"socket_connect_timeout": connect_seconds, "socket_timeout": answer_seconds}
    told: dict[str, Any] = {
        "protocol": 3,
        "driver_info": _DRIVER,
        "db": where.database,
        "retry": retry or Retry(NoBackoff(), 1),
        **bounds,
        **where.login,
        **how,
    }
    if where.socket is not None:
        return ConnectionPool(connection_class=UnixDomainSocketConnection, path=where.socket, **told)
    if where.is_encrypted:
        told |= where.tls
    if where.service is not None:
        return _ByWayOfSentinels(where, connect_seconds, **told)
    host, port = where.hosts[0]
    kind = SSLConnection if where.is_encrypted else Connection
    return ConnectionPool(connection_class=kind, host=host, port=port, **told)


async def has_moved(redis: Redis) -> bool:
    """Whether sentinels name another primary than when they were asked last; what is said from now on goes there."""
    pool = redis.connection_pool
    if not isinstance(pool, _ByWayOfSentinels):
        return False
    before = pool.master_address
    named = await pool.get_master_address()  # type: ignore[no-untyped-call]  # it has no types
    return before is not None and named != before


class _ByWayOfSentinels(SentinelConnectionPool):
    """Connections to the server that the sentinels name, and to the sentinels. Each is asked once, and not for long."""

    def __init__(self, where: RedisUrl, seconds: float, **told: Any) -> None:
        asked: dict[str, Any] = {
            "protocol": 3,
            "driver_info": _DRIVER,
            "legacy_responses": False,
            "socket_connect_timeout": seconds,
            "socket_timeout": seconds,
            "retry": Retry(NoBackoff(), 0),
            **where.sentinel_login,
        }
        if where.is_encrypted:
            asked |= {"ssl": True, **where.tls}
        self._sentinels = Sentinel(where.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]  # it has no types
        super().__init__(  # type: ignore[no-untyped-call]  # nor has this
            where.service, self._sentinels, ssl=where.is_encrypted, **told
        )

    async def aclose(self) -> None:
        await super().aclose()
        await self._sentinels.aclose()
