"""What organizers see of seats: their history, as far back as events are kept (EVENT_HOURS), and which are blocked."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import history
from app.db.history import Happening
from app.domain.refusals import NotFound
from app.schemas.blocks import blocks_json
from app.schemas.format.pages import Page, after_id, id_cursor, page_of
from app.services.house.catalogue import Catalogue
from app.services.layouts import Layouts
from app.services.running.beside import beside


class History:
    """Reads the events that every transaction writes with its changes."""

    def __init__(self, engine: AsyncEngine, catalogue: Catalogue, layouts: Layouts) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._catalogue = catalogue
        self._layouts = layouts

    async def of_seat(self, screening_id: int, seat_id: int, cursor: str | None, limit: int) -> Page[Happening]:
        """A page of what happened to a seat in a screening, newest first. Raises NotFound when either is not there."""
        listed = await self._catalogue.screening(screening_id)
        async with self._engine.connect() as connection:
            before = after_id(cursor) if cursor else None
            found = await history.of_seat(connection, screening_id, seat_id, before, limit + 1)
        if not found:
            layout = await self._layouts.at(listed.screening.theater_id, listed.layout_revision)
            if seat_id not in layout.by_id:
                raise NotFound("seat")
        return page_of(found, limit, lambda last: id_cursor(last.version))

    async def blocks(self, screening_id: int) -> bytes:
        """The blocked seats of a screening with their reasons, as JSON. Raises NotFound."""
        listed = await self._catalogue.screening(screening_id)
        layout = await self._layouts.at(listed.screening.theater_id, listed.layout_revision)
        async with self._engine.connect() as connection:
            blocked = await history.blocked(connection, screening_id)
        return await beside(len(blocked), blocks_json, blocked, layout)
