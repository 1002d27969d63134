"""The history of a seat in JSON (docs/api.md, section 8)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from app.domain.box_office.screening_state import Cause
from app.domain.seats import SeatStatus
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut, moment


class HappeningOut(BaseModel):
    """One change of a seat. `actor` is the id of the user who caused it, null if a hold expired."""

    at: MomentOut
    from_: SeatStatus = Field(alias="from")
    to: SeatStatus
    cause: Cause
    actor: UserIdOut | None
    request_id: str | None


class HistoryOut(BaseModel):
    """A page of changes, newest first."""

    items: list[HappeningOut]
    next_cursor: str | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "at": "2026-11-20T11:53:28.235Z",
                            "from": "available",
                            "to": "reserved",
                            "cause": "api",
                            "actor": 17,
                            "request_id": "6f1c0d7e5a3b4c2d9e8f7a6b5c4d3e2f",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )


class Happened(Protocol):
    """One change of a seat, as the database has it."""

    @property
    def at(self) -> datetime: ...
    @property
    def from_status(self) -> str: ...
    @property
    def to_status(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def actor_id(self) -> int | None: ...
    @property
    def request_id(self) -> str | None: ...


def history_out(happenings: Iterable[Happened]) -> list[dict[str, Any]]:
    """The changes of a seat, as organizers see them."""
    return [
        {
            "at": moment(one.at),
            "from": one.from_status,
            "to": one.to_status,
            "cause": one.cause,
            "actor": one.actor_id,
            "request_id": one.request_id,
        }
        for one in happenings
    ]
