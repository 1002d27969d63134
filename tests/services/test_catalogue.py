"""Looking things up, and the screening that is meant when nobody said."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import screenings
from app.db.house import planning
from app.db.screenings import Defaults
from app.domain.house.catalogue import ScreeningFilter
from app.domain.house.planning import ScreeningPlan
from app.domain.refusals import NotFound, ScreeningRequired, UnknownSeats
from app.domain.screenings import Limits
from app.domain.seats import SeatNames
from app.services.house.catalogue import Catalogue
from app.services.layouts import Layouts
from tests.order import of_both

THEATER_A, THEATER_B, HALL, NOWHERE = 1, 2, 3, 99
SCREENING_A, FIRST_OF_B, SECOND_OF_B, CONCERT = 1, 2, 3, 4
DEFAULTS = Defaults(hold_seconds=300, max_hold_seconds=900, limits=Limits(max_seats_per_user=7))


@pytest.fixture
def catalogue(demo_engine: AsyncEngine) -> Catalogue:
    return Catalogue(demo_engine, Layouts(demo_engine), DEFAULTS)


async def change(engine: AsyncEngine, screening_id: int, assignments: str) -> None:
    async with engine.begin() as connection:
        for statement in of_both(assignments, f"id = {screening_id}"):
            await connection.execute(text(statement))


# --- lists


async def test_theaters_come_newest_first_page_by_page(catalogue: Catalogue) -> None:
    first = await catalogue.theaters(None, 2)
    second = await catalogue.theaters(first.next_cursor, 2)

    assert [theater.id for theater in first.items] == [HALL, THEATER_B]
    assert [theater.id for theater in second.items] == [THEATER_A]
    assert second.next_cursor is None


async def test_a_theater_tells_its_seats_and_the_screenings_to_come(
    catalogue: Catalogue, demo_engine: AsyncEngine
) -> None:
    await change(demo_engine, FIRST_OF_B, "starts_at = now() - interval '1 minute'")
    await change(demo_engine, CONCERT, "cancelled_at = now()")

    assert (await catalogue.theater(THEATER_A)).screenings_count == 1
    assert (await catalogue.theater(THEATER_B)).screenings_count == 1
    assert (await catalogue.theater(HALL)).screenings_count == 0
    assert (await catalogue.theater(HALL)).seat_count == 1222


async def test_screenings_come_soonest_first_page_by_page(catalogue: Catalogue) -> None:
    seen: list[int] = []
    cursor = None
    while True:
        page = await catalogue.screenings(ScreeningFilter(), cursor, 1)
        seen += [listed.screening.id for listed in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == [SCREENING_A, FIRST_OF_B, SECOND_OF_B, CONCERT]


async def test_screenings_are_found_by_theater_and_by_their_start(catalogue: Catalogue) -> None:
    second = (await catalogue.screening(SECOND_OF_B)).screening.starts_at

    from_then = await catalogue.screenings(ScreeningFilter(THEATER_B, starts_from=second), None, 50)
    before_then = await catalogue.screenings(ScreeningFilter(THEATER_B, starts_before=second), None, 50)

    assert [listed.screening.id for listed in from_then.items] == [SECOND_OF_B]
    assert [listed.screening.id for listed in before_then.items] == [FIRST_OF_B]


async def test_a_theater_that_does_not_exist_has_no_list_of_screenings(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound):
        await catalogue.screenings_of(NOWHERE, None, 50)


async def test_what_does_not_exist_is_not_found(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound):
        await catalogue.theater(NOWHERE)
    with pytest.raises(NotFound):
        await catalogue.layout(NOWHERE)
    with pytest.raises(NotFound):
        await catalogue.screening(NOWHERE)


async def test_ids_beyond_the_column_are_just_not_found(catalogue: Catalogue) -> None:
    beyond = 2**40

    with pytest.raises(NotFound):
        await catalogue.theater(beyond)
    with pytest.raises(NotFound):
        await catalogue.screening(beyond)
    assert (await catalogue.screenings(ScreeningFilter(beyond), None, 50)).items == []


# --- what a screening is


async def test_a_screening_that_says_nothing_has_the_defaults(catalogue: Catalogue) -> None:
    screening = (await catalogue.screening(SCREENING_A)).screening

    assert (screening.hold_seconds, screening.max_hold_seconds, screening.limits) == (300, 900, DEFAULTS.limits)


async def test_a_screening_may_say_otherwise(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    await change(demo_engine, SCREENING_A, "hold_seconds = 1200, bookings_per_user_per_day = 1")

    screening = (await catalogue.screening(SCREENING_A)).screening

    assert (screening.hold_seconds, screening.max_hold_seconds) == (1200, 1200)
    assert screening.limits == Limits(max_seats_per_user=7, bookings_per_user_per_day=1)


async def test_the_sql_of_being_on_sale_is_the_rule(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    around = ["NULL", "now() - interval '1 hour'", "now() + interval '1 hour'"]
    async with demo_engine.begin() as connection:
        await connection.execute(text("DELETE FROM screenings"))
        for opens, closes, starts, cancelled in product(around, around, around[1:], around[:2]):
            columns = "theater_id, title, prices, starts_at, sales_open_at, sales_close_at, cancelled_at"
            values = f"1, 'Any', '{{}}', {starts}, {opens}, {closes}, {cancelled}"
            statement = f"INSERT INTO screenings ({columns}) VALUES ({values})"  # noqa: S608 - written just above
            await connection.execute(text(statement))

    by_rule = {
        each.screening.id for each in (await catalogue.screenings(ScreeningFilter(), None, 200)).items if each.on_sale
    }
    async with demo_engine.connect() as connection:
        by_sql = {each.candidate.id for each in await screenings.meant(connection, THEATER_A, 200) if each.on_sale}

    assert len(by_rule) == 6
    assert by_sql == by_rule


# --- the screening that is meant by a write


async def test_the_only_screening_on_sale_is_meant(catalogue: Catalogue) -> None:
    assert await catalogue.for_write(THEATER_A) == SCREENING_A


async def test_a_write_never_guesses_between_two(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    await change(demo_engine, FIRST_OF_B, "starts_at = now() + interval '9 days'")

    with pytest.raises(ScreeningRequired) as refusal:
        await catalogue.for_write(THEATER_B)

    assert [candidate.id for candidate in refusal.value.screenings] == [SECOND_OF_B, FIRST_OF_B]


@pytest.mark.parametrize(
    "not_on_sale",
    [
        "cancelled_at = now()",
        "starts_at = now()",
        "sales_close_at = now()",
        "sales_open_at = now() + interval '1 hour'",
    ],
)
async def test_of_two_the_one_on_sale_is_meant(
    catalogue: Catalogue, demo_engine: AsyncEngine, not_on_sale: str
) -> None:
    await change(demo_engine, FIRST_OF_B, not_on_sale)

    assert await catalogue.for_write(THEATER_B) == SECOND_OF_B


async def test_when_none_is_on_sale_those_to_come_are_the_candidates(
    catalogue: Catalogue, demo_engine: AsyncEngine
) -> None:
    await change(demo_engine, FIRST_OF_B, "sales_open_at = now() + interval '1 hour'")
    await change(demo_engine, SECOND_OF_B, "cancelled_at = now()")

    with pytest.raises(ScreeningRequired) as refusal:
        await catalogue.for_write(THEATER_B)

    assert [candidate.id for candidate in refusal.value.screenings] == [FIRST_OF_B]


async def test_when_nothing_is_to_come_there_are_no_candidates(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    await change(demo_engine, SCREENING_A, "starts_at = now() - interval '1 hour'")

    with pytest.raises(ScreeningRequired) as refusal:
        await catalogue.for_write(THEATER_A)

    assert refusal.value.screenings == ()


async def test_a_write_to_no_theater_finds_nothing(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound):
        await catalogue.for_write(NOWHERE)


async def test_a_seat_id_says_its_theater(catalogue: Catalogue) -> None:
    first_of_hall = 101

    assert await catalogue.for_seat_names(SeatNames(ids=(1,))) == SCREENING_A
    assert await catalogue.for_seat_names(SeatNames(ids=(first_of_hall,))) == CONCERT
    await catalogue.layout(HALL)
    assert await catalogue.for_seat_names(SeatNames(ids=(first_of_hall,))) == CONCERT


async def test_the_first_seat_that_exists_says_the_theater(catalogue: Catalogue) -> None:
    assert await catalogue.for_seat_names(SeatNames(ids=(2**40, 101, 1))) == CONCERT


async def test_seats_that_nobody_has_are_unknown(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownSeats) as refusal:
        await catalogue.for_seat_names(SeatNames(ids=(9_999_999, 2**40)))

    assert refusal.value.unknown == (9_999_999, 2**40)


async def test_labels_are_those_of_the_one_theater_that_sells(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    for screening_id in (FIRST_OF_B, SECOND_OF_B, CONCERT):
        await change(demo_engine, screening_id, "cancelled_at = now()")

    assert await catalogue.for_seat_names(SeatNames(labels=("A1",))) == SCREENING_A


async def test_labels_alone_are_not_enough_while_several_theaters_sell(catalogue: Catalogue) -> None:
    with pytest.raises(ScreeningRequired) as refusal:
        await catalogue.for_seat_names(SeatNames(labels=("A1",)))

    assert [candidate.id for candidate in refusal.value.screenings] == [SCREENING_A, FIRST_OF_B, SECOND_OF_B, CONCERT]


# --- the screening that is meant by a read


async def test_a_read_shows_the_next_one_on_sale(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    assert await catalogue.for_read(THEATER_B) == FIRST_OF_B

    await change(demo_engine, FIRST_OF_B, "sales_open_at = now() + interval '1 hour'")

    assert await catalogue.for_read(THEATER_B) == SECOND_OF_B


async def test_a_read_shows_the_next_to_start_when_none_is_on_sale(
    catalogue: Catalogue, demo_engine: AsyncEngine
) -> None:
    await change(demo_engine, FIRST_OF_B, "sales_close_at = now()")
    await change(demo_engine, SECOND_OF_B, "sales_close_at = now()")

    assert await catalogue.for_read(THEATER_B) == FIRST_OF_B


async def test_a_read_without_a_theater_shows_the_next_one_anywhere(catalogue: Catalogue) -> None:
    assert await catalogue.for_read() == SCREENING_A


async def test_a_read_finds_nothing_when_nothing_is_to_come(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    await change(demo_engine, SCREENING_A, "starts_at = now() - interval '1 hour'")

    with pytest.raises(NotFound) as no_screening:
        await catalogue.for_read(THEATER_A)
    with pytest.raises(NotFound) as no_theater:
        await catalogue.for_read(NOWHERE)

    assert (no_screening.value.what, no_theater.value.what) == ("screening", "theater")


async def test_a_new_screening_is_seen_at_once(catalogue: Catalogue, demo_engine: AsyncEngine) -> None:
    await catalogue.for_write(THEATER_A)
    async with demo_engine.begin() as connection:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await planning.add(connection, THEATER_A, ScreeningPlan("Another", tomorrow, {}))

    with pytest.raises(ScreeningRequired):
        await catalogue.for_write(THEATER_A)
