"""Reads bookings: the caller's own; for organizers, everybody's; for staff, what they look for."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import bookings
from app.db.screenings import Defaults, rules_of
from app.domain.bookings import Booking, BookingStatus
from app.domain.people.people import Person
from app.domain.refusals import Forbidden, NotFound
from app.schemas.bookings import booking_out
from app.schemas.format.pages import after_uuid, page_of, uuid_cursor
from app.schemas.problems import reasons as sentences
from app.schemas.reservations import Json
from app.services.layouts import Layouts


class Bookings:
    """Always reads PostgreSQL, so that a booking is there as soon as it was made."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts, defaults: Defaults) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts
        self._defaults = defaults

    async def one(self, person: Person, booking_id: UUID) -> Json:
        """A booking. Raises NotFound; also if it is another user's and the caller is no organizer."""
        async with self._engine.connect() as connection:
            found = await bookings.one(connection, booking_id, None if person.runs_the_house else person.id)
            if found is None:
                raise NotFound("booking")
            return (await self._written(connection, [found], person))[0]

    async def found(self, person: Person | None, email: str, booking_id: UUID) -> Json | None:
        """A booking, for staff who have both its id and the email of its owner. None for everybody else, in any case.

        Raises NotFound, to staff only.
        """
        if person is None or not person.is_staff:
            return None
        async with self._engine.connect() as connection:
            found = await bookings.of_email(connection, booking_id, email)
            if found is None:
                raise NotFound("booking")
            return (await self._written(connection, [found], person))[0]

    async def newest(
        self,
        person: Person,
        user_id: int | None,
        status: BookingStatus | None,
        screening_id: int | None,
        seat: str | None,
        email: str | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Json], str | None]:
        """A page of bookings, newest first, and the cursor of the next page.

        The caller's own; for organizers, those of `user_id`, or everybody's; for staff who name a screening, the label
        of a seat or an email, everybody's too. Raises Forbidden when anybody else names an email.
        """
        if email is not None and not person.is_staff:
            raise Forbidden(sentences.ONLY_STAFF)
        looks_for_some = (screening_id, seat, email) != (None, None, None)
        sees_all = person.runs_the_house or (person.is_staff and looks_for_some)
        async with self._engine.connect() as connection:
            found = await bookings.newest(
                connection,
                user_id=user_id if sees_all else person.id,
                status=status,
                screening_id=screening_id,
                seat=seat,
                email=email,
                before=after_uuid(cursor) if cursor else None,
                at_most=limit + 1,
            )
            page = page_of(found, limit, lambda last: uuid_cursor(last[0].id))
            return await self._written(connection, page.items, person), page.next_cursor

    async def _written(
        self, connection: AsyncConnection, found: Sequence[tuple[Booking, int]], person: Person
    ) -> list[Json]:
        """As this person reads them: organizers also read why they were cancelled."""
        reasons = await bookings.reasons(connection, found) if person.runs_the_house else {}
        rules = await rules_of(connection, (screening_id for _, screening_id in found), self._defaults)
        written: list[Json] = []
        for booking, screening_id in found:
            screening, layout_revision = rules[screening_id]
            layout = await self._layouts.at(screening.theater_id, layout_revision)
            out = booking_out(booking, screening, layout)
            if booking.id in reasons:
                out["cancel_reason"] = reasons[booking.id]
            written.append(out)
        return written
