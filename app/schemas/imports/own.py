"""Our own JSON: a layout as `PUT /theaters/{id}/layout` takes it, or a theater with name, time zone and layout."""

from functools import partial

from pydantic import ValidationError

from app.schemas.format.requests import Strict
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, complaints
from app.schemas.imports.lines import line_of, parse
from app.schemas.layouts import LayoutIn
from app.schemas.theaters import TheaterName, Timezone


class _House(Strict):
    """A theater as a file has it."""

    name: TheaterName | None = None
    timezone: Timezone | None = None
    layout: LayoutIn


def read_own(text: str) -> LayoutFile:
    """The layout in a text of this form. Raises FileWrong."""
    content = parse(text)
    if not isinstance(content, dict):
        raise FileWrong([Complaint(1, "", "This should be an object with `sections`, or with `layout`.")])
    try:
        if "layout" in content:
            house = _House.model_validate_json(text)
            return LayoutFile(house.layout, partial(_place, text, ("layout",)), house.name, house.timezone)
        return LayoutFile(LayoutIn.model_validate_json(text), partial(_place, text, ()))
    except ValidationError as error:
        raise FileWrong(complaints(error.errors(), partial(_place, text, ()))) from None


def _place(text: str, within: Loc, loc: Loc) -> tuple[int, str]:
    return line_of(text, (*within, *loc)), ".".join(str(step) for step in loc if step not in ("list", "count"))
