"""Blocking seats in JSON (docs/api.md, section 8)."""

from collections.abc import Iterable, Set
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.domain.box_office.blocking import BlockOutcome
from app.domain.seats import Layout
from app.schemas.format.requests import Id, Label, Line
from app.schemas.seats import SeatsWanted

MOST_SEATS = 10_000


class UnblockIn(SeatsWanted):
    """Seats to unblock, and the reason."""

    seat_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_SEATS, fail_fast=True)] | None = Field(
        None, description="Seats by id.", examples=[[79, 80]]
    )
    seats: Annotated[list[Label], Field(min_length=1, max_length=MOST_SEATS, fail_fast=True)] | None = Field(
        None, description="Seats by label.", examples=[["D19", "D20"]]
    )
    reason: Line | None = Field(None, max_length=200, description="For the house: why the seats are off sale.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"seats": ["D19", "D20"], "reason": "broken light"}]})


class BlockIn(UnblockIn):
    """Seats to block, and the reason."""

    when_free: bool = Field(False, description="Block seats that are held, too, as soon as their holds end.")


class BlockedSeatOut(BaseModel):
    """What happened to one seat. `will_be_blocked` is only there, and true, for one that is when its hold ends."""

    seat_id: int
    label: str
    outcome: BlockOutcome
    will_be_blocked: bool | None = None


class BlockedOut(BaseModel):
    """What happened to each seat."""

    items: list[BlockedSeatOut]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"seat_id": 79, "label": "D19", "outcome": "blocked"}]}]}
    )


class BlockOut(BaseModel):
    """A blocked seat, and the reason."""

    seat_id: int
    label: str
    reason: str | None


class BlocksOut(BaseModel):
    """All blocked seats of a screening."""

    items: list[BlockOut]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"seat_id": 79, "label": "D19", "reason": "broken light"}]}]}
    )


def blocks_json(blocked: Iterable[tuple[int, str | None]], layout: Layout) -> bytes:
    """All blocked seats. `blocked` are pairs of a seat id and the reason."""
    items = [{"seat_id": each, "label": layout.label_of(each), "reason": reason} for each, reason in blocked]
    return orjson.dumps({"items": items})


def blocked_json(seats: Iterable[tuple[int, str]], layout: Layout, when_free: Set[int]) -> bytes:
    """What happened to each seat. `seats` are pairs of a seat id and an outcome; `when_free` will be blocked later."""
    return orjson.dumps(
        {
            "items": [
                {
                    "seat_id": seat_id,
                    "label": layout.label_of(seat_id),
                    "outcome": outcome,
                    **({"will_be_blocked": True} if seat_id in when_free else {}),
                }
                for seat_id, outcome in seats
            ]
        }
    )
