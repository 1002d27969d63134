"""Screenings in JSON."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from app.domain.house.catalogue import ListedScreening
from app.domain.house.planning import MOST_PRICES, ScreeningPlan
from app.domain.money import CURRENCIES, Money
from app.domain.screenings import Limits, ReservedPlaces
from app.domain.seat_finding.orphans import OrphanRule
from app.schemas.availability import Counts
from app.schemas.format.moments import MomentIn, MomentOut, moment, moment_or_none
from app.schemas.format.money import money_json
from app.schemas.format.pages import Page, page_json
from app.schemas.format.requests import Line, Strict
from app.schemas.house.layouts import Name

_EXAMPLE: JsonDict = {
    "id": 1,
    "theater_id": 1,
    "title": "The Tempest",
    "starts_at": "2026-11-21T18:30:00.000Z",
    "sales_open_at": None,
    "sales_close_at": None,
    "cancel_until": None,
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
    "orphan_rule": "off",
    "reserved_places": "kept",
    "on_sale": True,
    "cancelled_at": None,
    "revision": 1,
    "version": 0,
}


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise PydanticCustomError("currency_unknown", "This should be a current ISO 4217 currency code, such as EUR.")
    return currency


class MoneyIn(Strict):
    """A price in minor units (cents) of an ISO 4217 currency; 0 is free."""

    amount_minor: int = Field(ge=0, le=1_000_000_000, examples=[2500])
    currency: Annotated[
        str, Field(examples=["EUR"], json_schema_extra={"pattern": "^[A-Z]{3}$"}), AfterValidator(_known)
    ]

    def money(self) -> Money:
        """The price as the rules take it."""
        return Money(self.amount_minor, self.currency)


class LimitsIn(Strict):
    """The limits of one buyer; null is no limit. What is not sent stays as it is, or is the default of the service."""

    max_seats_per_reservation: int | None = Field(None, ge=1, le=500, description="Seats in one hold or booking.")
    max_seats_per_user: int | None = Field(None, ge=1, le=100_000, description="Seats of one user, held and booked.")
    max_active_reservations_per_user: int | None = Field(None, ge=1, le=100_000, description="Holds at a time.")
    bookings_per_user_per_day: int | None = Field(None, ge=1, le=100_000, description="In the theater's time zone.")

    def sent(self) -> dict[str, int | None]:
        """The limits that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


_ORPHANS = (
    "May whoever names seats leave a single one behind? `off`: yes. `lenient`: not if as many could be had in the same "
    "run of free seats without, and the end of a row may be left. `strict`: not if as many could be had anywhere."
)
_PLACES = "`released`: places for wheelchair users and their companions are on sale as all others."
OrphanRuleIn = Annotated[OrphanRule, Field(strict=False, description=_ORPHANS)]
ReservedPlacesIn = Annotated[ReservedPlaces, Field(strict=False, description=_PLACES)]

Title = Annotated[Line, Field(max_length=200, examples=["Matinee"])]
HoldSeconds = Annotated[int, Field(ge=1, le=86_400)]
MaxHoldSeconds = Annotated[int, Field(ge=1, le=7 * 86_400)]

_OPENS = "null: sales are open at once."
_CLOSES = "null: sales close when it starts."
_CANCELS = "Until when buyers may cancel their bookings; null: until it starts."
_HOLDS = "How long a hold lasts, in seconds; null: the default of the service."
_CAP = "How long a hold lasts at most with extensions, in seconds; null: the default of the service."


