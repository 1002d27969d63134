"""Cancels a screening: first its sales end, then its holds and bookings are undone, in portions.

If the process dies in between, the sweeper of any process continues: it finds cancelled screenings with holds or
bookings.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.box_office import closing
from app.domain.box_office.commands import Close
from app.domain.people.people import Person
from app.domain.refusals import NotFound
from app.services.box_office.office import BoxOffice
from app.services.seat_maps.announcer import Announcer

AT_ONCE: Final = 50
"""The most holds and bookings that one command undoes, so that buyers of other screenings do not wait long."""


class Closing:
    """One per process."""

    def __init__(
        self, engine: AsyncEngine, box_office: BoxOffice, announcer: Announcer, money_goes_back: Callable[[], None]
    ) -> None:
        """`money_goes_back`: says that there is something to give back."""
        self._engine = engine
        self._box_office = box_office
        self._announcer = announcer
        self._money_goes_back = money_goes_back

    async def close(
        self, screening_id: int, person: Person, request_id: str | None, revisions: frozenset[int] | None = None
    ) -> None:
        """Cancel a screening, and undo its holds and bookings. If it is cancelled already, it stays so.

        Raises NotFound; PreconditionFailed if `revisions` are given and none is the current one.
        """
        async with self._engine.begin() as connection:
            cancelled = await closing.cancel(connection, screening_id, revisions)
        if cancelled is None:
            raise NotFound("screening")
        await self._announcer.tell({screening_id: cancelled})
        await self.go_on(screening_id, person, request_id)

    async def go_on(self, screening_id: int, person: Person | None = None, request_id: str | None = None) -> None:
        """Undo the holds and bookings of a cancelled screening, until none is left."""
        while True:
            async with self._engine.connect() as connection:
                standing = await closing.standing(connection, screening_id, AT_ONCE)
            if not any(standing):
                return
            await self._box_office.ask(screening_id, Close(person, *standing), request_id=request_id)
            self._money_goes_back()

    async def finish_all(self) -> None:
        """Continue every closing that was interrupted. One that fails keeps no other one waiting.

        Raises what the first of those raised.
        """
        async with self._engine.connect() as connection:
            cancelled = await closing.cancelled(connection)
        failed: Exception | None = None
        for screening_id in cancelled:
            try:
                if await self._is_interrupted(screening_id):
                    await self.go_on(screening_id)
            except Exception as error:  # noqa: BLE001 - it is raised at the end
                failed = failed or error
        if failed is not None:
            raise failed

    async def _is_interrupted(self, screening_id: int) -> bool:
        async with self._engine.connect() as connection:
            return await closing.is_interrupted(connection, screening_id)
