"""Imports a layout from a file, for an existing theater or for a new one."""

from pydantic import ValidationError

from app.domain.refusals import Flawed
from app.schemas.imports import Complaint, FileWrong, LayoutFile
from app.schemas.theaters import TheaterIn
from app.services.house.organizing import Organizing


async def import_layout(
    organizing: Organizing, file: LayoutFile, theater_id: int | None, name: str | None, timezone: str | None
) -> tuple[int, int]:
    """Give a theater the seats of a file; without an id, create one. Returns its id, and how many seats it has.

    The name and time zone of a new theater are by default those of the file. Raises FileWrong, and NotFound and
    LayoutInUse as `Organizing.rebuild` does.
    """
    try:
        if theater_id is not None:
            layout = await organizing.rebuild(theater_id, file.layout, by=None)
            return theater_id, len(layout.seats)
        theater = await organizing.import_theater(_new_theater(file, name, timezone))
        return theater.id, theater.seat_count
    except Flawed as flawed:
        raise file.wrong(flawed.errors) from None


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
        raise FileWrong(Complaint(None, f"--{one['loc'][0]}", one["msg"]) for one in error.errors()) from None
