"""The runner of the migrations: both ways, one process at a time, and never long in anybody's way."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.db.migrations import (
    ADVISORY_LOCK,
    CannotMigrate,
    SchemaIsNewer,
    check,
    current_and_head,
    downgrade,
    upgrade,
    with_migration_lock,
)
from app.db.revisions import head, known
from app.db.schema import metadata
from app.services.money import books


@pytest.fixture
async def url(some_postgresql: str) -> AsyncIterator[str]:
    """An empty database."""
    name = f"test_{secrets.token_hex(6)}"
    admin = await connect(some_postgresql)
    await admin.execute(f"CREATE DATABASE {name}")
    yield some_postgresql.replace("/usher?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection beside SQLAlchemy's."""
    return await asyncpg.connect(url.replace("+asyncpg", ""))


def test_the_names_of_the_files_say_what_alembic_reads_in_them() -> None:
    scripts = ScriptDirectory.from_config(Config("alembic.ini"))

    assert head() == scripts.get_current_head()
    assert known() == {script.revision for script in scripts.walk_revisions()}


async def test_up_matches_the_schema_and_down_leaves_nothing(url: str) -> None:
    await upgrade(url)
    await check(url)
    assert await current_and_head(url) == (head(), head())

    await downgrade(url, "base")

    connection = await connect(url)
    left = await connection.fetchval(
        "SELECT array_agg(relname::text) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"
    )
    await connection.close()
    assert left is None
    assert await current_and_head(url) == (None, head())


async def test_two_at_once_wait_for_each_other(url: str) -> None:
    await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))

    assert await current_and_head(url) == (head(), head())


async def test_whoever_comes_second_starts_when_the_first_is_done(url: str) -> None:
    rival = await connect(url)
    await rival.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)

    second = asyncio.create_task(upgrade(url))
    await asyncio.wait([second], timeout=0.5)
    assert not second.done()
    await rival.close()

    await second
    assert await current_and_head(url) == (head(), head())


