"""Looks things up: theaters, layouts, screenings, and the screening that a call means (docs/api.md, section 5)."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import screenings
from app.db.house import layouts, theaters
from app.db.screenings import Defaults, MeantScreening
from app.domain.house.catalogue import ListedScreening, ScreeningFilter, Theater
from app.domain.refusals import NotFound, ScreeningRequired, UnknownSeats
from app.domain.screenings import Screening
from app.domain.seats import Layout, SeatNames
from app.schemas.format.pages import Page, after_id, after_moment, id_cursor, moment_cursor, page_of
from app.services.layouts import Layouts
from app.services.running.single_flight import SingleFlight

# Nobody reads more to find out which one was meant.
CANDIDATES = 50


class Catalogue:
    """Reads what is public. Every answer is at least as new as the call."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts, defaults: Defaults) -> None:
        # Each story reads in one statement, or in several that need not be of one moment: no transaction around them.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts
        self._defaults = defaults
        self._meant = SingleFlight(self._read_meant)

    async def theaters(self, cursor: str | None, limit: int) -> Page[Theater]:
        """A page of theaters, newest first."""
        before = None if cursor is None else after_id(cursor)
        async with self._engine.connect() as connection:
            found = await theaters.newest(connection, before, limit + 1)
        return page_of(found, limit, lambda last: id_cursor(last.id))

    async def theater(self, theater_id: int) -> Theater:
        """A theater. Raises NotFound."""
        async with self._engine.connect() as connection:
            theater = await theaters.one(connection, theater_id)
        if theater is None:
            raise NotFound("theater")
        return theater

    async def layout(self, theater_id: int) -> Layout:
        """The current layout of a theater. Raises NotFound."""
        async with self._engine.connect() as connection:
            revision = await theaters.layout_revision(connection, theater_id)
        if revision is None:
            raise NotFound("theater")
        return await self._layouts.at(theater_id, revision)

    async def screenings(self, wanted: ScreeningFilter, cursor: str | None, limit: int) -> Page[ListedScreening]:
        """A page of screenings by their start, soonest first. A theater that does not exist has none."""
        after = None if cursor is None else after_moment(cursor)
        async with self._engine.connect() as connection:
            found = await screenings.soonest(connection, wanted, after, limit + 1, self._defaults)
        return page_of(found, limit, lambda last: moment_cursor(last.screening.starts_at, last.screening.id))

    async def screenings_of(self, theater_id: int, cursor: str | None, limit: int) -> Page[ListedScreening]:
        """A page of one theater's screenings, soonest first. Raises NotFound."""
        await self._must_exist(theater_id)
        return await self.screenings(ScreeningFilter(theater_id), cursor, limit)

    async def screening(self, screening_id: int) -> ListedScreening:
        """A screening. Raises NotFound."""
        async with self._engine.connect() as connection:
            screening = await screenings.one(connection, screening_id, self._defaults)
        if screening is None:
            raise NotFound("screening")
        return screening

    async def standing(self, screening_id: int) -> tuple[Screening, Layout]:
        """A screening, and the seats that it stands on. Raises NotFound."""
        listed, layout = await self.listed(screening_id)
        return listed.screening, layout

    async def listed(self, screening_id: int) -> tuple[ListedScreening, Layout]:
        """As `standing`, with what is listed of the screening."""
        listed = await self.screening(screening_id)
        return listed, await self._layouts.at(listed.screening.theater_id, listed.layout_revision)

    async def for_write(self, theater_id: int) -> int:
        """The screening that a write means which names only a theater: the only one on sale there.

        Raises NotFound if there is no such theater, and ScreeningRequired if not exactly one is on sale.
        """
        meant = await self._meant.ask(theater_id)
        if not meant:
            await self._must_exist(theater_id)
        return _the_one_on_sale(meant)

    async def for_seat_names(self, names: SeatNames) -> int:
        """The screening that a write means which names only seats. Ids tell their theater; labels mean the only theater
        that has a screening on sale.

        Raises UnknownSeats if none of the ids exists, and ScreeningRequired as `for_write` does.
        """
        if not names.ids:
            return _the_one_on_sale(await self._meant.ask(None))
        theater_id = await self._theater_of(names.ids)
        if theater_id is None:
            raise UnknownSeats(names.ids)
        return await self.for_write(theater_id)

    async def for_read(self, theater_id: int | None = None) -> int:
        """The screening that a read means: the next of those on sale, else the next to start.

        Of any theater, if none is named. Raises NotFound if there is no upcoming screening.
        """
        meant = await self._meant.ask(theater_id)
        if meant:
            return meant[0].candidate.id
        if theater_id is not None:
            await self._must_exist(theater_id)
        raise NotFound("screening")

    async def next_on_sale(self, theater_id: int | None = None) -> int | None:
        """The next screening on sale, of any theater if none is named; None if there is none. Raises NotFound."""
        meant = await self._meant.ask(theater_id)
        if not meant and theater_id is not None:
            await self._must_exist(theater_id)
        return meant[0].candidate.id if meant and meant[0].on_sale else None

    async def screening_of_theater(self, theater_id: int, screening_id: int | None) -> int:
        """This screening, if it is one of the theater's; if none is named, the one that a read means.

        Raises NotFound.
        """
        if screening_id is None:
            return await self.for_read(theater_id)
        if (await self.screening(screening_id)).screening.theater_id != theater_id:
            raise NotFound("screening")
        return screening_id

    async def _read_meant(self, theater_id: int | None) -> list[MeantScreening]:
        async with self._engine.connect() as connection:
            return await screenings.meant(connection, theater_id, CANDIDATES)

    async def _theater_of(self, seat_ids: tuple[int, ...]) -> int | None:
        known = self._layouts.theater_of(seat_ids[0])
        if known is not None:
            return known
        async with self._engine.connect() as connection:
            return await layouts.theater_of(connection, seat_ids)

    async def _must_exist(self, theater_id: int) -> None:
        async with self._engine.connect() as connection:
            if await theaters.layout_revision(connection, theater_id) is None:
                raise NotFound("theater")


def _the_one_on_sale(meant: list[MeantScreening]) -> int:
    """The only screening on sale. Raises ScreeningRequired if there is none, or more than one."""
    on_sale = [each.candidate for each in meant if each.on_sale]
    if len(on_sale) != 1:
        raise ScreeningRequired(tuple(on_sale or (each.candidate for each in meant)))
    return on_sale[0].id
