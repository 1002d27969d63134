"""The demo houses: always the same, never twice, and never in the way of what somebody made of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.house.layouts import read
from app.services.house.demo import HOUSES, SeatToTry, load_demo, seat_to_try
from app.services.people.passwords import SCHEME
from app.settings import Settings
from tests.order import of_both

BERLIN = ZoneInfo("Europe/Berlin")


async def rows(engine: AsyncEngine, query: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def change(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def begin_a_day_earlier(engine: AsyncEngine, where: str = "true") -> None:
    """The screenings began at this time yesterday."""
    for statement in of_both("starts_at = now() - interval '1 day'", where):
        await change(engine, statement)


async def everything(engine: AsyncEngine) -> list[list[tuple[Any, ...]]]:
    return [await rows(engine, f"TABLE {table} ORDER BY id") for table in ("theaters", "seats", "screenings")]


async def test_the_houses_have_their_ids_and_seats(demo_engine: AsyncEngine) -> None:
    houses = await rows(
        demo_engine,
        """SELECT theaters.id, name, count(*), min(seats.id), max(seats.id)
             FROM theaters JOIN seats ON seats.theater_id = theaters.id GROUP BY theaters.id ORDER BY theaters.id""",
    )

    assert houses == [
        (1, "Theater A", 80, 1, 80),
        (2, "Theater B", 20, 81, 100),
        (3, "Riethsporthalle Erfurt", 1222, 101, 1322),
    ]


async def test_theater_a_runs_from_a1_to_d20(demo_engine: AsyncEngine) -> None:
    async with demo_engine.connect() as connection:
        layout = await read(connection, 1)

    assert layout is not None
    assert [seat.label for seat in layout.seats] == [f"{row}{number}" for row in "ABCD" for number in range(1, 21)]
    assert {seat.section for seat in layout.seats} == set("ABCD")


async def test_every_category_of_a_house_has_a_price(demo_engine: AsyncEngine) -> None:
    without = await rows(
        demo_engine,
        """SELECT DISTINCT seats.theater_id, category FROM seats JOIN screenings USING (theater_id)
            WHERE NOT jsonb_exists(prices, category)""",
    )

    assert without == []


async def test_screenings_are_tomorrow_evening_where_the_theater_stands(
    engine: AsyncEngine, settings: Settings
) -> None:
    the_night_before_summer_time = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)

    await load_demo(engine, the_night_before_summer_time, settings)

    starts = await rows(engine, "SELECT id, theater_id, starts_at FROM screenings ORDER BY id")
    assert [(screening_id, theater_id) for screening_id, theater_id, _ in starts] == [(1, 1), (2, 2), (3, 2), (4, 3)]
    assert starts[0][2].astimezone(BERLIN).isoformat() == "2027-03-29T19:30:00+02:00"


async def test_loading_twice_changes_nothing(demo_engine: AsyncEngine, settings: Settings) -> None:
    before = await everything(demo_engine)

    await load_demo(demo_engine, datetime.now(UTC), settings)

    assert await everything(demo_engine) == before


async def test_two_processes_may_load_at_once(engine: AsyncEngine, settings: Settings) -> None:
    now = datetime.now(UTC)

    await asyncio.gather(*(load_demo(engine, now, settings) for _ in range(4)))

    assert await rows(engine, "SELECT count(*) FROM screenings") == [(4,)]


async def test_what_is_made_next_gets_the_next_ids(demo_engine: AsyncEngine) -> None:
    await change(demo_engine, "INSERT INTO theaters (name, timezone) VALUES ('Mine', 'UTC')")

    assert await rows(demo_engine, "SELECT max(id) FROM theaters") == [(4,)]
    assert await rows(demo_engine, "SELECT nextval('seats_id_seq'), nextval('screenings_id_seq')") == [(1323, 5)]


async def test_a_theater_whose_screenings_are_over_gets_new_ones(demo_engine: AsyncEngine, settings: Settings) -> None:
    await begin_a_day_earlier(demo_engine, "theater_id = 1")

    await load_demo(demo_engine, datetime.now(UTC), settings)
    await load_demo(demo_engine, datetime.now(UTC), settings)

    found = await rows(demo_engine, "SELECT id, starts_at > now() FROM screenings WHERE theater_id = 1 ORDER BY id")
    assert found == [(1, False), (5, True)]
    assert await rows(demo_engine, "SELECT count(*) FROM screenings WHERE theater_id <> 1") == [(3,)]


async def test_a_theater_with_one_screening_left_gets_none(demo_engine: AsyncEngine, settings: Settings) -> None:
    await begin_a_day_earlier(demo_engine, "id = 2")

    await load_demo(demo_engine, datetime.now(UTC), settings)

    assert await rows(demo_engine, "SELECT id FROM screenings WHERE theater_id = 2 ORDER BY id") == [(2,), (3,)]


async def test_a_renamed_theater_keeps_its_name(demo_engine: AsyncEngine, settings: Settings) -> None:
    await change(demo_engine, "UPDATE theaters SET name = 'My own' WHERE id = 1")
    later = datetime.now(UTC) + timedelta(days=30)

    await load_demo(demo_engine, later, settings)

    assert await rows(demo_engine, "SELECT name FROM theaters ORDER BY id LIMIT 1") == [("My own",)]
    assert await rows(demo_engine, "SELECT count(*) FROM theaters") == [(len(HOUSES),)]
    assert await rows(demo_engine, "SELECT count(*) FROM screenings WHERE theater_id = 1") == [(2,)]


async def test_nothing_is_sold_in_a_house_that_was_rebuilt(demo_engine: AsyncEngine, settings: Settings) -> None:
    await change(demo_engine, "UPDATE seats SET removed_at = now() WHERE id = 80")

    await load_demo(demo_engine, datetime.now(UTC) + timedelta(days=30), settings)

    assert await rows(demo_engine, "SELECT id FROM screenings WHERE theater_id = 1") == [(1,)]


async def test_a_database_with_a_theater_of_somebody_else_is_left_alone(
    engine: AsyncEngine, settings: Settings
) -> None:
    await change(engine, "INSERT INTO theaters (name, timezone) VALUES ('Mine', 'UTC')")

    await load_demo(engine, datetime.now(UTC), settings)

    assert await rows(engine, "SELECT name FROM theaters") == [("Mine",)]
    assert await rows(engine, "SELECT id FROM screenings") == []


# --- the seat that the banner proposes --------------------------------------------------------------------------------


async def hold(engine: AsyncEngine, seat_id: int, runs_out: timedelta) -> None:
    """A hold of a seat in screening 1, with its end from now."""
    statement = text("""
        INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, expires_at)
        VALUES (1, :seat_id, 'held', 1, gen_random_uuid(), now() + :runs_out)
    """)
    async with engine.begin() as connection:
        await connection.execute(statement, {"seat_id": seat_id, "runs_out": runs_out})


async def test_a_newcomer_tries_a_seat_that_neither_the_tour_nor_the_documentation_takes(
    demo_engine: AsyncEngine,
) -> None:
    assert await seat_to_try(demo_engine) == SeatToTry(1, "B1")


async def test_a_newcomer_tries_a_seat_of_a_screening_that_is_on_sale_now(
    demo_engine: AsyncEngine, settings: Settings
) -> None:
    await begin_a_day_earlier(demo_engine)

    assert await seat_to_try(demo_engine) is None
    await load_demo(demo_engine, datetime.now(UTC), settings)

    assert await seat_to_try(demo_engine) == SeatToTry(5, "B1")


async def test_a_newcomer_tries_a_seat_that_is_free_now(demo_engine: AsyncEngine) -> None:
    await hold(demo_engine, 21, timedelta(minutes=5))
    await hold(demo_engine, 22, timedelta(seconds=-1))

    assert await seat_to_try(demo_engine) == SeatToTry(1, "B2")


# --- the demo people -------------------------------------------------------------------------------------------------


async def people(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    return await rows(
        engine, "SELECT username, email, role, is_guest FROM users WHERE username IS NOT NULL ORDER BY username"
    )


async def may_sign_in(engine: AsyncEngine, username: str, password: str) -> bool:
    hashes = dict(await rows(engine, "SELECT username, password_hash FROM users"))
    return SCHEME.verify(password, hashes[username])


async def test_the_demo_people_are_always_the_same(engine: AsyncEngine, settings: Settings) -> None:
    for _ in range(2):
        await load_demo(engine, datetime.now(UTC), settings, with_people=True)

    assert await people(engine) == [
        ("admin", "admin@example.org", "admin", False),
        ("demo", "demo@example.org", "customer", False),
        ("organizer", "organizer@example.org", "organizer", False),
    ]
    assert await may_sign_in(engine, "demo", "usher-demo")
    assert await may_sign_in(engine, "organizer", "usher-demo")
    assert await may_sign_in(engine, "admin", "usher-demo")


async def test_there_are_none_unless_the_database_is_our_own(engine: AsyncEngine, settings: Settings) -> None:
    await load_demo(engine, datetime.now(UTC), settings)

    assert await people(engine) == []


async def test_another_password_counts_from_the_next_loading_on(engine: AsyncEngine, settings: Settings) -> None:
    await load_demo(engine, datetime.now(UTC), settings, with_people=True)

    another = settings.model_copy(update={"demo_password": "another sentence"})
    await load_demo(engine, datetime.now(UTC), another, with_people=True)

    assert len(await people(engine)) == 3
    assert await may_sign_in(engine, "demo", "another sentence")
    assert await rows(engine, "SELECT DISTINCT era FROM users") == [(1,)], "whoever is signed in is signed out"


async def test_somebody_who_has_the_name_already_keeps_it(engine: AsyncEngine, settings: Settings) -> None:
    await change(
        engine, "INSERT INTO users (username, username_key, password_hash) VALUES ('O', 'organizer', 'theirs')"
    )

    await load_demo(engine, datetime.now(UTC), settings, with_people=True)

    assert await rows(engine, "SELECT role, password_hash FROM users WHERE username = 'O'") == [("customer", "theirs")]
