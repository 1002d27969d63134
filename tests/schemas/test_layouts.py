"""The plan of a house as JSON: what is taken, and what is refused with its place."""

import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.house.layouts import MAX_SEATS, RowPlan, SeatPlan, SectionPlan, lay_out
from app.schemas.house.layouts import LayoutIn
from app.schemas.house.theaters import HouseIn


def plan_of(body: Any) -> tuple[SectionPlan, ...]:
    return LayoutIn.model_validate_json(json.dumps(body)).plan()


def with_seats(seats: Any, **section: Any) -> dict[str, Any]:
    return {"sections": [{"name": "Stalls", "rows": [{"row": "A", "seats": seats}], **section}]}


def test_seats_are_a_count() -> None:
    assert plan_of(with_seats(20, category="standard")) == (SectionPlan("Stalls", (RowPlan("A", 20),), "standard"),)


def test_or_seats_are_a_list() -> None:
    seat = {
        "number": 12,
        "label": " Box ",
        "category": "royal",
        "accessible": True,
        "companion": True,
        "restricted_view": True,
        "x": 1,
        "y": -2.5,
    }

    (section,) = plan_of(with_seats([seat]))

    assert section.rows[0].seats == (SeatPlan(12, "Box", "royal", True, True, True, 1.0, -2.5),)


@pytest.mark.parametrize("house", ["theater-a.json", "theater-b.json", "riethsporthalle.json"])
def test_the_demo_houses_can_be_built(house: str) -> None:
    body = files("app.services.house").joinpath("demo_houses", house).read_bytes()

    assert lay_out(HouseIn.model_validate_json(body).layout.plan())


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ("sections",)),
        ({"sections": []}, ("sections",)),
        ({"sections": [{"name": "Stalls", "rows": []}]}, ("sections", 0, "rows")),
        ({"sections": [{"name": " ", "rows": [{"row": "A", "seats": 1}]}]}, ("sections", 0, "name")),
        ({"sections": [{"name": "x" * 65, "rows": [{"row": "A", "seats": 1}]}]}, ("sections", 0, "name")),
        ({"sections": [{"name": "a\nb", "rows": [{"row": "A", "seats": 1}]}]}, ("sections", 0, "name")),
        (with_seats(1, color="red"), ("sections", 0, "color")),
        (with_seats(0), ("sections", 0, "rows", 0, "seats", "count")),
        (with_seats(-1), ("sections", 0, "rows", 0, "seats", "count")),
        (with_seats(True), ("sections", 0, "rows", 0, "seats", "count")),
        (with_seats("20"), ("sections", 0, "rows", 0, "seats", "count")),
        (with_seats(MAX_SEATS + 1), ("sections", 0, "rows", 0, "seats", "count")),
        (with_seats([]), ("sections", 0, "rows", 0, "seats", "list")),
        (with_seats([{}]), ("sections", 0, "rows", 0, "seats", "list", 0, "number")),
        (with_seats([{"number": 1.0}]), ("sections", 0, "rows", 0, "seats", "list", 0, "number")),
        (with_seats([{"number": 1, "x": "1"}]), ("sections", 0, "rows", 0, "seats", "list", 0, "x")),
        (with_seats([{"number": 1, "x": 1e300}]), ("sections", 0, "rows", 0, "seats", "list", 0, "x")),
        (with_seats([{"number": 1, "y": float("inf")}]), ("sections", 0, "rows", 0, "seats", "list", 0, "y")),
        (with_seats([{"number": 1, "y": float("nan")}]), ("sections", 0, "rows", 0, "seats", "list", 0, "y")),
        (with_seats([{"number": 1, "accessible": 1}]), ("sections", 0, "rows", 0, "seats", "list", 0, "accessible")),
        (with_seats([{"number": 1, "id": 7}]), ("sections", 0, "rows", 0, "seats", "list", 0, "id")),
    ],
)
def test_what_is_wrong_is_named(body: Any, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as refusal:
        plan_of(body)

    assert [error["loc"] for error in refusal.value.errors()] == [place]


def test_all_rows_together_have_no_more_seats_than_are_allowed() -> None:
    rows = [{"row": str(row), "seats": 1_000} for row in range(51)]

    with pytest.raises(ValidationError, match="51000 seats"):
        plan_of({"sections": [{"name": "Stalls", "rows": rows}]})
