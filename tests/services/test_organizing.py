"""What organizers' edits leave in the database, and what the loaders of the demo make of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import schema
from app.db.house import layouts, planning
from app.domain.claims import ClaimStatus
from app.domain.house.layouts import RowPlan, SeatPlan, SectionPlan, lay_out
from app.domain.house.planning import ScreeningPlan, SeatInUse
from app.domain.house.rebuilding import Rebuilding, must_leave_alone, rebuild
from app.domain.money import CURRENCIES, Money
from app.domain.people.people import Person, Role
from app.domain.refusals import Flawed, LayoutInUse, UnknownSeats
from app.domain.screenings import ReservedPlaces
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.seats import Layout, Seat, SeatNames
from app.resources import Resources
from app.schemas.house.layouts import LayoutIn
from app.schemas.house.theaters import TheaterPatch
from app.schemas.screenings import ScreeningIn, ScreeningPatch
from app.services.house.demo import load_demo
from app.settings import Settings
from tests.order import of_both

PUT_ON = {
    "title": "One more",
    "starts_at": "2030-01-02T20:00:00Z",
    "prices": {"standard": {"amount_minor": 100, "currency": "EUR"}},
}
TOMORROW = datetime(2030, 1, 2, 20, tzinfo=UTC)
PLAN = ScreeningPlan("T", TOMORROW, {"standard": Money(100, "EUR")})


async def rows(engine: AsyncEngine, query: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


def row_of(*numbers: int) -> LayoutIn:
    seats = [{"number": number, "category": "standard"} for number in numbers]
    return LayoutIn.model_validate({"sections": [{"name": "S", "rows": [{"row": "A", "seats": seats}]}]})


def standing(*labels: str, former: dict[int, str] | None = None) -> Layout:
    seats = tuple(Seat(at, label, "S", "A", at, "standard") for at, label in enumerate(labels, 1))
    return Layout(1, 1, seats, former or {})


def rebuilt(house: Layout, *numbers: int) -> Rebuilding:
    seats = tuple(SeatPlan(number) for number in numbers)
    return rebuild(house, lay_out((SectionPlan("S", (RowPlan("A", seats),)),)))


# --- the rules -------------------------------------------------------------------------------------------------------


def test_seats_that_stay_keep_their_ids_whatever_their_order() -> None:
    change = rebuilt(standing("A1", "A2", "A3"), 3, 1, 4)

    assert [(draft.label, seat_id) for draft, seat_id in change.seats] == [("A3", 3), ("A1", 1), ("A4", None)]
    assert [seat.label for seat in change.gone] == ["A2"]


def test_a_seat_that_was_taken_out_comes_back_as_itself() -> None:
    change = rebuilt(standing("A1", former={9: "A2", 8: "B7"}), 1, 2)

    assert [seat_id for _, seat_id in change.seats] == [1, 9]


def test_only_seats_that_go_are_in_the_way() -> None:
    change = rebuilt(standing("A1", "A2", "A3"), 1)

    booked = {seat_id: SeatInUse(seat_id, ClaimStatus.BOOKED, 7) for seat_id in (1, 3)}

    must_leave_alone(change.gone, {1: booked[1]})
    with pytest.raises(LayoutInUse) as refusal:
        must_leave_alone(change.gone, booked)
    assert [(seat.seat_id, seat.label) for seat in refusal.value.seats] == [(3, "A3")]


def test_a_former_seat_has_a_label_and_nothing_else() -> None:
    house = standing("A1", former={9: "A2"})

    assert (house.label_of(9), house.label_of(77)) == ("A2", "77")
    for names in (SeatNames(ids=(9,)), SeatNames(labels=("A2",))):
        with pytest.raises(UnknownSeats):
            house.find(names)


def test_sales_may_end_after_the_start() -> None:
    late = ScreeningPlan(
        "T", TOMORROW, PLAN.prices, sales_open_at=TOMORROW, sales_close_at=TOMORROW + timedelta(hours=1)
    )

    late.must_make_sense(["standard"], 300)


def test_every_mistake_in_a_plan_is_told_at_once() -> None:
    plan = ScreeningPlan(
        "T",
        TOMORROW,
        {"a": Money(1, "EUR"), "b": Money(1, "USD")},
        sales_open_at=TOMORROW,
        hold_seconds=60,
        max_hold_seconds=59,
    )

    with pytest.raises(Flawed) as refusal:
        plan.must_make_sense(["a", "c"], 300)

    assert [flaw.code for flaw in refusal.value.errors] == [
        "price_missing",
        "currencies_differ",
        "sales_never_open",
        "cap_below_hold",
    ]


def test_currencies_are_those_of_iso_4217() -> None:
    assert {"EUR", "USD", "JPY", "KWD", "CLP"} < CURRENCIES
    assert CURRENCIES.isdisjoint({"XXX", "XTS", "DEM", "eur"})


# --- what is written -------------------------------------------------------------------------------------------------


async def test_a_plan_is_read_as_it_was_written(demo_engine: AsyncEngine) -> None:
    plan = ScreeningPlan(
        title="T",
        starts_at=TOMORROW,
        prices=PLAN.prices,
        sales_open_at=TOMORROW - timedelta(days=2),
        sales_close_at=TOMORROW - timedelta(days=1),
        hold_seconds=60,
        max_hold_seconds=120,
        limits={"max_seats_per_user": None, "bookings_per_user_per_day": 1},
        orphan_rule=OrphanRule.STRICT,
        reserved_places=ReservedPlaces.RELEASED,
    )

    async with demo_engine.begin() as connection:
        added = await planning.add(connection, 2, plan)
        assert (await planning.lock(connection, added)).plan == plan
        await planning.change(connection, added, PLAN, 1, "Europe/Berlin")
        changed = await planning.lock(connection, added)

    assert (changed.plan, changed.revision) == (PLAN, 2)


async def test_a_layout_that_changes_nothing_writes_no_seat(resources: Resources, demo_engine: AsyncEngine) -> None:
    await resources.organizing.rebuild(2, row_of(*range(1, 9)), by=None)
    before = await rows(demo_engine, "SELECT id, xmin::text FROM seats WHERE theater_id = 2 ORDER BY id")

    await resources.organizing.rebuild(2, row_of(*range(1, 9)), by=None)

    assert await rows(demo_engine, "SELECT id, xmin::text FROM seats WHERE theater_id = 2 ORDER BY id") == before


async def test_all_screenings_stand_on_the_layout_of_their_theater(
    resources: Resources, demo_engine: AsyncEngine
) -> None:
    await resources.organizing.rebuild(2, row_of(1, 2), by=None)
    async with demo_engine.begin() as connection:
        await planning.add(connection, 2, PLAN)

    assert await rows(demo_engine, "SELECT DISTINCT theater_id, layout_revision FROM screenings ORDER BY 1") == [
        (1, 1),
        (2, 2),
        (3, 1),
    ]


async def test_an_edit_moves_what_is_known_of_the_screening(resources: Resources) -> None:
    await resources.reconciler.look()
    await resources.availability.of(1)
    [before] = await resources.cache.map_versions([1])

    await resources.organizing.change_screening(1, ScreeningPatch.model_validate_json('{"title": "Other"}'), by=None)

    [after] = await resources.cache.map_versions([1])
    assert before is not None
    assert after == before + 1


async def test_plan_and_state_say_the_same_whatever_was_edited(resources: Resources, demo_engine: AsyncEngine) -> None:
    """What decides about sales is in both rows; a sale reads only the second."""
    organizing = resources.organizing
    await organizing.change_theater(2, TheaterPatch(timezone="Asia/Tokyo"), by=None)
    await organizing.change_screening(3, ScreeningPatch(hold_seconds=77, title="Another"), by=None)
    await organizing.rebuild(2, row_of(*range(1, 9)), by=None)
    await resources.closing.close(3, Person(1, Role.ORGANIZER), None)
    await organizing.put_on(2, ScreeningIn.model_validate(PUT_ON), by=None, key=None)

    columns = [each.name for each in schema.screenings.columns if each.name in schema.screening_states.columns]
    plans = await rows(demo_engine, f"SELECT id, {', '.join(columns)} FROM screenings ORDER BY id")  # noqa: S608
    its = f"SELECT screening_id, {', '.join(columns)} FROM screening_states ORDER BY screening_id"  # noqa: S608
    states = await rows(demo_engine, its)

    assert len(columns) == 17
    assert plans == states
    assert await rows(demo_engine, "SELECT DISTINCT theater_id, timezone FROM screening_states ORDER BY 1") == [
        (1, "Europe/Berlin"),
        (2, "Asia/Tokyo"),
        (3, "Europe/Berlin"),
    ]


async def test_a_former_seat_is_read_with_its_layout(resources: Resources, demo_engine: AsyncEngine) -> None:
    await resources.organizing.rebuild(2, row_of(1, 2), by=None)

    async with demo_engine.connect() as connection:
        layout = await layouts.read(connection, 2)

    assert layout is not None
    assert [seat.label for seat in layout.seats] == ["A1", "A2"]
    assert len(layout.former) == 18
    assert layout.label_of(max(layout.former)) == layout.former[max(layout.former)]


# --- the demo --------------------------------------------------------------------------------------------------------


async def test_demo_theaters_that_were_taken_away_stay_away(
    resources: Resources, demo_engine: AsyncEngine, settings: Settings
) -> None:
    async with demo_engine.begin() as connection:
        for statement in of_both("starts_at = now() - interval '1 day'"):
            await connection.execute(text(statement))
    for theater_id in (1, 2, 3):
        await resources.organizing.remove_theater(theater_id, by=None)

    await load_demo(demo_engine, datetime.now(UTC), settings)

    assert await rows(demo_engine, "SELECT count(*) FROM theaters WHERE removed_at IS NULL") == [(0,)]
    assert await rows(demo_engine, "SELECT count(*) FROM screenings") == [(4,)]
