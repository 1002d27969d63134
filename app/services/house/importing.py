"""Imports a layout from a file, for an existing theater or for a new one."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from app.domain.house.layouts import SeatDraft
from app.domain.people.people import Person
from app.domain.refusals import Flawed
from app.domain.seats import Point, Seat
from app.schemas.format.faults import code_and_message
from app.schemas.house.layout_files import layout_import_json
from app.schemas.house.layouts import LayoutIn, PointIn
from app.schemas.house.theaters import TheaterIn
from app.schemas.imports import Complaint, FileWrong, LayoutFile
from app.services.house.catalogue import Catalogue
from app.services.house.organizing import Organizing, Revisions


@dataclass(frozen=True, slots=True)
class Imported:
    """The seats of a theater after an import, or after a rehearsal of one, and what has become of those before it."""

    seats: Sequence[Seat | SeatDraft]
    kept: int
    added: int
    removed: int

    def json(self, theater_id: int, warnings: Iterable[Complaint], *, dry_run: bool) -> bytes:
        """What is answered. It takes a while for a large house."""
        counts = {"kept": self.kept, "added": self.added, "removed": self.removed}
        return layout_import_json(theater_id, self.seats, counts, warnings, dry_run=dry_run)


async def import_layout(
    organizing: Organizing,
    catalogue: Catalogue,
    file: LayoutFile,
    theater_id: int | None,
    name: str | None,
    timezone: str | None,
) -> tuple[int, int]:
    """Give a theater the seats of a file; without an id, create one. Returns its id, and how many seats it has.

    The name and time zone of a new theater are by default those of the file. Raises FileWrong, and NotFound and
    LayoutInUse as `Organizing.rebuild` does.
    """
    if theater_id is not None:
        imported = await replace_layout(organizing, catalogue, file, theater_id, by=None)
        return theater_id, len(imported.seats)
    try:
        theater = await organizing.import_theater(_new_theater(file, name, timezone))
    except Flawed as flawed:
        raise file.wrong(flawed.errors) from None
    return theater.id, theater.seat_count


async def replace_layout(
    organizing: Organizing,
    catalogue: Catalogue,
    file: LayoutFile,
    theater_id: int,
    by: Person | None,
    revisions: Revisions = None,
) -> Imported:
    """Give a theater the seats of a file. Raises FileWrong, and NotFound, LayoutInUse and PreconditionFailed as
    `Organizing.rebuild` does.
    """
    before = await catalogue.layout(theater_id)
    try:
        after = await organizing.rebuild(theater_id, _layout_of(file, before.focal_point), by, revisions)
    except Flawed as flawed:
        raise file.wrong(flawed.errors) from None
    kept = await asyncio.to_thread(lambda: len(before.by_id.keys() & after.by_id.keys()))
    return Imported(after.seats, kept, len(after.seats) - kept, len(before.seats) - kept)


async def rehearse(
    organizing: Organizing, catalogue: Catalogue, file: LayoutFile, theater_id: int, revisions: Revisions = None
) -> Imported:
    """What `replace_layout` would do. Nothing is changed. Raises what it raises."""
    before = await catalogue.layout(theater_id)
    try:
        planned = await organizing.rehearse(theater_id, _layout_of(file, before.focal_point), revisions)
    except Flawed as flawed:
        raise file.wrong(flawed.errors) from None

    def compared() -> Imported:
        kept = sum(seat_id in before.by_id for _, seat_id in planned.seats)
        seats = [draft for draft, _ in planned.seats]
        return Imported(seats, kept, len(seats) - kept, len(planned.gone))

    return await asyncio.to_thread(compared)


def _layout_of(file: LayoutFile, looks_at: Point | None) -> LayoutIn:
    """A file of a kind that cannot say where people look leaves that as it is."""
    if file.says_where_people_look or looks_at is None:
        return file.layout
    return file.layout.model_copy(update={"focal_point": PointIn(x=looks_at.x, y=looks_at.y)})


def _new_theater(file: LayoutFile, name: str | None, timezone: str | None) -> TheaterIn:
    named = {"name": name or file.name, "timezone": timezone or file.timezone}
    wrong = [
        Complaint(None, f"--{what}", "This is required for a new theater.")
        for what, value in named.items()
        if not value
    ]
    if wrong:
        raise FileWrong([*wrong, Complaint(None, "--theater", "Or choose an existing theater.")])
    try:
        return TheaterIn.model_validate({**named, "layout": file.layout})
    except ValidationError as error:
        raise FileWrong(
            Complaint(None, f"--{one['loc'][0]}", code_and_message(one)[1]) for one in error.errors()
        ) from None
