"""Theaters in JSON."""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.catalogue import Theater
from app.schemas.layouts import LayoutIn, Name
from app.schemas.pages import Page, page_json
from app.schemas.requests import Strict

_EXAMPLE: JsonDict = {
    "id": 1,
    "name": "Theater A",
    "timezone": "Europe/Berlin",
    "seat_count": 80,
    "screenings_count": 1,
}


class HouseIn(Strict):
    """A theater with its layout, as a file has it."""

    name: Name
    timezone: Name
    layout: LayoutIn


class TheaterOut(BaseModel):
    """A theater."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    name: str
    timezone: str = Field(description="A name of the tz database: days and evenings are told by it.")
    seat_count: int
    screenings_count: int = Field(description="The screenings to come, without the cancelled ones.")


class TheatersOut(BaseModel):
    """A page of theaters, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[TheaterOut]
    next_cursor: str | None


def theater_json(theater: Theater) -> bytes:
    """A theater as everybody reads it."""
    return orjson.dumps(_theater(theater))


def theaters_json(page: Page[Theater]) -> bytes:
    """A page of theaters."""
    return page_json([_theater(theater) for theater in page.items], page.next_cursor)


def _theater(theater: Theater) -> dict[str, Any]:
    return {
        "id": theater.id,
        "name": theater.name,
        "timezone": theater.timezone,
        "seat_count": theater.seat_count,
        "screenings_count": theater.screenings_count,
    }
