"""The stories of organizers about theaters, layouts and screenings (docs/api.md, sections 4 and 5).

Every story locks the theater, then its screenings in the order of their ids, looks, decides, writes and commits. Then
it announces the new map versions. The box office takes the same locks of screenings, or notices before it writes that
a revision has changed: nobody gets a seat in between.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import screenings
from app.db.box_office.idempotency_keys import StoredAnswer
from app.db.house import layouts, planning, theaters
from app.db.house.theaters import LockedTheater
from app.db.screenings import Defaults
from app.db.seat_maps import occupancy
from app.domain.house.catalogue import ListedScreening, Theater
from app.domain.house.layouts import LayoutRefused, SeatDraft, SectionPlan, categories_of, draw, lay_out
from app.domain.house.planning import PlannedScreening, ScreeningPlan, must_have_prices
from app.domain.house.rebuilding import Rebuilding, must_leave_alone, rebuild
from app.domain.idempotency import Key
from app.domain.people.people import Person
from app.domain.refusals import Flaw, NotFound, PreconditionFailed, TheaterInUse
from app.domain.seats import Layout
from app.schemas.house.layouts import LayoutIn
from app.schemas.house.theaters import TheaterIn, TheaterPatch, theater_json
from app.schemas.screenings import ScreeningIn, ScreeningPatch, screening_json
from app.services.house.catalogue import CANDIDATES, Catalogue
from app.services.house.creating import Created, once
from app.services.seat_maps.announcer import Announcer

log = logging.getLogger(__name__)

Revisions = frozenset[int] | None
"""For which revisions an edit is meant; None: for any."""


class Organizing:
    """One per process. If `revisions` are given and none of them is the current one, the stories raise
    PreconditionFailed.

    `by` is the user who makes the edit; None for the command line.
    """

    def __init__(self, engine: AsyncEngine, catalogue: Catalogue, announcer: Announcer, defaults: Defaults) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._announcer = announcer
        self._defaults = defaults

    async def open_theater(self, wanted: TheaterIn, by: Person, key: Key | None) -> Created:
        """A new theater, with its seats if there is a layout; once for each key.

        Raises LayoutRefused, and KeyReused and KeyInUse as `once` does.
        """
        drafts = await _drafts_of(wanted)

        async def create(connection: AsyncConnection) -> StoredAnswer:
            theater = await _add_theater(connection, wanted, drafts)
            return StoredAnswer(theater_json(theater), f"/api/v1/theaters/{theater.id}")

        return _noted(await once(self._engine, key, create), by)

    async def import_theater(self, wanted: TheaterIn) -> Theater:
        """The same for the command line. Raises LayoutRefused."""
        drafts = await _drafts_of(wanted)
        async with self._engine.begin() as connection:
            theater = await _add_theater(connection, wanted, drafts)
        _note(f"theater {theater.id} was created", None)
        return theater

    async def change_theater(
        self, theater_id: int, edit: TheaterPatch, by: Person | None, revisions: Revisions = None
    ) -> Theater:
        """Change name or time zone. If nothing is different, the revision stays. Raises NotFound."""
        async with self._engine.begin() as connection:
            theater = await _locked(connection, theater_id)
            _must_be(revisions, theater.revision)
            changed = edit.onto(theater.name, theater.timezone)
            if changed != (theater.name, theater.timezone):
                await theaters.change(connection, theater_id, *changed)
            if changed[1] != theater.timezone:
                await planning.move_timezone(connection, theater_id, changed[1])
        _note(f"theater {theater_id} was changed", by)
        return await self._catalogue.theater(theater_id)

    async def remove_theater(self, theater_id: int, by: Person | None, revisions: Revisions = None) -> None:
        """Remove a theater. Its past screenings can still be read.

        Raises NotFound, also if it was removed before; TheaterInUse with the upcoming screenings.
        """
        async with self._engine.begin() as connection:
            theater = await _locked(connection, theater_id)
            _must_be(revisions, theater.revision)
            if to_come := await planning.candidates(connection, theater_id, CANDIDATES):
                raise TheaterInUse(to_come)
            await theaters.remove(connection, theater_id)
        _note(f"theater {theater_id} was removed", by)

    async def rebuild(
        self, theater_id: int, layout: LayoutIn, by: Person | None, revisions: Revisions = None
    ) -> Layout:
        """Other seats for a theater. Which seat is the same as before: domain.rebuilding; `revisions` are the layout's.

        Screenings to come stand on the new seats. One that has begun or was cancelled keeps those that it has.

        Raises NotFound, LayoutRefused, LayoutInUse naming the seats that would go and that are in use in a screening to
        come, and Flawed naming a category without a price there.
        """
        drafts = await _seats_of(draw, layout)
        async with self._engine.begin() as connection:
            theater = await _locked(connection, theater_id)
            _must_be(revisions, theater.layout_revision)
            rebuilding = await _rebuilding(connection, theater_id, drafts)
            # What takes long comes before the lock that buyers wait for; whoever begins meanwhile is seen after it.
            expected = await planning.to_come(connection, theater_id)
            await layouts.keep_former(connection, theater_id, [each.id for each in expected])
            await planning.lock_to_come(connection, theater_id)
            to_come = await planning.to_come(connection, theater_id)
            must_have_prices(categories_of(drafts), to_come)
            moving, gone = [each.id for each in to_come], [seat.id for seat in rebuilding.gone]
            must_leave_alone(rebuilding.gone, await planning.in_use(connection, moving, gone))
            await layouts.keep_former(connection, theater_id, moving)
            await layouts.rebuild(connection, theater_id, rebuilding)
            await theaters.move_layout(connection, theater_id, layout.looks_at())
            await planning.move_layouts(connection, moving, theater.layout_revision + 1)
            map_versions = await occupancy.map_versions(connection, moving)
        await self._announcer.tell(map_versions)
        _note(f"the layout of theater {theater_id} was changed", by)
        return await self._catalogue.layout(theater_id)

    async def rehearse(self, theater_id: int, layout: LayoutIn, revisions: Revisions = None) -> Rebuilding:
        """What `rebuild` would do now. Nothing is changed. Raises what it raises."""
        drafts = await _seats_of(draw, layout)
        async with self._engine.connect() as connection:
            theater = await theaters.one(connection, theater_id)
            if theater is None:
                raise NotFound("theater")
            rebuilding = await _rebuilding(connection, theater_id, drafts)
            _must_be(revisions, rebuilding.of_revision)
            to_come = await planning.to_come(connection, theater_id)
            must_have_prices(categories_of(drafts), to_come)
            gone = [seat.id for seat in rebuilding.gone]
            must_leave_alone(rebuilding.gone, await planning.in_use(connection, [each.id for each in to_come], gone))
        return rebuilding

    async def put_on(self, theater_id: int, wanted: ScreeningIn, by: Person, key: Key | None) -> Created:
        """Create a screening; once for each key.

        Raises NotFound, Flawed as `ScreeningPlan.must_make_sense` does, and KeyReused and KeyInUse as `once` does.
        """
        plan = wanted.plan()

        async def create(connection: AsyncConnection) -> StoredAnswer:
            await _locked(connection, theater_id)
            plan.must_make_sense(await layouts.categories(connection, theater_id), self._defaults.hold_seconds)
            screening_id = await planning.add(connection, theater_id, plan)
            listed = await screenings.one(connection, screening_id, self._defaults)
            assert listed is not None  # noqa: S101 (it was added in this transaction)
            return StoredAnswer(screening_json(listed), f"/api/v1/screenings/{screening_id}")

        return _noted(await once(self._engine, key, create), by)

    async def change_screening(
        self, screening_id: int, edit: ScreeningPatch, by: Person | None, revisions: Revisions = None
    ) -> ListedScreening:
        """Change title, times, prices or limits. Holds and bookings keep their prices.

        An edit that changes nothing is none. Raises NotFound, Flawed as the plan says, and LayoutInUse when a screening
        that has begun is to come again, and what stands on its seats is not in the house any more.
        """
        map_versions: dict[int, int] = {}
        async with self._engine.begin() as connection:
            theater_id = await planning.theater_of(connection, screening_id)
            if theater_id is None:
                raise NotFound("screening")
            theater = await _locked(connection, theater_id)
            standing = await planning.lock(connection, screening_id)
            _must_be(revisions, standing.revision)
            plan = edit.onto(standing.plan)
            if plan != standing.plan:
                layout_revision = await _layout_revision_of(connection, standing, plan, theater)
                former = None if layout_revision == theater.layout_revision else layout_revision
                categories = await layouts.categories(connection, theater_id, former)
                plan.must_make_sense(categories, self._defaults.hold_seconds)
                if await planning.was_ever_taken(connection, screening_id):
                    plan.must_keep_currency(standing.plan)
                await planning.change(connection, screening_id, plan, layout_revision, theater.timezone)
                map_versions = await occupancy.map_versions(connection, [screening_id])
        await self._announcer.tell(map_versions)
        _note(f"screening {screening_id} was changed", by)
        return await self._catalogue.screening(screening_id)


async def _drafts_of(wanted: TheaterIn) -> Sequence[SeatDraft]:
    """The seats of a new theater; none without a layout. Raises LayoutRefused."""
    return [] if wanted.layout is None else await _seats_of(lay_out, wanted.layout, within="layout")


async def _add_theater(connection: AsyncConnection, wanted: TheaterIn, drafts: Sequence[SeatDraft]) -> Theater:
    focal_point = None if wanted.layout is None else wanted.layout.looks_at()
    theater_id = await theaters.add(connection, wanted.name, wanted.timezone, focal_point=focal_point)
    if drafts:
        await layouts.add(connection, theater_id, drafts)
    theater = await theaters.one(connection, theater_id)
    assert theater is not None  # noqa: S101 (it was added in this transaction)
    return theater


async def _seats_of(
    plan: Callable[[Sequence[SectionPlan]], Sequence[SeatDraft]], layout: LayoutIn, within: str | None = None
) -> Sequence[SeatDraft]:
    """The seats of a layout; a large one takes a while, and others are served meanwhile. Raises LayoutRefused."""
    try:
        return await asyncio.to_thread(lambda: plan(layout.plan()))
    except LayoutRefused as refused:
        if within is None:
            raise
        flaws = (Flaw((within, *flaw.loc), flaw.code, flaw.message) for flaw in refused.errors)
        raise LayoutRefused(tuple(flaws)) from None


async def _rebuilding(connection: AsyncConnection, theater_id: int, drafts: Sequence[SeatDraft]) -> Rebuilding:
    """What becomes of the seats of a theater. Raises NotFound, and LayoutRefused when labels clash."""
    standing = await layouts.read(connection, theater_id)
    if standing is None:
        raise NotFound("theater")
    former = await layouts.former_places(connection, theater_id)
    return await asyncio.to_thread(rebuild, standing, drafts, former)


async def _locked(connection: AsyncConnection, theater_id: int) -> LockedTheater:
    """Lock the theater until the transaction ends. Raises NotFound."""
    theater = await theaters.lock(connection, theater_id)
    if theater is None:
        raise NotFound("theater")
    return theater


async def _layout_revision_of(
    connection: AsyncConnection, standing: PlannedScreening, plan: ScreeningPlan, theater: LockedTheater
) -> int:
    """On which layout a screening stands when it is planned so: one that is to come (again), on the present one.

    Raises LayoutInUse naming the seats that are in use and not in the house any more.
    """
    if standing.layout_revision == theater.layout_revision or standing.is_cancelled:
        return standing.layout_revision
    if not await planning.is_to_come(connection, plan.starts_at):
        return standing.layout_revision
    before = await layouts.read(connection, theater.id, standing.layout_revision)
    present = await layouts.read(connection, theater.id)
    if before is None or present is None:
        raise NotFound("theater")
    gone = [seat for seat in before.seats if seat.id not in present.by_id]
    must_leave_alone(gone, await planning.in_use(connection, [standing.id], [seat.id for seat in gone]))
    return theater.layout_revision


def _must_be(expected: Revisions, present: int) -> None:
    """Raises PreconditionFailed if revisions are expected and the current one is none of them."""
    if expected is not None and present not in expected:
        raise PreconditionFailed(present)


def _noted(created: Created, by: Person) -> Created:
    """The same, noted in the log if it is new."""
    if not created.replayed:
        _note(f"{created.location} was created", by)
    return created


def _note(what: str, by: Person | None) -> None:
    log.info("%s by %s", what, "the command line" if by is None else f"user {by.id}")
