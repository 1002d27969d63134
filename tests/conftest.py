"""Real servers for all tests: one PostgreSQL and one Valkey a run, and for each test a committed database of its own.

A rolled-back transaction could never show a race. What a test has committed is put back when it is done, so the next
one has the database and the connections to it (tests/kept.py). With TEST_DATABASE_URL the tests have that one database
by turns (tests/given.py).
"""

import asyncio
import gc
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Hashable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import argon2
import asyncpg
import hypothesis
import pytest
import redis
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncEngine

from app import main
from app.adapters import dummy_payments
from app.adapters.embedded import EmbeddedServers
from app.db import connecting, connections, heartbeat
from app.db.connections import open_engine
from app.db.migrations import upgrade
from app.loading import nothing_to_collect
from app.main import create_app
from app.resources import Resources
from app.services import health
from app.services.box_office import office
from app.services.house import creating
from app.services.house.demo import load_demo
from app.services.people.passwords import SCHEME
from app.settings import Settings
from tests import given
from tests.citus.hearing import Heard
from tests.forking import Forker, forking
from tests.given import GivenDatabase, must_be_usable, name_in
from tests.kept import Keeper
from tests.patience import PATIENCE_SECONDS, PATIENT
from tests.places import Place, copy_of, roomy_home, started
from tests.pooler import pgbouncer
from tests.pooler.pgbouncer import pooler_to
from tests.processes import Starter

JWT_SECRET = secrets.token_hex(32)
PER_SCREENING = os.environ.get("USHER_TEST_PER_SCREENING") == "1" or pgbouncer.IN_ALL_TESTS
"""The same tests with BATCH_PER_SCREENING=on, and the statements that go with it."""
_BY_WAY_OF_A_POOLER = {"statement_cache_size": 0, "office_connections": 4}
EMPTY, DEMO = "usher_empty", "usher_demo"
EARNEST: Final = SCHEME.current_hasher._hasher  # type: ignore[attr-defined]
QUICK: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


