"""`python -m benchmarks.plans`: how PostgreSQL carries out every hot statement, after a long past.

Usher's own code runs, the box office on the connection that it has in production, and PostgreSQL explains each
statement that it says: with its real parameters, with what it reads, writes and logs. What is explained is rolled back.
"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast
from uuid import UUID

import uuid_utils.compat as uuid_utils
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.adapters.embedded import EmbeddedError
from app.db import bookings, history, reservations
from app.db.box_office import buyers as limits
from app.db.box_office import closing, idempotency_keys, sweeping
from app.db.connections import OfficeConnection, office_connection, open_engine
from app.db.people import users
from app.db.screenings import Defaults
from app.db.seat_maps import occupancy, seat_events
from app.domain.box_office.addresses import Address
from app.domain.box_office.commands import Cancel, Command, Confirm, Expire, Extend, Hold, Release, ReleaseAll, Toggle
from app.domain.idempotency import Key
from app.domain.people.people import Person
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from app.services.box_office.office import BoxOffice
from app.services.box_office.opening import Opening
from app.services.layouts import Layouts
from app.settings import Settings
from benchmarks.stages import houses
from benchmarks.stages.houses import House
from benchmarks.stages.past import give_past, let_run_out
from benchmarks.stages.stage import Effort, ground

TOGETHER: Final = 32
"""So many commands make a batch."""
AT_ONCE: Final = 20
"""They are spread over so many screenings."""
NOT_SOLD: Final = 500
"""Seats of each screening that the past leaves."""
OLD_HOURS: Final = 19  # the past begins twenty hours ago

PAGE: Final = 51

Read = Callable[[AsyncConnection], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a statement was carried out. `about` is what was asked for, `text` what EXPLAIN says."""

    about: str
    statement: str
    text: str


class Explainer:
    """Has statements explained and keeps what is said; `about` is what they are for."""

    def __init__(self) -> None:
        self.about = ""
        self.plans: list[Plan] = []

    async def explain(self, connection: OfficeConnection, statement: str, values: Sequence[Any]) -> None:
        """Carry out a statement and take it back. It is prepared first, to be planned as this connection plans."""
        inside = connection.is_in_transaction()
        await connection.execute("SAVEPOINT explaining" if inside else "BEGIN")
        try:
            await connection.execute(f"PREPARE explained AS {statement}")
            given = await _literals(connection, statement, values)
            lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, WAL) EXECUTE explained{given}")
            await connection.execute("DEALLOCATE explained")
        finally:
            await connection.execute("ROLLBACK TO explaining" if inside else "ROLLBACK")
        self.plans.append(Plan(self.about, " ".join(statement.split()), "\n".join(line[0] for line in lines)))


class ExplainedConnection:
    """The box office's connection, on which every statement of a batch is explained before it is carried out."""

    def __init__(self, connection: OfficeConnection, explainer: Explainer) -> None:
        self._connection = connection
        self._explainer = explainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, statement: str, *values: Any) -> Any:
        await self._explainer.explain(self._connection, statement, values)
        return await self._connection.fetch(statement, *values)

    async def fetchrow(self, statement: str, *values: Any) -> Any:
        await self._explainer.explain(self._connection, statement, values)
        return await self._connection.fetchrow(statement, *values)

    async def fetchval(self, statement: str, *values: Any) -> Any:
        await self._explainer.explain(self._connection, statement, values)
        return await self._connection.fetchval(statement, *values)


async def explain_all(house: House, sold: int) -> list[Plan]:
    """Every hot statement, in a house of whose screenings the first so many seats are sold."""
    settings = Settings(
        database_url=house.database_url,
        jwt_secret=secrets.token_hex(32),
        statement_timeout_ms=60_000,
    )
    engine = open_engine(settings)
    explainer = Explainer()
    try:
        async with office_connection(settings) as connection:
            explained = cast("OfficeConnection", ExplainedConnection(connection, explainer))
            async with _selling(settings, engine, explained) as box_office:
                await _explain_batches(explainer, box_office, engine, house, sold)
            await _explain_limits(explainer, explained, house)
        for about, read in _reads(house, sold):
            explainer.about = about
            await _explain_read(explainer, engine, read)
    finally:
        await engine.dispose()
    return explainer.plans


