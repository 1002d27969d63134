"""Theaters in JSON."""

from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from app.domain.house.catalogue import Theater
from app.schemas.format.pages import Page, page_json
from app.schemas.format.requests import Line, Strict
from app.schemas.house.layouts import LayoutIn, Name

_EXAMPLE: JsonDict = {
    "id": 1,
    "name": "Theater A",
    "timezone": "Europe/Berlin",
    "seat_count": 80,
    "screenings_count": 1,
}


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}  # these are places of this machine


def _known(timezone: str) -> str:
    if timezone not in _timezones():
        raise PydanticCustomError(
            "timezone_unknown", "This should be a time zone of the tz database, such as Europe/Berlin."
        )
    return timezone


TheaterName = Annotated[Line, Field(max_length=100, examples=["Studio"])]
Timezone = Annotated[
    Name, AfterValidator(_known), Field(examples=["Europe/Berlin"], description="A name of the tz database.")
]


class TheaterIn(Strict):
    """A new theater. Its seats can be sent later: `PUT /theaters/{id}/layout`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Studio",
                    "timezone": "Europe/Berlin",
                    "layout": {
                        "sections": [
                            {"name": "Stalls", "category": "standard", "rows": [{"row": "A", "seats": 8}]},
                            {
                                "name": "Balcony",
                                "category": "premium",
                                "rows": [{"row": "B", "seats": [{"number": 1, "accessible": True}, {"number": 2}]}],
                            },
                        ]
                    },
                }
            ]
        }
    )

    name: TheaterName
    timezone: Timezone
    layout: LayoutIn | None = None


class TheaterPatch(Strict):
    """The changes of a theater. What is not sent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Theater A"}]})

    name: TheaterName = Field(default_factory=str)
    timezone: Timezone = Field(default_factory=str)

    def onto(self, name: str, timezone: str) -> tuple[str, str]:
        """Name and time zone after the changes."""
        sent = self.model_fields_set
        return self.name if "name" in sent else name, self.timezone if "timezone" in sent else timezone


class HouseIn(Strict):
    """A theater with its layout, as a file has it."""

    name: TheaterName
    timezone: Timezone
    layout: LayoutIn


class TheaterOut(BaseModel):
    """A theater."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    name: str
    timezone: str = Field(description="A time zone of the tz database.")
    seat_count: int
    screenings_count: int = Field(description="Upcoming screenings, without cancelled ones.")


class TheatersOut(BaseModel):
    """A page of theaters, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[TheaterOut]
    next_cursor: str | None


def theater_json(theater: Theater) -> bytes:
    """A theater, as everybody reads it."""
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
