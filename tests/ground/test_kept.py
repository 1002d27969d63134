"""What a test does to its database is gone when the next one has it, and so is whatever cannot be put back."""

import pytest

from app import main
from app.settings import Settings
from tests.conftest import DEMO, Copied, connect, settings_for
from tests.kept import Keeper
from tests.places import Place

CONTENT = """
SELECT (SELECT array_agg(t::text ORDER BY id) FROM theaters t), (SELECT array_agg(t::text ORDER BY id) FROM users t),
       (SELECT array_agg(t::text) FROM alembic_version t), (SELECT last_value FROM users_id_seq)
"""


@pytest.fixture
async def own_keeper(templates: Place, copied: Copied, keeper: Keeper | None) -> Keeper:
    """A keeper who has no database yet."""
    if keeper is None:
        pytest.skip("needs databases of its own, and TEST_DATABASE_URL gives one")
    return Keeper(templates, copied, connect)


@pytest.mark.parametrize(
    "statements",
    [
        ["INSERT INTO users (role) VALUES ('customer')"],
        ["DELETE FROM users WHERE role = 'customer'"],
        ["UPDATE theaters SET name = name || '!'", "UPDATE alembic_version SET version_num = '9999'"],
        ["INSERT INTO users (role) VALUES ('customer')", "DELETE FROM users", "DELETE FROM alembic_version"],
        ["SELECT setval('users_id_seq', 5000)"],
    ],
)
async def test_rows_are_put_back(own_keeper: Keeper, templates: Place, statements: list[str]) -> None:
    async with own_keeper.database(DEMO) as name:
        before = await asked(templates, name, CONTENT)
        connection = await connect(templates.url_of(name))
        await connection.execute("SET session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()
        assert await asked(templates, name, CONTENT) != before

    async with own_keeper.database(DEMO) as again:
        assert again == name
        assert await asked(templates, again, CONTENT) == before
    await own_keeper.drop_all()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE another (id int)",
        "ALTER TABLE theaters ADD COLUMN another int",
        "ALTER TABLE theaters ALTER COLUMN name SET DEFAULT 'another'",
        "DROP INDEX IF EXISTS users_email_key; CREATE INDEX another ON theaters (name)",
        "ALTER TABLE theaters ADD CONSTRAINT another CHECK (id > 0) NOT VALID",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "REVOKE ALL ON theaters FROM CURRENT_USER",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$",
    ],
)
async def test_a_database_that_has_changed_otherwise_is_dropped(
    own_keeper: Keeper, templates: Place, statement: str
) -> None:
    async with own_keeper.database(DEMO) as name:
        await asked(templates, name, statement)

    async with own_keeper.database(DEMO) as another:
        assert another != name
    exists = await asked(templates, "postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{name}'")  # noqa: S608
    assert exists == [(0,)]
    await own_keeper.drop_all()


async def test_a_database_in_which_somebody_is_left_is_dropped(own_keeper: Keeper, templates: Place) -> None:
    async with own_keeper.database(DEMO) as name:
        left = await connect(templates.url_of(name))

    async with own_keeper.database(DEMO) as another:
        assert another != name
    left.terminate()
    await own_keeper.drop_all()


async def test_a_database_that_ended_all_connections_is_dropped(own_keeper: Keeper, templates: Place) -> None:
    async with own_keeper.database(DEMO) as name:
        everybody = f"pg_stat_activity WHERE datname = '{name}'"
        await asked(templates, "postgres", f"SELECT pg_terminate_backend(pid) FROM {everybody}")  # noqa: S608

    async with own_keeper.database(DEMO) as another:
        assert another != name
    await own_keeper.drop_all()


async def test_connections_stay_and_forget(own_keeper: Keeper, templates: Place) -> None:
    def settings(name: str) -> Settings:
        return settings_for(templates, name)

    async with own_keeper.database(DEMO) as name:
        engine = own_keeper.open_engine(settings(name))
        async with engine.connect() as pooled:
            first = await pooled.exec_driver_sql("SELECT pg_backend_pid(), set_config('work_mem', '8MB', false)")
            pids = [first.scalar_one()]
        await engine.dispose()
        async with own_keeper.call(settings(name), jit="on") as own:
            pids.append(await own.fetchval("SELECT pg_backend_pid()"))
            await own.execute("SET jit = off; SELECT pg_advisory_lock(1); BEGIN")

    async with own_keeper.database(DEMO) as name:
        async with own_keeper.call(settings(name), jit="on") as own, own_keeper.call(settings(name)) as other:
            assert [each.get_server_pid() == pids[1] for each in (own, other)] == [True, False]
            assert await own.fetchval("SELECT current_setting('jit')") == "on"
            assert not own.is_in_transaction()
            assert await other.fetchval("SELECT pg_try_advisory_lock(1)")
        again = own_keeper.open_engine(settings(name))
        async with again.connect() as pooled:
            said = await pooled.exec_driver_sql("SELECT pg_backend_pid(), current_setting('work_mem')")
            assert said.one() == (pids[0], "4MB")
        await again.dispose()
    await own_keeper.drop_all()


async def test_connections_begin_anew_when_they_begin_with_something_else(own_keeper: Keeper, templates: Place) -> None:
    async def what_they_begin_with() -> set[str]:
        engine = own_keeper.open_engine(settings)
        async with engine.connect() as pooled, own_keeper.call(settings) as own:
            said = await pooled.exec_driver_sql("SELECT current_setting('work_mem')")
            both = {said.scalar_one(), await own.fetchval("SELECT current_setting('work_mem')")}
        await engine.dispose()
        return both

    async with own_keeper.database(DEMO) as name:
        settings = settings_for(templates, name)
        assert await what_they_begin_with() == {"4MB"}
        await asked(templates, name, f"ALTER DATABASE {name} SET work_mem = '8MB'")
        assert await what_they_begin_with() == {"4MB"}

        await own_keeper.forget_connections(settings)

        assert await what_they_begin_with() == {"8MB"}
    await own_keeper.drop_all()


async def test_connections_that_are_not_as_usual_are_not_kept(own_keeper: Keeper, templates: Place) -> None:
    async with own_keeper.database(DEMO) as name:
        usual = settings_for(templates, name)
        for settings in (
            settings_for(templates, name, statement_cache_size=0),
            usual.model_copy(update={"database_url": f"{usual.database_url}&application_name=another"}),
            settings_for(templates, name, otel_exporter_otlp_endpoint="http://127.0.0.1:1"),
        ):
            engine = own_keeper.open_engine(settings)
            assert type(engine) is main.AsyncEngine
            await engine.dispose()
    await own_keeper.drop_all()


async def asked(place: Place, database: str, statement: str) -> list[tuple[object, ...]]:
    connection = await connect(place.url_of(database))
    try:
        if statement.startswith(("SELECT", "\nSELECT")):
            return [tuple(row) for row in await connection.fetch(statement)]
        await connection.execute(statement)
        return []
    finally:
        await connection.close()
