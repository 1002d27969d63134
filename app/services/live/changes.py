"""The changes since a version, for callers that have read the map and want only the difference."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.seat_maps import seat_events
from app.domain.refusals import ChangesGone, NotFound
from app.schemas.live import changes_json
from app.services.layouts import Layouts


class ChangesFeed:
    """Reads the events that every transaction writes with its changes."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts

    async def lost_by(self, screening_id: int, user_id: int) -> frozenset[int]:
        """The seats whose last change ended a hold of this user: it ran out, or was released."""
        async with self._engine.connect() as connection:
            return await seat_events.lost_by(connection, screening_id, user_id)

    async def since(self, screening_id: int, version: int, user_id: int | None) -> bytes:
        """A ChangesOut with all changes after `version`, as this user sees them; empty if there are none.

        Raises NotFound, and ChangesGone if some of them are no longer kept.
        """
        async with self._engine.connect() as connection:
            changes = await seat_events.since(connection, screening_id, version)
        if changes is None:
            raise NotFound("screening")
        if not changes.reach_back_to(version):
            raise ChangesGone(changes.earliest)
        layout = await self._layouts.at(changes.theater_id, changes.layout_revision)
        return changes_json(changes.version, changes.events, layout, user_id)