hypothesis.settings.register_profile(
    "patient", hypothesis.settings.default, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")
"""However slow a machine is, no example is wrong because of that."""


def pytest_configure() -> None:
    """The garbage collector looks less often: by itself it takes an eighth of the time."""
    gc.set_threshold(10_000, 20)
    must_be_usable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is found stays to the end."""
    with nothing_to_collect():
        return (yield)


def pytest_collection_finish() -> None:
    """What there is now stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def first_home() -> Iterator[Path]:
    """A home in which Usher has run, with its demo, and runs no more: others are copied from it.

    Its PostgreSQL has a database with nothing but the schema, too.
    """

    async def move_in(url: str) -> None:
        await upgrade(url)
        await _execute(Place(url, ""), f"CREATE DATABASE {EMPTY} TEMPLATE usher")
        await _load_demo(Settings(database_url=url, redis_url="redis://127.0.0.1:1", jwt_secret=JWT_SECRET))

    with roomy_home() as home:
        with started(home, valkey=False) as servers:
            asyncio.run(move_in(servers.database_url or ""))
        yield home


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[EmbeddedServers]:
    """The PostgreSQL and the Valkey of this run."""
    if given.URL is not None:
        pytest.skip("needs a PostgreSQL server of its own, and TEST_DATABASE_URL gives one")
    with copy_of(request.getfixturevalue("first_home")) as home, started(home) as servers:
        yield servers


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where the databases are. The Valkey is always one of our own."""
    if given.URL is None:
        own = request.getfixturevalue("servers")
        with pooler_to(own.database_url) if pgbouncer.IN_ALL_TESTS else nullcontext() as in_front:
            yield Place(own.database_url, own.redis_url, pooler=in_front)
        return
    with roomy_home() as home, started(home, postgresql=False) as servers:
        database = GivenDatabase(given.URL)
        yield Place(database.url, servers.redis_url or "", database)


@pytest.fixture(scope="session")
def templates(place: Place) -> Place:
    """The two databases that all others are copied from: one with the schema alone, one with the demo houses."""

    async def demo() -> None:
        await _load_demo(settings_for(place, DEMO, database_url=place.url_of(DEMO)))  # a pooler would keep a session
        await _execute(place, _PEOPLE, DEMO)

    async def make() -> None:
        if place.given is not None:
            await place.given.prepare(EMPTY, DEMO, demo)
            return
        await _execute(place, f"CREATE DATABASE {DEMO} TEMPLATE usher")
        await _execute(place, _PEOPLE, DEMO)

    asyncio.run(make())
    return place


@pytest.fixture(scope="session")
def starter(forker: Forker) -> Starter:
    """Starts processes that serve, for tests that are about what these do then, not about how they start."""
    return Starter(forker)


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """Starts any command as a process, for tests that are about what it says and does, not about how it is loaded."""
    with forking() as forker:
        yield forker


@pytest.fixture
def quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is hashed in no time, unless the test is about that: `@pytest.mark.earnest_passwords`."""
    if request.node.get_closest_marker("earnest_passwords") is None:
        monkeypatch.setattr(SCHEME.current_hasher, "_hasher", QUICK)


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """What has no setting is patient too: /health, and a retry of a request that is still running.

    A test of impatience has an impatience of its own.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(health, "PATIENCE_SECONDS", PATIENCE_SECONDS)
        for module in (office, creating):
            patched.setattr(module, "SAME_KEY_WAITS_SECONDS", PATIENCE_SECONDS)
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_heard() -> Iterator[Heard]:
    """What the program says to PostgreSQL, from the first test to the last."""
    heard = Heard()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncpg, "connect", heard.by(asyncpg.connect))
        yield heard


@pytest.fixture(autouse=True)
def many_nodes_would_serve_it(statements_heard: Heard) -> Iterator[None]:
    """Whatever the program said in a test keeps the rules for a PostgreSQL of many nodes (tests/citus/rules.py)."""
    yield
    if complaints := statements_heard.complaints():
        pytest.fail("\n\n".join(complaints), pytrace=False)


Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MakeDatabase = Callable[[str], Awaitable[str]]
Copied = Callable[[str, str], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="session")
async def copied(templates: Place) -> AsyncIterator[Copied]:
    """Copies a template (the first word) to a name (the second), which is there as long as the block.

    By files: its pages are not written to the log as well, and what PostgreSQL has learnt of the catalog comes along.
    """
    if templates.given is not None:
        yield _cannot_copy
        return
    admin = await connect(templates.url_of("postgres"))

    @asynccontextmanager
    async def copy(template: str, name: str) -> AsyncIterator[None]:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    yield copy
    await admin.close()


def _cannot_copy(template: str, name: str) -> AbstractAsyncContextManager[None]:
    pytest.skip("needs databases of its own, and TEST_DATABASE_URL gives one")


@pytest.fixture(scope="session")
async def keeper(templates: Place, copied: Copied) -> AsyncIterator[Keeper | None]:
    """Who keeps databases from test to test, with the program's connections to them; None where there is but one.

    A pooler has the connections, and would not give them up.
    """
    if templates.given is not None or templates.pooler is not None:
        yield None
        return
    keeper = Keeper(templates, copied, connect)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(main, "open_engine", keeper.open_engine)
        for module in (connections, heartbeat):
            patched.setattr(module, "call", keeper.call)
        yield keeper
    await keeper.drop_all()


@pytest.fixture
async def make_database(templates: Place, copied: Copied, keeper: Keeper | None) -> AsyncIterator[MakeDatabase]:
    """Gives the name of a database that is like a template, and the test's own."""
    async with AsyncExitStack() as stack:
        made: list[str] = []

        async def make(template: str) -> str:
            if templates.given is not None:
                if made:
                    pytest.skip("needs two databases, and TEST_DATABASE_URL gives one")
                await templates.given.put_back(template)
                made.append(templates.given.name)
                return made[-1]
            if keeper is not None:
                return await stack.enter_async_context(keeper.database(template))
            made.append(f"test_{secrets.token_hex(6)}")
            await stack.enter_async_context(copied(template, made[-1]))
            return made[-1]

        yield make


MakeSettings = Callable[..., Settings]


@pytest.fixture
async def make_settings(templates: Place, make_database: MakeDatabase) -> MakeSettings:
    """Settings with what a test changes, on a demo database of the test's own: the same one at each call."""
    database = await make_database(DEMO)
    _forget_everything(templates)
    return partial(settings_for, templates, database)


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """The settings of a test that changes none: holds last five minutes, the sweeper does not run by itself."""
    return make_settings()


@pytest.fixture
async def engine(templates: Place, make_database: MakeDatabase) -> AsyncIterator[AsyncEngine]:
    """A pool on a migrated database with nothing in it."""
    opened = main.open_engine(settings_for(templates, await make_database(EMPTY)))
    yield opened
    await opened.dispose()


@pytest.fixture
async def demo_engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """A pool on the test's demo database, the one that `client` is served from."""
    opened = main.open_engine(settings)
    yield opened
    await opened.dispose()


@pytest.fixture
async def database(templates: Place, settings: Settings) -> AsyncIterator[Connection]:
    """A connection of the test's own, to look into its demo database, to lock rows in it, to move times back."""
    connection = await connect(templates.url_of(name_in(settings.database_url or "")))
    yield connection
    await connection.close()


OpenApp = Callable[..., Awaitable[AsyncClient]]


@pytest.fixture
async def open_app(make_settings: MakeSettings) -> AsyncIterator[OpenApp]:
    """Starts the application, once or several times on the same database: each call is a process of its own, so to say.

    Takes settings to change; gives a client whose `app` state is at `resources_of(client)`.
    """
    async with AsyncExitStack() as stack:

        async def open_one(**changes: Any) -> AsyncClient:
            return await stack.enter_async_context(serving(make_settings(**changes)))

        yield open_one


@pytest.fixture
async def client(open_app: OpenApp) -> AsyncClient:
    """A client of an application on the test's demo database."""
    return await open_app()


@pytest.fixture
def nobody_waits_for_the_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the dummy decides later, or never, the time of waiting is over at once; for the rest there is enough."""

    async def decided(seconds: float | None) -> None:
        if seconds is None or seconds >= 1:
            raise TimeoutError
        await asyncio.sleep(seconds)

    monkeypatch.setattr(dummy_payments, "_decided", decided)


@pytest.fixture
def resources(client: AsyncClient) -> Resources:
    """What the application behind `client` has open."""
    return resources_of(client)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[AsyncClient]:
    """An application with its loops running, and a client that talks to it without a network."""
    app = built(settings)
    started, stopping = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.router.lifespan_context(app):
            started.set()
            await stopping.wait()

    # The lifespan's task group must be left by the task that entered it, whichever task runs the fixture's end.
    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await started.wait()
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://usher") as opened:
            yield opened
        stopping.set()
    may_serve_again(app)


_idle: defaultdict[Hashable, list[FastAPI]] = defaultdict(list)
"""Applications that a test has done with. What takes most of the time to make one is the same in all: its routes."""


def built(settings: Settings) -> FastAPI:
    """An application that opens what these settings say when it starts; its routes may have served a test before."""
    if idle := _idle[_kind(settings)]:
        app = idle.pop()
        app.state.settings = settings
        return app
    return create_app(settings)


def may_serve_again(app: FastAPI) -> None:
    """A test has done with it."""
    if not app.dependency_overrides:
        _idle[_kind(app.state.settings)].append(app)


def _kind(settings: Settings) -> Hashable:
    """The settings that say how an application is built, not what it opens."""
    return settings.usher_plain, *settings.cors_origins


def resources_of(client: AsyncClient) -> Resources:
    """What the application behind a client has open."""
    transport = client._transport
    assert isinstance(transport, ASGITransport)
    assert isinstance(transport.app, FastAPI)
    resources = transport.app.state.resources
    assert isinstance(resources, Resources)
    return resources


def settings_for(place: Place, database: str, **changes: Any) -> Settings:
    """Settings of the tests, with what one changes, on this database."""
    url = place.programs_url_of(database)
    if not changes:
        return _usual_settings(place).model_copy(update={"database_url": url})
    return _checked(place, **{"database_url": url, **changes})


@cache
def _usual_settings(place: Place) -> Settings:
    return _checked(place)


def _checked(place: Place, **changes: Any) -> Settings:
    return Settings(
        **{
            "database_url": place.database_url,
            "redis_url": place.redis_url,
            "jwt_secret": JWT_SECRET,
            "sweep": False,
            "reconcile_seconds": 60,  # Valkey is believed throughout a test, and compared when the test says so
            "rate_limits": False,
            "batch_per_screening": PER_SCREENING,
            **(_BY_WAY_OF_A_POOLER if place.pooler else {}),
            **PATIENT,
            **changes,
        }
    )


def _forget_everything(place: Place) -> None:
    with redis.Redis.from_url(place.redis_url) as connection:
        connection.flushall()


async def connect(url: str) -> Connection:
    """A connection of a test's own."""
    return await connecting.connect(url, seconds=None, server_settings={"application_name": "a test"})


async def _load_demo(settings: Settings) -> None:
    """With the passwords of its people in earnest, whichever test comes first."""
    engine = open_engine(settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SCHEME.current_hasher, "_hasher", EARNEST)
        await load_demo(engine, datetime.now(UTC), settings, with_people=True)
    await engine.dispose()


# Those who take seats in tests that know nothing of accounts: users 1 to 1000.
_PEOPLE = "INSERT INTO users (role) SELECT 'customer' FROM generate_series(1, 1000)"


async def _execute(place: Place, statement: str, database: str = "postgres") -> None:
    connection = await connect(place.url_of(database))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
