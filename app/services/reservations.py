"""Reads reservations: the caller's own; for staff, everybody's."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import reservations
from app.db.money import payments
from app.db.screenings import Defaults, rules_of
from app.domain.people.people import Person
from app.domain.refusals import Forbidden, NotFound
from app.domain.reservations import Reservation, ReservationStatus
from app.schemas.format.pages import after_uuid, page_of, uuid_cursor
from app.schemas.problems import reasons
from app.schemas.reservations import Json, reservation_out
from app.services.layouts import Layouts


class Reservations:
    """Always reads PostgreSQL, so that a reservation is there as soon as it was made."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts, defaults: Defaults) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts
        self._defaults = defaults

    async def one(self, person: Person, reservation_id: UUID) -> Json:
        """A reservation. Raises NotFound; also if it is another user's and the caller is no staff."""
        async with self._engine.connect() as connection:
            found = await reservations.one(connection, reservation_id, None if person.is_staff else person.id)
            if found is None:
                raise NotFound("reservation")
            return (await self._written(connection, [found]))[0]

    async def newest(
        self,
        person: Person,
        user_id: int | None,
        status: ReservationStatus | None,
        screening_id: int | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Json], str | None]:
        """A page of reservations, newest first, and the cursor of the next page.

        The caller's own; for staff who name a user or a screening, everybody's. Raises Forbidden when anybody else
        names a user.
        """
        if user_id is not None and not person.is_staff:
            raise Forbidden(reasons.ONLY_STAFF)
        sees_all = person.is_staff and not (user_id is None and screening_id is None)
        async with self._engine.connect() as connection:
            found = await reservations.newest(
                connection,
                user_id=user_id if sees_all else person.id,
                status=status,
                screening_id=screening_id,
                before=after_uuid(cursor) if cursor else None,
                at_most=limit + 1,
            )
            page = page_of(found, limit, lambda last: uuid_cursor(last[0].id))
            return await self._written(connection, page.items), page.next_cursor

    async def _written(
        self, connection: AsyncConnection, found: Iterable[tuple[Reservation, int, datetime]]
    ) -> list[Json]:
        found = list(found)
        rules = await rules_of(connection, (screening_id for _, screening_id, _ in found), self._defaults)
        written: list[Json] = []
        for reservation, screening_id, now in found:
            screening, layout_revision = rules[screening_id]
            layout = await self._layouts.at(screening.theater_id, layout_revision)
            is_paying = reservation.status is ReservationStatus.PAYING
            payment = await payments.open_for(connection, screening_id, reservation.id) if is_paying else None
            written.append(reservation_out(reservation, screening, layout, now, payment))
        return written
