"""`usher doctor`: checks what the service needs, and prints a line for each, which begins with `ok` or `problem`."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.adapters.embedded import running_process, urls_of
from app.adapters.redis_version import redis_version, writable
from app.db import fitness
from app.db.cluster import nodes
from app.db.cluster.nodes import Node
from app.db.connections import open_for_command
from app.db.migrations import SchemaIsNewer
from app.db.money.books import Total
from app.db.revisions import current, head, known
from app.server.advice import with_advice
from app.services.money import books
from app.settings import Settings
from app.urls import postgresql

_BOOKS_SECONDS: Final = 600
PACKAGES = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "asyncpg", "redis", "pydantic")


class Problem(Exception):
    """A check failed; the text says why, and what to do."""


def examine(settings: Settings, *, with_books: bool = False) -> bool:
    """Check everything, and print a line for each check. `with_books`: look into the books of all payments too.

    Returns:
        Whether all checks passed.
    """
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    print(f"ok       Python {platform.python_version()}, {versions}")
    database_url, redis_url = settings.database_url, settings.redis_url
    if None in (database_url, redis_url):
        if running_process(settings.usher_home) is None:
            print("ok       The embedded servers are not running: `make run` starts them where no URL is set")
        else:
            own_database_url, own_redis_url = urls_of(settings.usher_home)
            database_url, redis_url = database_url or own_database_url, redis_url or own_redis_url
    postgresql_is_well = database_url is None or _report("PostgreSQL", _postgresql, database_url)
    valkey_is_well = redis_url is None or _report("Valkey", partial(_valkey, settings.redis_prefix), redis_url)
    books_are_right = True
    if with_books:
        if database_url is None:
            print("problem  Books: no PostgreSQL is running whose books there are. Start it: make run")
        elif not postgresql_is_well:
            print("problem  Books: not looked at. Mend what is said of PostgreSQL first")
        books_are_right = database_url is not None and postgresql_is_well and _report("Books", _books, database_url)
    return postgresql_is_well and valkey_is_well and books_are_right


def _report(name: str, check: Callable[[str], Awaitable[str]], url: str) -> bool:
    async def within_seconds() -> str:
        return await asyncio.wait_for(check(url), _BOOKS_SECONDS if check is _books else 10)

    try:
        print(f"ok       {name}: {asyncio.run(within_seconds())}")
    except Problem as problem:
        print(f"problem  {name}: {problem}")
        return False
    except (OSError, SQLAlchemyError) as error:
        print(f"problem  {name}: {with_advice(error)}")
        return False
    return True


async def _postgresql(url: str) -> str:
    engine = open_for_command(url)
    try:
        async with engine.connect() as connection:
            told = await _look_into(connection)
            version = await nodes.version(connection)
        advice = postgresql.read(url).advice
        return told + _of_nodes(await nodes.ask_all(engine), version) + (f". {advice}" if advice else "")
    finally:
        await engine.dispose()


async def _valkey(prefix: str, url: str) -> str:
    version = await redis_version(url)
    if advice := await writable(url, prefix):
        raise Problem(f"{version}, but {advice}")
    return version


async def _books(url: str) -> str:
    """What was taken, given back and sold. Raises Problem, which names everything that is not right."""
    engine = open_for_command(url, seconds=None)
    try:
        found = await books.examine(engine)
    finally:
        await engine.dispose()
    said = [_total(each) for each in found.totals]
    if found.still_open:
        said.append(f"{found.still_open} payments are not decided yet")
    if found.are_right:
        return "; ".join(said) or "nobody has paid anything yet"
    wrong = [f"{each.what} ({each.times}): {', '.join(each.ids)}" for each in found.wrong]
    wrong += [f"in all it is not the price of what is sold: {_total(each)}" for each in found.unbalanced]
    raise Problem("; ".join(wrong) + ". Look at each: GET /payments?booking_id=, and what your provider has of it")


def _total(total: Total) -> str:
    back = f"{total.refunded_minor} given back, {total.refunding_minor} on its way back"
    return (
        f"{total.currency} in minor units: {total.captured_minor} taken in {total.payments} payments, {back}, "
        f"{total.sold_minor} is the price of what is sold"
    )


def _of_nodes(asked: Sequence[Node], version: int) -> str:
    """What there is to say about the nodes. Raises Problem, which names each node that has one."""
    if not asked:
        return ""
    found = [f"{node.address} {', '.join(problems)}" for node in asked if (problems := node.problems(version))]
    if found:
        raise Problem(f"{len(asked)} nodes, of which: {'; '.join(found)}")
    return f", {len(asked)} nodes: {', '.join(str(node.address) for node in asked)}"


async def _look_into(connection: AsyncConnection) -> str:
    number = await connection.scalar(text("SHOW server_version"))
    unsafe = [name for name in nodes.DURABLE if await connection.scalar(text(f"SHOW {name}")) == "off"]
    if unsafe:
        raise Problem(f"{number}, but {', '.join(unsafe)} is off, so a crash can lose acknowledged bookings: set it on")
    if problem := (await fitness.look(connection)).problem:
        raise Problem(f"{number}, durable, but: {problem}")
    has, newest = await connection.run_sync(current), head()
    if has is not None and has not in known():
        raise Problem(f"{number}, durable, but: {SchemaIsNewer(has)}")
    if has != newest:
        raise Problem(f"{number}, durable, but its schema is at revision {has}, not {newest}: ./usher migrate")
    return f"{number}, durable, schema at revision {newest}"
