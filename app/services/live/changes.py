"""What changed since a version: for whoever read the map and wants only the difference."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.seat_maps import seat_events
from app.domain.refusals import ChangesGone, NotFound
from app.schemas.live import changes_json
from app.services.layouts import Layouts


class ChangesFeed:
    """Read from the events that every transaction writes together with what it changes."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts

    async def lost_by(self, screening_id: int, user_id: int) -> frozenset[int]:
        """The seats whose last change took them from this user: the hold ran out, or was released."""
        async with self._engine.connect() as connection:
            return await seat_events.lost_by(connection, screening_id, user_id)

    async def since(self, screening_id: int, version: int, user_id: int | None) -> bytes:
        """Everything after `version`, as this user sees it; at or beyond the present: nothing.

        Raises NotFound, or ChangesGone when what came next is no longer kept.
        """
        async with self._engine.connect() as connection:
            changes = await seat_events.since(connection, screening_id, version)
        if changes is None:
            raise NotFound("screening")
        if not changes.reach_back_to(version):
            raise ChangesGone(changes.earliest)
        layout = await self._layouts.at(changes.theater_id, changes.layout_revision)
        return changes_json(changes.version, changes.events, layout, user_id)
