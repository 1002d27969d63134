"""Layouts in JSON: the plan that an organizer sends, and the layout that everybody reads."""

from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from app.domain.house.layouts import MAX_SEATS, RowPlan, SeatPlan, SectionPlan
from app.domain.seat_finding.picture import middle_of_the_front
from app.domain.seat_maps.runs import neighbours_of
from app.domain.seats import Layout, Point, Seat
from app.schemas.format.portions import written
from app.schemas.format.requests import LETTING_OTHERS, Line, Strict

Name = Annotated[Line, Field(max_length=64)]
"""The name of a section, a row or a category, or the label of a seat."""

_FACTS: Final = [field.name for field in fields(Seat)]

# Further out no map can be drawn.
Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]


class SeatIn(Strict):
    """A single seat of a row."""

    number: int = Field(ge=0, le=1_000_000, examples=[12])
    label: Name | None = Field(None, description="Unique in the theater. Not given: as before, else row and number.")
    category: Name | None = Field(None, description="Not given: that of the row, else that of the section.")
    accessible: bool = False
    companion: bool = False
    restricted_view: bool = False
    x: Coordinate | None = Field(None, description="In seat widths, from left to right.")
    y: Coordinate | None = Field(None, description="In seat widths, away from the stage.")
    aisle_after: bool = Field(
        False, description="Is there an aisle between it and the next seat of its row, whatever their places say?"
    )


def _count_or_list(seats: Any) -> str:
    return "list" if isinstance(seats, list | tuple) else "count"


Count = Annotated[int, Field(ge=1, le=MAX_SEATS)]
# The first mistake of a list is told, and no other: it may have tens of thousands.
Seats = Annotated[list[Annotated[SeatIn, LETTING_OTHERS]], Field(min_length=1, max_length=MAX_SEATS, fail_fast=True)]


class RowIn(Strict):
    """A row of a section. `seats` is how many it has, numbered from 1, or a list of single seats."""

    row: Name = Field(examples=["A"])
    seats: Annotated[Annotated[Count, Tag("count")] | Annotated[Seats, Tag("list")], Discriminator(_count_or_list)] = (
        Field(examples=[20])
    )
    category: Name | None = None

    @property
    def size(self) -> int:
        return self.seats if isinstance(self.seats, int) else len(self.seats)


class SectionIn(Strict):
    """A section of the theater and its rows."""

    name: Name = Field(examples=["Stalls"])
    rows: list[RowIn] = Field(min_length=1, max_length=MAX_SEATS, fail_fast=True)
    category: Name | None = Field(None, examples=["standard"])


class PointIn(Strict):
    """A place in a house."""

    x: Coordinate = Field(description="In seat widths, from left to right.", examples=[0.0])
    y: Coordinate = Field(description="In seat widths, away from the stage.", examples=[-2.0])


