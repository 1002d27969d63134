"""Screenings in JSON."""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.catalogue import ListedScreening
from app.domain.screenings import Limits
from app.schemas.moments import MomentOut, moment, moment_or_none
from app.schemas.money import money_json
from app.schemas.pages import Page, page_json

_EXAMPLE: JsonDict = {
    "id": 1,
    "theater_id": 1,
    "title": "The Tempest",
    "starts_at": "2026-11-21T18:30:00.000Z",
    "sales_open_at": None,
    "sales_close_at": None,
    "hold_seconds": 300,
    "max_hold_seconds": 900,
    "prices": {
        "premium": {"amount_minor": 4500, "currency": "EUR"},
        "standard": {"amount_minor": 2500, "currency": "EUR"},
    },
    "limits": {
        "max_seats_per_reservation": 10,
        "max_seats_per_user": None,
        "max_active_reservations_per_user": None,
        "bookings_per_user_per_day": None,
    },
    "orphan_rule": False,
    "on_sale": True,
    "cancelled_at": None,
    "revision": 1,
    "version": 0,
}


class MoneyOut(BaseModel):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


class LimitsOut(BaseModel):
    """How much one buyer may take; null is unlimited."""

    max_seats_per_reservation: int | None
    max_seats_per_user: int | None
    max_active_reservations_per_user: int | None
    bookings_per_user_per_day: int | None


class ScreeningOut(BaseModel):
    """A screening: one showing in a theater."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    theater_id: int
    title: str
    starts_at: MomentOut
    sales_open_at: MomentOut | None = Field(description="null: sales were open from the beginning.")
    sales_close_at: MomentOut | None = Field(description="null: sales close when it starts.")
    hold_seconds: int = Field(description="How long seats are held.")
    max_hold_seconds: int = Field(description="How long seats are held at most, with every extension.")
    prices: dict[str, MoneyOut] = Field(description="By the category of a seat.")
    limits: LimitsOut
    orphan_rule: bool = Field(description="Must no single seat be left between two taken ones?")
    on_sale: bool = Field(description="Could seats be taken when this was read?")
    cancelled_at: MomentOut | None
    revision: int = Field(description="Counts the organizer's edits.")
    version: int = Field(description="Counts the changes of its seats.")


class ScreeningsOut(BaseModel):
    """A page of screenings, the soonest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[ScreeningOut]
    next_cursor: str | None


def screening_json(listed: ListedScreening) -> bytes:
    """A screening as everybody reads it."""
    return orjson.dumps(_screening(listed))


def screenings_json(page: Page[ListedScreening]) -> bytes:
    """A page of screenings."""
    return page_json([_screening(listed) for listed in page.items], page.next_cursor)


def _screening(listed: ListedScreening) -> dict[str, Any]:
    screening = listed.screening
    return {
        "id": screening.id,
        "theater_id": screening.theater_id,
        "title": listed.title,
        "starts_at": moment(screening.starts_at),
        "sales_open_at": moment_or_none(screening.sales_open_at),
        "sales_close_at": moment_or_none(screening.sales_close_at),
        "hold_seconds": screening.hold_seconds,
        "max_hold_seconds": screening.max_hold_seconds,
        "prices": {category: money_json(price) for category, price in screening.prices.items()},
        "limits": _limits(screening.limits),
        "orphan_rule": listed.orphan_rule,
        "on_sale": listed.on_sale,
        "cancelled_at": moment_or_none(screening.cancelled_at),
        "revision": screening.revision,
        "version": listed.version,
    }


def _limits(limits: Limits) -> dict[str, int | None]:
    return {
        "max_seats_per_reservation": limits.max_seats_per_reservation,
        "max_seats_per_user": limits.max_seats_per_user,
        "max_active_reservations_per_user": limits.max_active_reservations_per_user,
        "bookings_per_user_per_day": limits.bookings_per_user_per_day,
    }
