"""What organizers read about the sale of a screening."""

from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import reports as db
from app.domain.catalogue import ListedScreening
from app.domain.money import Money
from app.domain.reports import Report, SoldSeat, report
from app.domain.seats import Layout
from app.schemas.reports import BookedSeat
from app.services.house.catalogue import Catalogue
from app.services.layouts import Layouts


class Reports:
    """One per process. All of a report is of one moment."""

    def __init__(self, engine: AsyncEngine, catalogue: Catalogue, layouts: Layouts) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._catalogue = catalogue
        self._layouts = layouts

    async def of(self, screening_id: int) -> Report:
        """The report of a screening. Raises NotFound."""
        listed, layout = await self._house(screening_id)
        theater = await self._catalogue.theater(layout.theater_id)
        async with self._engine.connect() as connection:
            statuses = await db.statuses(connection, screening_id)
            sold = await db.sold(connection, screening_id)
            taken, given_back = await db.taken_and_given_back(connection, screening_id)
        currency = listed.screening.currency
        return report(
            layout.seats,
            statuses,
            [
                SoldSeat(each.seat_id, Money(each.amount_minor, each.currency), each.booked_at)
                for each in sold
                if each.cancelled_at is None
            ],
            Money(taken, currency),
            Money(given_back, currency),
            ZoneInfo(theater.timezone),
        )

    async def bookings(self, screening_id: int) -> list[BookedSeat]:
        """Every seat that was ever booked in a screening, the oldest booking first. Raises NotFound."""
        _, layout = await self._house(screening_id)
        async with self._engine.connect() as connection:
            sold = await db.sold(connection, screening_id)
        return [
            BookedSeat(
                booking_id=each.booking_id,
                user_id=each.user_id,
                booked_at=each.booked_at,
                cancelled_at=each.cancelled_at,
                seat=layout.by_id.get(each.seat_id),
                label=layout.label_of(each.seat_id),
                price=Money(each.amount_minor, each.currency),
                payment_reference=each.payment_reference,
                cancel_reason=each.cancel_reason,
            )
            for each in sold
        ]

    async def _house(self, screening_id: int) -> tuple[ListedScreening, Layout]:
        listed = await self._catalogue.screening(screening_id)
        return listed, await self._layouts.at(listed.screening.theater_id, listed.layout_revision)
