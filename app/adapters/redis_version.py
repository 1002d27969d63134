"""The version of Valkey or Redis, for `usher doctor`."""

from redis.asyncio import Redis
from redis.exceptions import RedisError


async def redis_version(url: str) -> str:
    """The version of the server at this URL.

    Raises:
        OSError: it is not reachable.
    """
    try:
        async with Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, decode_responses=True) as client:
            info = await client.info("server")
    except RedisError as error:
        raise OSError(str(error)) from error
    return str(info.get("valkey_version") or info["redis_version"])