@asynccontextmanager
async def _selling(settings: Settings, engine: AsyncEngine, connection: OfficeConnection) -> AsyncIterator[BoxOffice]:
    """A box office with this connection."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[OfficeConnection]:
        yield connection

    box_office = BoxOffice(
        connect,
        Opening(Layouts(engine), Defaults.of(settings)),
        lambda _states, told, _news: told(),
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
        deadline_seconds=60,
    )
    serving = asyncio.create_task(box_office.run())
    try:
        yield box_office
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def _explain_batches(
    explainer: Explainer, box_office: BoxOffice, engine: AsyncEngine, house: House, sold: int
) -> None:
    """Batches of every kind, after one that is not counted: nothing is to be done for the first time."""
    screenings = [house.first_screening + number % min(AT_ONCE, house.screenings) for number in range(TOGETHER)]
    people = [Person(house.first_user + number) for number in range(TOGETHER)]
    seats = iter(range(house.first_seat + sold, house.first_seat + house.seats))

    async def ask(about: str, commands: Sequence[Command], key: str = "") -> None:
        explainer.about = f"{len(commands)} {about}"
        asked = zip(screenings, people, commands, strict=True)
        keys = [Key(buyer.id, f"{key or about} {number}", bytes(32)) for number, buyer in enumerate(people)]
        asking = (box_office.ask(each, command, key=key) for (each, _, command), key in zip(asked, keys, strict=True))
        await asyncio.gather(*asking)

    def holds() -> list[Hold]:
        return [Hold(buyer, SeatNames(ids=(next(seats),)), uuid_utils.uuid7()) for buyer in people]

    await ask("first holds", holds())
    explainer.plans.clear()
    box_office.locks_first = 1
    await ask("holds with a lock", holds())
    held = holds()
    await ask("holds", held)
    await ask("holds again, with their keys", held, "holds")
    await ask("extended", [Extend(each.buyer, each.reservation_id) for each in held])
    booked = [Confirm(each.buyer, each.reservation_id, uuid_utils.uuid7(), "paid") for each in held]
    await ask("confirmed", booked)
    await ask("cancelled", [Cancel(each.buyer, each.booking_id) for each in booked])
    nearby = Address(b"address", b"network", len(held) ** 2)
    await ask("holds from one address", [replace(each, address=nearby) for each in holds()])
    held = holds()
    await ask("holds once more", held)
    await ask("released", [Release(each.buyer, each.reservation_id) for each in held])
    await ask("toggled", [Toggle(each.buyer, each.seats, uuid_utils.uuid7()) for each in holds()])
    await ask("released with all of theirs", [ReleaseAll(buyer) for buyer in people])
    for about in ("holds of the best available", "holds of the best available, again"):
        await ask(about, [Hold(buyer, SeatNames(), uuid_utils.uuid7(), wish=Wish(2)) for buyer in people])
    await _explain_expiry(explainer, box_office, engine, house)


async def _explain_expiry(explainer: Explainer, box_office: BoxOffice, engine: AsyncEngine, house: House) -> None:
    """What the sweeper looks for, and the batch that it asks for."""
    await asyncio.to_thread(let_run_out, house, 1, TOGETHER)
    over: list[UUID] = []

    async def run_out(connection: AsyncConnection) -> None:
        over.extend(each.id for each in await sweeping.ending(connection, 0.0, TOGETHER))

    explainer.about = "the holds that have run out"
    await _explain_read(explainer, engine, run_out)
    explainer.about = f"{TOGETHER} expired"
    await box_office.ask(house.first_screening, Expire(tuple(over)))


async def _explain_limits(explainer: Explainer, connection: OfficeConnection, house: House) -> None:
    """What a batch asks about buyers who are limited."""
    explainer.about = f"the limits of {TOGETHER} buyers"
    user_ids = range(house.first_user, house.first_user + TOGETHER)
    async with connection.transaction():
        await limits.lock_buyers(connection, user_ids)
        await limits.holds_of(connection, user_ids)
        await limits.bookings_of(connection, user_ids)


async def _explain_read(explainer: Explainer, engine: AsyncEngine, read: Read) -> None:
    """Whatever is said while this is read, each statement once. What it changes is taken back."""
    said: dict[str, Sequence[Any]] = {}

    def note(_connection: object, _cursor: object, statement: str, values: Sequence[Any], *_: object) -> None:
        said.setdefault(statement, values)

    async with engine.connect() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await read(connection)
        await connection.rollback()
        own = cast("OfficeConnection", (await connection.get_raw_connection()).driver_connection)
        for statement, values in said.items():
            await explainer.explain(own, statement, values)


_DEFAULTS: Final = Defaults(hold_seconds=300, max_hold_seconds=900, limits=Limits())


def _reads(house: House, sold: int) -> Iterator[tuple[str, Read]]:
    """What is asked outside the box office, by name."""
    user_id, screening_id, nobodys = house.first_user, house.first_screening, uuid_utils.uuid7()
    every_screening = range(screening_id, screening_id + house.screenings)
    lately = max(sold - 100, 0)
    yield "the map", lambda its: occupancy.read(its, screening_id)
    yield "the states of all screenings", lambda its: occupancy.map_versions(its, every_screening)
    yield "the changes since a version", lambda its: seat_events.since(its, screening_id, lately)
    yield "the changes, one by one", lambda its: seat_events.after(its, screening_id, lately, 1000)
    yield "the positions of all screenings", lambda its: seat_events.positions(its, every_screening)
    yield "what somebody lost", lambda its: seat_events.lost_by(its, screening_id, user_id)
    yield "the history of a seat", lambda its: history.of_seat(its, screening_id, house.first_seat, None, PAGE)
    yield "where a reservation is", lambda its: reservations.screening_of(its, user_id, nobodys)
    yield "where a key was used", lambda its: idempotency_keys.screening_of(its, Key(user_id, "holds 0", b""))
    yield "where anybody's reservation is", lambda its: reservations.screening_of(its, None, nobodys)
    yield "where I hold seats", lambda its: reservations.screenings_with_holds(its, user_id)
    yield (
        "my reservation of a seat",
        lambda its: reservations.with_seat(its, user_id, house.first_seat, _DEFAULTS, None),
    )
    yield "one reservation", lambda its: reservations.one(its, nobodys, user_id)
    yield "my reservations", _reservations(user_id, None)
    yield "my holds", _reservations(user_id, ReservationStatus.HELD)
    yield "one booking", lambda its: bookings.one(its, nobodys, user_id)
    yield "my bookings", _bookings(user_id, None)
    yield "everybody's bookings", _bookings(None, None)
    yield "the bookings of a screening", _bookings(None, screening_id)
    yield "the bookings of an email", _bookings(None, None, "ada@example.org")
    yield "me", lambda its: users.account(its, user_id)
    yield "what a screening still holds", lambda its: closing.standing(its, screening_id, 100)
    yield "is a closing interrupted?", lambda its: closing.is_interrupted(its, screening_id)
    yield "the holds that end next", lambda its: sweeping.ending(its, 2.0, 100)
    yield "old keys", lambda its: sweeping.forget_keys(its, OLD_HOURS)
    yield "old events", lambda its: sweeping.forget_events(its, OLD_HOURS)


def _reservations(user_id: int, status: ReservationStatus | None) -> Read:
    return lambda its: reservations.newest(
        its, user_id=user_id, status=status, screening_id=None, before=None, at_most=PAGE
    )


def _bookings(user_id: int | None, screening_id: int | None, email: str | None = None) -> Read:
    return lambda its: bookings.newest(
        its,
        user_id=user_id,
        status=None,
        screening_id=screening_id,
        seat=None,
        email=email,
        before=None,
        at_most=PAGE,
    )


async def _literals(connection: OfficeConnection, statement: str, values: Sequence[Any]) -> str:
    """The values as EXECUTE takes them: it has no parameters of its own."""
    if not values:
        return ""
    kinds = (await connection.prepare(statement)).get_parameters()
    quoted = ", ".join(f"quote_nullable(CAST(${place} AS {kind.name})::text)" for place, kind in enumerate(kinds, 1))
    literals = await connection.fetchrow(f"SELECT {quoted}", *values)
    assert literals is not None  # noqa: S101 - a SELECT without FROM gives one row
    return f"({', '.join(literals)})"


def main() -> int:
    """Build, explain, print."""
    arguments = _arguments()
    sold = arguments.bookings // arguments.screenings
    try:
        with ground() as made, made.stage(Effort(1, 1)) as stage:
            database = stage.database()
            house = stage.house(database, sold + NOT_SOLD, arguments.screenings)
            give_past(house, arguments.bookings)
            houses.settle(database.url)
            plans = asyncio.run(explain_all(house, sold))
    except EmbeddedError as reason:
        print(reason, file=sys.stderr)
        return 1
    for plan in plans:
        if arguments.about in plan.about:
            print(f"\n=== {plan.about}: {plan.statement[:120]}\n\n{plan.text}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.plans", description="How PostgreSQL carries out what Usher asks.")
    parser.add_argument("--bookings", type=int, default=1_000_000, help="of the past, at least one for each screening")
    parser.add_argument("--screenings", type=int, default=1_000, help="with as many bookings each")
    parser.add_argument("--about", default="", help="only plans about this, as `holds` or `my bookings`")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
