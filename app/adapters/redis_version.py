"""What there is to say about Valkey or Redis, for `usher doctor`."""

from redis.exceptions import RedisError

from app.adapters.redis_cache import RedisCache
from app.adapters.redis_servers import Names, open_redis

_SECONDS = 5.0


async def redis_version(url: str) -> str:
    """The version of the server at this URL.

    Raises:
        OSError: it is not reachable.
    """
    client = open_redis(url, connect_seconds=_SECONDS, answer_seconds=_SECONDS)
    try:
        info = await client.info("server")
    except RedisError as error:
        raise OSError(str(error)) from error
    finally:
        await client.aclose()
    return str(info.get("valkey_version") or info["redis_version"])


async def writable(url: str, prefix: str) -> str:
    """Empty if Usher could write there, else what to do about it."""
    cache = RedisCache(url, _SECONDS, Names(prefix, "doctor"))
    try:
        return (await cache.state()).advice
    finally:
        await cache.close()
