"""Finding seats in JSON: what would be chosen, and whether a choice is good (docs/api.md, section 12)."""

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import Money as Amount
from app.domain.money import total
from app.domain.seats import Seat
from app.schemas.format.money import Money, money_json
from app.schemas.problems.kinds import Problem
from app.schemas.seats import PricedSeat


class ChosenSeat(PricedSeat):
    """A seat that would be chosen."""

    section: str
    row: str
    number: int
    category: str


class BestAvailableOut(BaseModel):
    """The best seats of this moment. They are nobody's yet."""

    screening_id: int
    version: int
    adjacent: bool = Field(description="Whether they are one block of neighbours.")
    seats: list[ChosenSeat]
    total: Money

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "screening_id": 1,
                    "version": 1,
                    "adjacent": True,
                    "seats": [
                        {
                            "seat_id": 10,
                            "label": "A10",
                            "price": {"amount_minor": 4500, "currency": "EUR"},
                            "section": "A",
                            "row": "A",
                            "number": 10,
                            "category": "premium",
                        }
                    ],
                    "total": {"amount_minor": 4500, "currency": "EUR"},
                }
            ]
        }
    )


class CheckedOut(BaseModel):
    """Whether these seats could be held now: it takes nothing, and promises nothing."""

    ok: bool
    total: Money
    problem: Problem | None = Field(description="What holding them would be refused with.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ok": True, "total": {"amount_minor": 4500, "currency": "EUR"}, "problem": None}]
        }
    )


def chosen_json(seats: Sequence[Seat], adjacent: bool, state: ScreeningState) -> bytes:
    """The seats that would be chosen."""
    price_of = state.screening.price_of
    prices = [price_of(seat.category) for seat in seats]
    return orjson.dumps(
        {
            "screening_id": state.screening.id,
            "version": state.version,
            "adjacent": adjacent,
            "seats": [_chosen(seat, price) for seat, price in zip(seats, prices, strict=True)],
            "total": money_json(total(prices, state.screening.currency)),
        }
    )


def checked_json(cost: Amount, problem: bytes | None = None) -> bytes:
    """Whether seats could be held, and what they cost. `problem`: what that would be refused with."""
    told = None if problem is None else orjson.Fragment(problem)
    return orjson.dumps({"ok": problem is None, "total": money_json(cost), "problem": told})


def _chosen(seat: Seat, price: Amount) -> dict[str, Any]:
    return {
        "seat_id": seat.id,
        "label": seat.label,
        "section": seat.section,
        "row": seat.row,
        "number": seat.number,
        "category": seat.category,
        "price": money_json(price),
    }
