"""What organizers read about the sale of a screening."""

from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.house import reports as db
from app.domain.house.catalogue import ListedScreening
from app.domain.house.reports import Report, SoldSeat, report
from app.domain.money import Money
from app.domain.seats import Layout
from app.schemas.house.reports import BookedSeat, bookings_table
from app.services.house.catalogue import Catalogue
from app.services.layouts import Layouts
from app.services.running.beside import beside


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

        def made() -> Report:
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

        return await beside(len(layout.seats) + len(sold), made)

    async def bookings_table(self, screening_id: int) -> bytes:
        """Every seat that was ever booked in a screening as CSV, the oldest booking first. Raises NotFound."""
        _, layout = await self._house(screening_id)
        async with self._engine.connect() as connection:
            sold = await db.sold(connection, screening_id)

        def made() -> bytes:
            return bookings_table([_booked(each, layout) for each in sold])

        return await beside(len(sold), made)

    async def _house(self, screening_id: int) -> tuple[ListedScreening, Layout]:
        listed = await self._catalogue.screening(screening_id)
        return listed, await self._layouts.at(listed.screening.theater_id, listed.layout_revision)


def _booked(sold: db.Sold, layout: Layout) -> BookedSeat:
    return BookedSeat(
        booking_id=sold.booking_id,
        user_id=sold.user_id,
        booked_at=sold.booked_at,
        cancelled_at=sold.cancelled_at,
        seat=layout.by_id.get(sold.seat_id),
        label=layout.label_of(sold.seat_id),
        price=Money(sold.amount_minor, sold.currency),
        payment_reference=sold.payment_reference,
        cancel_reason=sold.cancel_reason,
    )
