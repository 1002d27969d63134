"""Seats in JSON: in a body, named in exactly one of five ways (docs/api.md, section 1); and in answers.

The examples take seats of row C: those of the README's tour are in row A, that of the banner in row B.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from app.domain.money import Money as Amount
from app.domain.seats import Layout, SeatNames
from app.schemas.format.money import Money, money_json
from app.schemas.format.requests import Id, Label, Strict, exactly_one_of

MOST_SEATS = 500
"""As many as `max_seats_per_reservation` may allow."""


class NamesSeats(BaseModel):
    """The members that name seats, for a body to inherit. If `NEEDS_SEATS` is off, a body may name none."""

    NEEDS_SEATS: ClassVar[bool] = True
    OTHER_WAYS: ClassVar[Mapping[str, Collection[str]]] = {}
    """What may stand in the place of seats, and the members that must not come with it."""
    MORE_WAYS: ClassVar[tuple[str, ...]] = ()
    """More members that say which seats."""

    seat_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_SEATS)] | None = Field(
        None, description="Seats by id.", examples=[[41, 42]]
    )
    seats: Annotated[list[Label], Field(min_length=1, max_length=MOST_SEATS)] | None = Field(
        None, description="Seats by label.", examples=[["C1", "C2"]]
    )
    seat_id: Id | None = Field(None, description="One seat by id.", examples=[41])
    seat: Label | None = Field(None, description="One seat by label.", examples=["C1"])
    seat_number: Label | None = Field(None, description="One seat by label; another name of `seat`.", examples=["C1"])

    @model_validator(mode="after")
    def _name_each_seat_once(self) -> Self:
        given = self._given()
        if len(given) > 1 or (self.NEEDS_SEATS and not given):
            raise PydanticCustomError(
                "seats_named",
                "Name seats in exactly one of these ways: {ways}{given}.",
                {
                    "ways": ", ".join((*_WAYS, *self.MORE_WAYS)),
                    "given": f" (here: {', '.join(given)})" if given else "",
                },
            )
        if twice := _twice(self.seat_ids or self.seats or ()):
            raise PydanticCustomError("seat_twice", "The same seat is named more than once: {twice}.", {"twice": twice})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        exactly_one_of(
            handler.resolve_ref_schema(schema), {**cls.OTHER_WAYS, **dict.fromkeys((*_WAYS, *cls.MORE_WAYS), ())}
        )
        return schema

    @property
    def names_any_seats(self) -> bool:
        """Whether the body names seats, or says in another way which. Always true, unless `NEEDS_SEATS` is off."""
        return bool(self._given())

    def names(self) -> SeatNames:
        """The seats by id or by label, in the caller's order."""
        if self.seat_ids is not None:
            return SeatNames(ids=tuple(self.seat_ids))
        if self.seats is not None:
            return SeatNames(labels=tuple(self.seats))
        if self.seat_id is not None:
            return SeatNames(ids=(self.seat_id,))
        label = self.seat or self.seat_number
        return SeatNames(labels=(label,) if label else ())

    def _given(self) -> list[str]:
        return [name for name in (*_WAYS, *self.MORE_WAYS) if getattr(self, name) is not None]


class SeatsWanted(NamesSeats, Strict):
    """Seats, named in exactly one way, each once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"seats": ["C1", "C2"]}, {"seat_ids": [41, 42]}, {"seat": "C1"}]}
    )


class NamedSeat(BaseModel):
    """A seat by id and label."""

    seat_id: int
    label: str


class PricedSeat(NamedSeat):
    """A seat at the price of its hold or booking."""

    price: Money


def priced_seats_out(prices: Mapping[int, Amount], layout: Layout) -> list[dict[str, Any]]:
    """Seats with their prices, by seat id."""
    return [
        {"seat_id": seat_id, "label": layout.label_of(seat_id), "price": money_json(price)}
        for seat_id, price in prices.items()
    ]


def named_seats_out(seat_ids: Iterable[int], layout: Layout) -> list[dict[str, Any]]:
    """Seats by id and label."""
    return [{"seat_id": seat_id, "label": layout.label_of(seat_id)} for seat_id in seat_ids]


_WAYS = tuple(NamesSeats.model_fields)


def _twice(named: Sequence[Any]) -> str:
    """The items that are there more than once, as text; empty if there are none."""
    if len(set(named)) == len(named):
        return ""
    seen: set[Hashable] = set()
    again = dict.fromkeys(one for one in named if one in seen or seen.add(one))  # type: ignore[func-returns-value]
    return ", ".join(str(one) for one in again)
