"""The sweeper: what ran out is tidied up and told, once, by whoever comes first."""

import asyncio

import pytest

from app.db.box_office import sweeping
from app.domain.refusals import Busy
from app.resources import Resources
from app.services import sweeper as module
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, let_run_out, locked, until, until_so, until_waiting
from tests.services.box_office.asking import book, hold, key, told


async def statuses(database: Connection, screening_id: int = 1) -> list[str]:
    rows = await database.fetch(
        "SELECT status FROM reservations WHERE screening_id = $1 ORDER BY created_at, id", screening_id
    )
    return [row["status"] for row in rows]


async def events(database: Connection, screening_id: int = 1) -> list[tuple[int, int, str, str, str]]:
    rows = await database.fetch(
        "SELECT version, seat_id, from_status, to_status, cause FROM seat_events"
        " WHERE screening_id = $1 ORDER BY version, seat_id",
        screening_id,
    )
    return [tuple(row) for row in rows]


async def taken(database: Connection) -> list[int]:
    return [row["seat_id"] for row in await database.fetch("SELECT seat_id FROM seat_claims ORDER BY seat_id")]


async def version(database: Connection, screening_id: int = 1) -> int:
    found: int = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = $1", screening_id)
    return found


async def test_holds_that_ran_out_are_expired_and_their_seats_free(resources: Resources, database: Connection) -> None:
    await told(resources.box_office.ask(1, hold(1, "A1", "A2")), resources.box_office.ask(1, hold(2, "A3")))
    await let_run_out(database)
    await told(resources.box_office.ask(1, hold(3, "A4")), resources.box_office.ask(1, book(4, "A5")))

    swept = await resources.sweeper.sweep()

    assert swept == 2
    assert await statuses(database) == ["expired", "expired", "held"]
    assert await taken(database) == [4, 5]
    assert await version(database) == 5  # what ran out together is one change
    assert (await events(database))[-3:] == [(5, seat, "reserved", "available", "expiry") for seat in (1, 2, 3)]


async def test_what_was_swept_is_told(resources: Resources, database: Connection) -> None:
    await resources.reconciler.look()
    await resources.box_office.ask(1, hold(1, "A1"))
    await let_run_out(database)

    await resources.sweeper.sweep()

    seat_map = await resources.availability.of(1)
    assert seat_map.version == 2
    assert seat_map.counts["reserved"] == 0


async def test_there_may_be_nothing_to_sweep(resources: Resources, database: Connection) -> None:
    await resources.box_office.ask(1, hold(1, "A1"))

    assert await resources.sweeper.sweep() == 0
    assert await version(database) == 1


async def test_two_processes_that_sweep_at_once_count_once(
    resources: Resources, open_app: OpenApp, database: Connection
) -> None:
    other = resources_of(await open_app())
    await resources.box_office.ask(1, hold(1, "A1", "A2"))
    await let_run_out(database)

    async with locked(database, 1):
        sweeping = asyncio.gather(resources.sweeper.sweep(), other.sweeper.sweep())
        await until_waiting(database, 2)
    await sweeping

    assert await statuses(database) == ["expired"]
    assert await version(database) == 2
    assert [event[4] for event in await events(database)] == ["api", "api", "expiry", "expiry"]


async def test_a_hold_that_is_extended_at_the_last_moment_is_not_swept(
    resources: Resources, open_app: OpenApp, database: Connection
) -> None:
    """The sweeper has seen it run out, and waits for whoever renews it at that moment."""
    await resources.box_office.ask(1, hold(1, "A1"))
    await let_run_out(database)

    async with locked(database, 1):
        sweeping = asyncio.ensure_future(resources.sweeper.sweep())
        await until_waiting(database)
        await database.execute("UPDATE seat_claims SET expires_at = now() + interval '1 hour'")
        await database.execute("UPDATE reservations SET expires_at = now() + interval '1 hour', version = 2")
        await database.execute("UPDATE screening_states SET version = 2 WHERE screening_id = 1")
    await sweeping

    assert await statuses(database) == ["held"]
    assert await version(database) == 2


async def test_more_than_one_portion_is_swept(
    resources: Resources, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    await told(*(resources.box_office.ask(1 + user % 2, hold(user, f"A{user}")) for user in range(1, 6)))
    await let_run_out(database)

    assert await resources.sweeper.sweep() == 5
    assert await statuses(database, 1) == ["expired"] * 2
    assert await statuses(database, 2) == ["expired"] * 3


async def test_a_screening_that_is_locked_keeps_no_other_waiting(open_app: OpenApp, database: Connection) -> None:
    resources = resources_of(await open_app(lock_timeout_ms=50))
    await told(*(resources.box_office.ask(screening, hold(1, "A1")) for screening in (1, 2, 3)))
    await let_run_out(database)

    async with locked(database, 1):
        with pytest.raises(Busy):
            await resources.sweeper.sweep()
        await until(database, "count(*) = 2 FROM reservations WHERE status = 'expired'")
    await resources.sweeper.sweep()

    assert [await statuses(database, screening) for screening in (1, 2, 3)] == [["expired"]] * 3


async def test_old_keys_and_old_events_go(resources: Resources, database: Connection) -> None:
    for user in (1, 2):
        await resources.box_office.ask(1, hold(user, f"A{user}"), key=key(f"{user}", user))
    await database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = '1'")
    await database.execute("UPDATE seat_events SET at = now() - interval '8 days' WHERE version = 1")

    await resources.sweeper.tidy()

    assert await database.fetchval("SELECT array_agg(key) FROM idempotency_keys") == ["2"]
    assert await database.fetchval("SELECT array_agg(version) FROM seat_events") == [2]


async def test_it_does_not_stay_with_keys_that_grow_old_while_it_deletes(
    resources: Resources, database: Connection
) -> None:
    """The next one is old as soon as one is deleted, as on a day after a busy day."""
    await resources.box_office.ask(1, hold(1, "A1"), key=key("1"))
    await database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    await database.execute("""
        CREATE FUNCTION grow_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            OLD.key := OLD.key || '1';
            INSERT INTO idempotency_keys SELECT OLD.*;
            RETURN NULL;
        END $$;
        CREATE TRIGGER grow_old AFTER DELETE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION grow_old()
    """)

    await resources.sweeper.tidy()

    assert await database.fetchval("SELECT array_agg(key) FROM idempotency_keys") == ["11"]


async def test_what_is_too_much_for_one_portion_goes_in_several(
    resources: Resources, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PORTION", 2)
    for user in range(1, 6):
        await resources.box_office.ask(1, hold(user, f"A{user}"), key=key(f"{user}", user))
    await database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    await database.execute("UPDATE seat_events SET at = now() - interval '8 days'")

    await resources.sweeper.tidy()

    assert await database.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert await database.fetchval("SELECT count(*) FROM seat_events") == 0


async def test_it_sweeps_by_itself_and_goes_on_when_postgresql_returns(
    open_app: OpenApp, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    resources = resources_of(await open_app(sweep=True))
    await told(*(resources.box_office.ask(screening, hold(1, "A1")) for screening in (1, 2)))

    async def has_complained() -> bool:
        return any(record.getMessage().startswith("could not sweep") for record in caplog.records)

    await let_run_out(database, 1)
    await until(database, "count(*) = 1 FROM reservations WHERE status = 'expired'")
    await database.execute("ALTER TABLE reservations RENAME TO gone")
    await until_so(database, has_complained)
    await database.execute("ALTER TABLE gone RENAME TO reservations")
    await let_run_out(database, 2)
    await until(database, "count(*) = 2 FROM reservations WHERE status = 'expired'")