class ScreeningIn(Strict):
    """A new screening. It needs a title, a start, and a price for every category of the layout."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Matinee",
                    "starts_at": "2030-06-01T13:00:00.000Z",
                    "sales_open_at": "2030-05-01T08:00:00.000Z",
                    "prices": {
                        "premium": {"amount_minor": 3000, "currency": "EUR"},
                        "standard": {"amount_minor": 1800, "currency": "EUR"},
                        "economy": {"amount_minor": 900, "currency": "EUR"},
                    },
                    "limits": {"max_seats_per_user": 8},
                }
            ]
        }
    )

    title: Title
    starts_at: MomentIn
    sales_open_at: MomentIn | None = Field(None, description=_OPENS)
    sales_close_at: MomentIn | None = Field(None, description=_CLOSES)
    cancel_until: MomentIn | None = Field(None, description=_CANCELS)
    hold_seconds: HoldSeconds | None = Field(None, description=_HOLDS)
    max_hold_seconds: MaxHoldSeconds | None = Field(None, description=_CAP)
    prices: Annotated[dict[Name, MoneyIn], Field(max_length=MOST_PRICES)] = Field(description="By category.")
    limits: LimitsIn = Field(default_factory=LimitsIn)
    orphan_rule: OrphanRuleIn = OrphanRule.OFF
    reserved_places: ReservedPlacesIn = ReservedPlaces.KEPT

    def plan(self) -> ScreeningPlan:
        """The screening as the rules in `domain/house/planning.py` take it."""
        return ScreeningPlan(
            title=self.title,
            starts_at=self.starts_at,
            prices={category: price.money() for category, price in self.prices.items()},
            sales_open_at=self.sales_open_at,
            sales_close_at=self.sales_close_at,
            cancel_until=self.cancel_until,
            hold_seconds=self.hold_seconds,
            max_hold_seconds=self.max_hold_seconds,
            limits=self.limits.sent(),
            orphan_rule=self.orphan_rule,
            reserved_places=self.reserved_places,
        )


def _not_sent() -> Any:
    """The default of a member that must not be null; it is never used."""
    return None


class ScreeningPatch(Strict):
    """The changes of a screening. What is not sent stays as it is; `prices` and `limits` are merged."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"title": "The Tempest"},
                {
                    "prices": {"premium": {"amount_minor": 4500, "currency": "EUR"}},
                    "limits": {"max_seats_per_reservation": 10},
                },
            ]
        }
    )

    title: Title = Field(default_factory=_not_sent)
    starts_at: MomentIn = Field(default_factory=_not_sent)
    sales_open_at: MomentIn | None = Field(None, description=_OPENS)
    sales_close_at: MomentIn | None = Field(None, description=_CLOSES)
    cancel_until: MomentIn | None = Field(None, description=_CANCELS)
    hold_seconds: HoldSeconds | None = Field(None, description=_HOLDS)
    max_hold_seconds: MaxHoldSeconds | None = Field(None, description=_CAP)
    prices: Annotated[dict[Name, MoneyIn | None], Field(max_length=MOST_PRICES)] = Field(
        default_factory=dict, description="By category; null removes the price of a category that no seat has."
    )
    limits: LimitsIn = Field(default_factory=LimitsIn)
    orphan_rule: OrphanRuleIn = Field(default_factory=_not_sent)
    reserved_places: ReservedPlacesIn = Field(default_factory=_not_sent)

    def onto(self, plan: ScreeningPlan) -> ScreeningPlan:
        """The plan after the changes."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        prices = {**plan.prices, **{category: price and price.money() for category, price in self.prices.items()}}
        sent["prices"] = {category: price for category, price in prices.items() if price is not None}
        sent["limits"] = {**plan.limits, **self.limits.sent()}
        return replace(plan, **sent)


class MoneyOut(BaseModel):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


class LimitsOut(BaseModel):
    """The limits of one buyer; null is no limit."""

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
    cancel_until: MomentOut | None = Field(description="null: buyers may cancel until it starts.")
    hold_seconds: int = Field(description="How long a hold lasts, in seconds.")
    max_hold_seconds: int = Field(description="How long a hold lasts at most with extensions, in seconds.")
    prices: dict[str, MoneyOut] = Field(description="By the category of a seat.")
    limits: LimitsOut
    orphan_rule: OrphanRule = Field(description=_ORPHANS)
    reserved_places: ReservedPlaces = Field(description=_PLACES)
    on_sale: bool = Field(description="Could seats be taken when this was read?")
    cancelled_at: MomentOut | None
    revision: int = Field(description="Counts the organizer's edits.")
    version: int = Field(description="Counts the changes of its seats.")


class ListedScreeningOut(ScreeningOut):
    """A screening in a list."""

    counts: Counts | None = Field(
        None, description="Only in `GET /screenings` with `counts=true`, and only while it is on sale."
    )


class ScreeningsOut(BaseModel):
    """A page of screenings, the soonest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[ListedScreeningOut]
    next_cursor: str | None


def screening_json(listed: ListedScreening) -> bytes:
    """A screening as everybody reads it."""
    return orjson.dumps(_screening(listed))


def screenings_json(page: Page[ListedScreening], counts: Mapping[int, Mapping[str, int]] | None = None) -> bytes:
    """A page of screenings. `counts` says of some of them, by id, how many seats have which status."""
    known = counts or {}
    items = [
        _screening(each) | ({"counts": known[each.screening.id]} if each.screening.id in known else {})
        for each in page.items
    ]
    return page_json(items, page.next_cursor)


def _screening(listed: ListedScreening) -> dict[str, Any]:
    screening = listed.screening
    return {
        "id": screening.id,
        "theater_id": screening.theater_id,
        "title": listed.title,
        "starts_at": moment(screening.starts_at),
        "sales_open_at": moment_or_none(screening.sales_open_at),
        "sales_close_at": moment_or_none(screening.sales_close_at),
        "cancel_until": moment_or_none(screening.cancel_until),
        "hold_seconds": screening.hold_seconds,
        "max_hold_seconds": screening.max_hold_seconds,
        "prices": {category: money_json(price) for category, price in screening.prices.items()},
        "limits": _limits(screening.limits),
        "orphan_rule": screening.orphan_rule,
        "reserved_places": screening.reserved_places,
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
