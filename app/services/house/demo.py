"""The demo: three theaters with screenings on sale, so that a newcomer can hold a seat at once; and three users.

It is loaded into an empty database, always with the same ids. When the screenings of a theater are over, the next load
puts new ones on sale. What organizers have changed is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import screenings
from app.db.house import demo, layouts, planning, theaters
from app.db.people import accounts
from app.domain.house.layouts import SeatDraft, lay_out
from app.domain.house.planning import ScreeningPlan
from app.domain.money import Money
from app.domain.people import usernames
from app.domain.people.people import Role
from app.domain.seats import Layout
from app.schemas.house.theaters import HouseIn
from app.services.people.passwords import SCHEME, normal
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class _Showing:
    """A screening of the demo: how many days from now it is, and at which time in the theater's time zone."""

    title: str
    in_days: int
    at: time = time(19, 30)


@dataclass(frozen=True, slots=True)
class _House:
    """A theater of the demo: its file, its ids, the price per category in cents, its screenings."""

    file: str
    theater_id: int
    first_seat_id: int
    first_screening_id: int
    cents: dict[str, int]
    programme: tuple[_Showing, ...]

    def read(self) -> HouseIn:
        return HouseIn.model_validate_json(files(__package__).joinpath("demo_houses", self.file).read_bytes())

    @property
    def prices(self) -> dict[str, Money]:
        return {category: Money(cents, "EUR") for category, cents in self.cents.items()}


HOUSES = (
    _House(
        file="theater-a.json",
        theater_id=1,
        first_seat_id=1,
        first_screening_id=1,
        cents={"premium": 4500, "standard": 2500, "economy": 1500},
        programme=(_Showing("The Tempest", in_days=1),),
    ),
    _House(
        file="theater-b.json",
        theater_id=2,
        first_seat_id=81,
        first_screening_id=2,
        cents={"standard": 1800, "economy": 1200},
        programme=(_Showing("Waiting for Godot", in_days=1), _Showing("Endgame", in_days=2)),
    ),
    _House(
        file="riethsporthalle.json",
        theater_id=3,
        first_seat_id=101,
        first_screening_id=4,
        cents={"vip": 8900, "category-1": 5900, "category-2": 3900},
        programme=(_Showing("The Great Winter Concert", in_days=3, at=time(20, 0)),),
    ),
)


PEOPLE = {"demo": Role.CUSTOMER, "organizer": Role.ORGANIZER, "admin": Role.ADMIN}
"""The demo users. Everybody knows their password, so they exist only in the embedded PostgreSQL."""


@dataclass(frozen=True, slots=True)
class SeatToTry:
    """A free seat that is on sale now, for the first call of a newcomer."""

    screening_id: int
    label: str


async def seat_to_try(engine: AsyncEngine) -> SeatToTry | None:
    """A seat that is neither in the README's tour nor in the examples of /docs, if possible; None if all is taken."""
    async with engine.connect() as connection:
        found = await demo.seat_to_try(connection)
    return None if found is None else SeatToTry(*found)


async def load_demo(engine: AsyncEngine, now: datetime, settings: Settings, *, with_people: bool = False) -> None:
    """Load the demo into an empty database, or put new screenings on sale where those of the demo are over.

    If two processes do this at once, the second waits for the first. `now` is UTC. `with_people`: create the demo users
    too, with the password from the settings; only for the embedded PostgreSQL.
    """
    async with engine.begin() as connection:
        await demo.one_at_a_time(connection)
        if with_people:
            for username, role in PEOPLE.items():
                await _invite(connection, username, role, settings.demo_password)
        if not await theaters.any_ever(connection):
            for house in HOUSES:
                await _build(connection, house, now)
            await demo.move_identities_on(connection)
            return
        for house in HOUSES:
            is_over = not await screenings.any_to_come(connection, house.theater_id, now)
            if is_over and await _still_stands(connection, house):
                await _put_on_sale(connection, house, now, first_id=None)


async def _invite(connection: AsyncConnection, username: str, role: Role, password: str) -> None:
    """Create a demo user, or reset the password. A user of that name with another role is left alone."""
    found = await accounts.credentials_of(connection, usernames.key(username))
    if found is None:
        email = f"{username}@example.org"
        hashed = SCHEME.hash(normal(password))
        await accounts.insert_account(connection, username, usernames.key(username), email, hashed, role)
    elif found.role == role and found.password_hash and not SCHEME.verify(normal(password), found.password_hash):
        hashed = SCHEME.hash(normal(password))
        await accounts.change_password(connection, found.id, found.password_hash, hashed, None)


async def _build(connection: AsyncConnection, house: _House, now: datetime) -> None:
    plan = house.read()
    await theaters.add(connection, plan.name, plan.timezone, house.theater_id)
    await layouts.add(connection, house.theater_id, lay_out(plan.layout.plan()), house.first_seat_id)
    await _put_on_sale(connection, house, now, house.first_screening_id)


async def _put_on_sale(connection: AsyncConnection, house: _House, now: datetime, first_id: int | None) -> None:
    zone = ZoneInfo(house.read().timezone)
    today = now.astimezone(zone).date()
    for place, showing in enumerate(house.programme):
        starts_at = datetime.combine(today + timedelta(days=showing.in_days), showing.at, zone)
        screening_id = None if first_id is None else first_id + place
        plan = ScreeningPlan(showing.title, starts_at, house.prices)
        await planning.add(connection, house.theater_id, plan, screening_id)


async def _still_stands(connection: AsyncConnection, house: _House) -> bool:
    """Whether the seats of this theater are those of the demo. If not, nothing new is put on sale there."""
    if await theaters.one(connection, house.theater_id) is None:
        return False
    layout = await layouts.read(connection, house.theater_id)
    return layout is not None and _as_planned(layout, lay_out(house.read().layout.plan()), house.first_seat_id)


def _as_planned(layout: Layout, planned: Sequence[SeatDraft], first_seat_id: int) -> bool:
    standing = [(seat.id, seat.label, seat.category) for seat in layout.seats]
    return standing == [(first_seat_id + place, seat.label, seat.category) for place, seat in enumerate(planned)]