async def test_whoever_waits_says_for_whom_and_not_for_ever(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pooler may keep the session of a process that has gone: so it was when the lock was one of the session."""
    monkeypatch.setattr("app.db.migrations.PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("app.db.migrations.SAID_AFTER_SECONDS", 0.0)
    rival = await connect(url)
    await rival.execute("SET application_name = 'left over'; SELECT pg_advisory_lock(1433626725)")

    with pytest.raises(CannotMigrate, match=r": left over at this machine \(pid \d+\), idle for \d+ s\. Nothing was"):
        await upgrade(url)

    await rival.close()
    assert "another process migrates, waiting for it: left over at this machine" in caplog.text
    assert await current_and_head(url) == (None, head())


async def test_a_schema_of_a_newer_release_is_left_as_it_is(url: str) -> None:
    await upgrade(url)
    connection = await connect(url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()

    for migrating in (upgrade(url), upgrade(url, "0001"), downgrade(url, "base")):
        with pytest.raises(SchemaIsNewer, match="revision 9999"):
            await migrating

    assert await current_and_head(url) == ("9999", head())


async def test_a_revision_that_does_not_exist_is_named_in_one_line(url: str) -> None:
    with pytest.raises(CannotMigrate, match=r"^The schema cannot be migrated to 77[^\n]+$"):
        await upgrade(url, "77")


async def test_a_migration_gives_up_on_a_table_that_stays_locked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.migrations.LOCK_TIMEOUT", "50ms")
    rival = await connect(url)
    await rival.execute("CREATE TABLE busy (n int)")
    await rival.execute("BEGIN; LOCK TABLE busy")

    with pytest.raises(DBAPIError, match="lock timeout"):
        await with_migration_lock(url, lambda own: own.execute(text("ALTER TABLE busy ADD m int")) and None)

    await rival.close()


async def test_what_alembic_does_not_compare_is_as_in_the_schema_too(url: str) -> None:
    """The order of a primary key's columns, how an index is built, whether of all rows, and how full a page may be."""
    await upgrade(url)

    connection = await connect(url)
    keys = await connection.fetch(
        "SELECT conrelid::regclass::text AS table, array_agg(a.attname::text ORDER BY k.place) AS columns"
        "  FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS k(number, place), pg_attribute a"
        " WHERE c.contype = 'p' AND a.attrelid = c.conrelid AND a.attnum = k.number GROUP BY 1"
    )
    methods = await connection.fetch(
        "SELECT c.relname, m.amname FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE c.relkind = 'i'"
    )
    partial = await connection.fetch(
        "SELECT c.relname, i.indpred IS NOT NULL FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
    )
    options = await connection.fetch("SELECT oid::regclass::text, reloptions FROM pg_class WHERE relkind = 'r'")
    await connection.close()
    columns_of, method_of, is_partial, options_of = (
        {row[0]: row[1] for row in rows} for rows in (keys, methods, partial, options)
    )
    for name, table in metadata.tables.items():
        assert columns_of[name] == [column.name for column in table.primary_key]
        asked = table.dialect_options["postgresql"]["with"] or {}
        assert options_of[name] == ([f"{option}={value}" for option, value in asked.items()] or None)
        for index in table.indexes:
            assert method_of[index.name] == (index.dialect_options["postgresql"]["using"] or "btree")
            assert is_partial[index.name] == (index.dialect_options["postgresql"]["where"] is not None)


async def test_indexes_that_an_interrupted_migration_left_are_built_again(url: str) -> None:
    await upgrade(url, "0004")
    connection = await connect(url)
    for left in ("idempotency_keys_by_age_new", "seat_events_by_age_new"):
        await connection.execute(f"CREATE INDEX {left} ON {left.partition('_by_')[0]} (user_id)")
    await connection.execute("DROP INDEX seat_events_by_age")

    await upgrade(url)

    await check(url)
    left = await connection.fetchval("SELECT array_agg(relname::text) FROM pg_class WHERE relname LIKE '%\\_new'")
    await connection.close()
    assert left is None


async def test_ways_to_rows_that_an_interrupted_migration_left_are_built_again(url: str) -> None:
    await upgrade(url, "0021")
    connection = await connect(url)
    for left, table in (("claims_of_user", "seat_claims"), ("keys_of_owner", "idempotency_keys")):
        await connection.execute(f"CREATE INDEX {left} ON {table} (screening_id)")
    await connection.execute("DROP INDEX seat_claims_of_user")

    await upgrade(url)

    await check(url)
    built = await connection.fetch(
        "SELECT indexdef FROM pg_indexes WHERE tablename IN ('seat_claims', 'idempotency_keys') ORDER BY indexname"
    )
    await connection.close()
    assert [row[0].partition(" USING btree ")[2] for row in built] == [
        "(screening_id, user_id) WHERE (user_id IS NOT NULL)",
        "(created_at)",
        "(screening_id, owner_id, key)",
        "(owner_id, key)",
        "(screening_id, seat_id)",
    ]


async def test_plans_and_states_come_apart_and_together_again(url: str) -> None:
    """What was sold before stays as it was, on the way there and back."""
    await upgrade(url, "0012")
    connection = await connect(url)
    await connection.execute("""
        INSERT INTO users (is_guest) VALUES (true);
        INSERT INTO theaters (name, timezone) VALUES ('T', 'Asia/Tokyo');
        INSERT INTO screenings (theater_id, title, starts_at, prices, version, revision, layout_revision,
                                max_seats_per_user, cancelled_at)
        VALUES (1, 'S', '2030-01-01', '{}', 7, 3, 2, 4, '2029-01-01');
        INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, version)
        VALUES (1, gen_random_uuid(), 1, 'held', '2028-01-01', '2028-01-01', '2028-01-02', 7);
    """)

    await upgrade(url)
    state = await connection.fetchrow("SELECT * FROM screening_states")
    await connection.execute("UPDATE screening_states SET version = 9, revision = 5")
    sequences = [f"pg_get_serial_sequence('{table}', 'id')" for table in ("theaters", "seats", "screenings")]
    beyond = [await connection.fetchval(f"SELECT setval({each}, 2147483648)") for each in sequences]
    for each in sequences:
        await connection.execute(f"SELECT setval({each}, 5)")
    await downgrade(url, "0012")
    plan = await connection.fetchrow("SELECT version, revision, layout_revision FROM screenings")
    held = await connection.fetchval("SELECT count(*) FROM reservations r JOIN screenings s ON s.id = r.screening_id")
    await connection.close()

    assert state is not None
    assert plan is not None
    assert (state["screening_id"], state["theater_id"], state["timezone"]) == (1, 1, "Asia/Tokyo")
    assert (state["version"], state["revision"], state["layout_revision"], state["max_seats_per_user"]) == (7, 3, 2, 4)
    assert state["cancelled_at"].year == 2029
    assert tuple(plan) == (9, 5, 2)
    assert held == 1
    assert beyond == [2**31] * 3


async def test_what_was_booked_before_there_was_money_is_paid_for(url: str) -> None:
    """A booking of which one seat was cancelled, and one that was cancelled, on the way there and back."""
    await upgrade(url, "0016")
    connection = await connect(url)
    await connection.execute("""
        INSERT INTO users (is_guest) VALUES (true);
        INSERT INTO theaters (name, timezone) VALUES ('T', 'UTC');
        INSERT INTO screenings (theater_id, title, starts_at, prices) VALUES (1, 'S', '2030-01-01', '{}');
        INSERT INTO screening_states (screening_id, theater_id, timezone, starts_at, prices)
        VALUES (1, 1, 'UTC', '2030-01-01', '{}');
        INSERT INTO bookings (screening_id, id, user_id, created_at, version, payment_reference, status,
                              payment_status, cancelled_at)
        VALUES (1, '01939f10-0000-7000-8000-000000000001', 1, now(), 1, 'dummy-1', 'confirmed',
                'partly_refunded', NULL),
               (1, '01939f10-0000-7000-8000-000000000002', 1, now(), 2, 'dummy-2', 'cancelled',
                'refunded', '2029-01-01');
        INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
        VALUES (1, '01939f10-0000-7000-8000-000000000001', 1, 1000, 'EUR', NULL),
               (1, '01939f10-0000-7000-8000-000000000001', 2, 1500, 'EUR', '2028-01-01'),
               (1, '01939f10-0000-7000-8000-000000000002', 3, 2000, 'EUR', '2029-01-01');
    """)

    await upgrade(url)
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    found = await books.examine(engine)
    await engine.dispose()
    paid = await connection.fetch("SELECT paid_minor FROM bookings ORDER BY id")
    await downgrade(url, "0016")
    statuses = await connection.fetch("SELECT payment_status FROM bookings ORDER BY id")
    await connection.close()

    assert (found.wrong, found.unbalanced) == ([], [])
    assert [(each.captured_minor, each.refunded_minor) for each in found.totals] == [(4500, 3500)]
    assert [row[0] for row in paid] == [2500, 2000]
    assert [row[0] for row in statuses] == ["partly_refunded", "refunded"]
