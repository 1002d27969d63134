"""Our own JSON: a layout as `PUT /theaters/{id}/layout` takes it, or a theater with name, time zone and layout."""

from functools import partial
from typing import Any

from pydantic import ValidationError

from app.schemas.format.requests import Strict
from app.schemas.house.layouts import LayoutIn
from app.schemas.house.theaters import TheaterName, Timezone
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, wrong_values
from app.schemas.imports.lines import Lines


class _House(Strict):
    """A theater as a file has it."""

    name: TheaterName | None = None
    timezone: Timezone | None = None
    layout: LayoutIn


def read_own(text: str, content: Any) -> LayoutFile:
    """The layout in a text of this form, and of this content. Raises FileWrong."""
    if not isinstance(content, dict):
        raise FileWrong([Complaint(1, "", "This should be an object with `sections`, or with `layout`.")])
    lines = Lines(text)
    try:
        if "layout" in content:
            house = _House.model_validate(content)
            place_of = partial(_place, lines, ("layout",))
            return LayoutFile(house.layout, place_of, house.name, house.timezone, says_where_people_look=True)
        layout = LayoutIn.model_validate(content)
        return LayoutFile(layout, partial(_place, lines, ()), says_where_people_look=True)
    except ValidationError as error:
        raise wrong_values(error, partial(_place, lines, ())) from None


def _place(lines: Lines, within: Loc, loc: Loc) -> tuple[int, str]:
    return lines.line_of((*within, *loc)), ".".join(str(step) for step in loc if step not in ("list", "count"))