class LayoutIn(Strict):
    """The whole layout of a theater."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sections": [
                        {"name": "A", "category": "premium", "rows": [{"row": "A", "seats": 20}]},
                        {"name": "B", "category": "standard", "rows": [{"row": "B", "seats": 20}]},
                        {"name": "C", "category": "standard", "rows": [{"row": "C", "seats": 20}]},
                        {"name": "D", "category": "economy", "rows": [{"row": "D", "seats": 20}]},
                    ]
                }
            ]
        }
    )

    sections: list[SectionIn] = Field(min_length=1, max_length=MAX_SEATS, fail_fast=True)
    focal_point: PointIn | None = Field(None, description="Where people look; null: the middle of the front.")

    @model_validator(mode="after")
    def _not_too_large(self) -> "LayoutIn":
        size = sum(row.size for section in self.sections for row in section.rows)
        if size > MAX_SEATS:
            raise ValueError(f"The layout has {size} seats; at most {MAX_SEATS} are allowed.")
        return self

    def looks_at(self) -> Point | None:
        """The focal point; None if the layout does not say."""
        return None if self.focal_point is None else Point(self.focal_point.x, self.focal_point.y)

    def plan(self) -> tuple[SectionPlan, ...]:
        """The layout as the rules in `domain/house/layouts.py` take it."""
        return tuple(
            SectionPlan(section.name, tuple(_row_plan(row) for row in section.rows), section.category)
            for section in self.sections
        )


def _row_plan(row: RowIn) -> RowPlan:
    seats = row.seats if isinstance(row.seats, int) else tuple(SeatPlan(**dict(seat)) for seat in row.seats)
    return RowPlan(row.row, seats, row.category)


class SeatOut(BaseModel):
    """A seat of a theater."""

    id: int
    label: str
    section: str
    row: str
    number: int
    category: str
    accessible: bool
    companion: bool
    restricted_view: bool
    x: float = Field(description="In seat widths, from left to right.")
    y: float = Field(description="In seat widths, away from the stage.")
    aisle_after: bool = Field(description="Whether an aisle follows where the coordinates do not show it.")
    left: int | None = Field(description="The id of its left neighbour; null at an aisle or the end of the row.")
    right: int | None = Field(description="The id of its right neighbour; null at an aisle or the end of the row.")


class PointOut(BaseModel):
    """A place in a house, in seat widths."""

    x: float
    y: float


class SectionOut(BaseModel):
    """A section of a theater: its rows and categories, in the order of its seats."""

    name: str
    seat_count: int
    rows: list[str]
    categories: list[str]


class LayoutOut(BaseModel):
    """The seats of a theater in their order. The ETag is the revision."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "theater_id": 1,
                    "sections": [{"name": "A", "seat_count": 20, "rows": ["A"], "categories": ["premium"]}],
                    "seats": [
                        {
                            "id": 1,
                            "label": "A1",
                            "section": "A",
                            "row": "A",
                            "number": 1,
                            "category": "premium",
                            "accessible": False,
                            "companion": False,
                            "restricted_view": False,
                            "x": -9.5,
                            "y": 0.0,
                            "aisle_after": False,
                            "left": None,
                            "right": 2,
                        }
                    ],
                    "focal_point": {"x": 0.0, "y": 0.0},
                }
            ]
        }
    )

    theater_id: int
    sections: list[SectionOut]
    seats: list[SeatOut]
    focal_point: PointOut = Field(description="Where people look: best seats are near to it.")


def layout_json(layout: Layout) -> bytes:
    """A layout, as everybody reads it."""
    return orjson.dumps(
        {
            "theater_id": layout.theater_id,
            "sections": _sections(layout.seats),
            "seats": [
                written({**_facts(seat), "left": left, "right": right})
                for seat, (left, right) in zip(layout.seats, neighbours_of(layout), strict=True)
            ],
            "focal_point": layout.focal_point or middle_of_the_front(layout),
        },
    )


def some_seats_json(layout: Layout, seat_ids: Collection[int]) -> bytes:
    """These seats of a layout and their sections, as everybody reads them; ids that it does not have are left out."""
    rows = {(seat.section, seat.row) for seat_id in seat_ids if (seat := layout.by_id.get(seat_id))}
    names = {section for section, _ in rows}
    part = replace(layout, seats=tuple(seat for seat in layout.seats if (seat.section, seat.row) in rows))
    return orjson.dumps(
        {
            "theater_id": layout.theater_id,
            "sections": _sections(seat for seat in layout.seats if seat.section in names),
            "seats": [
                {**_facts(seat), "left": left, "right": right}
                for seat, (left, right) in zip(part.seats, neighbours_of(part), strict=True)
                if seat.id in seat_ids
            ],
            "focal_point": layout.focal_point or middle_of_the_front(layout),
        },
    )


def _facts(seat: Seat) -> dict[str, object]:
    return {name: getattr(seat, name) for name in _FACTS}


def _sections(seats: Iterable[Seat]) -> list[dict[str, object]]:
    sections: dict[str, list[Seat]] = {}
    for seat in seats:
        sections.setdefault(seat.section, []).append(seat)
    return [
        {
            "name": name,
            "seat_count": len(members),
            "rows": list(dict.fromkeys(seat.row for seat in members)),
            "categories": list(dict.fromkeys(seat.category for seat in members)),
        }
        for name, members in sections.items()
    ]
