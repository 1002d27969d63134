"""What somebody wishes for who names no seats (docs/api.md, section 12), and the bodies that may have it."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.domain.seat_finding.wishes import Together, Wish
from app.schemas.format.requests import BookingKey, Id, Lenient, Strict
from app.schemas.house.layouts import Name
from app.schemas.screenings import MoneyIn
from app.schemas.seats import NamesSeats

MOST_WISHED: Final = 1_000_000

Count = Annotated[int, Field(ge=1, le=MOST_WISHED, description="How many seats.", examples=[4])]
Accessible = Annotated[
    int,
    Field(
        ge=0,
        le=MOST_WISHED,
        description="How many of them are places for wheelchair users. The others are as near to them as possible.",
    ),
]
SECTION: Final = "Only seats of this section."
CATEGORY: Final = "Only seats of this category."
TOGETHER: Final = "`required`: one block of neighbours, or none at all."


ABOVE_COUNT: Final = ("accessible_above_count", "`accessible` should be at most `count`: it is a part of it.")


class BestAvailableIn(Strict):
    """So many seats, as good as possible: in the place of named seats."""

    count: Count
    section: Name | None = Field(None, description=SECTION, examples=["Stalls"])
    category: Name | None = Field(None, description=CATEGORY, examples=["standard"])
    max_price: MoneyIn | None = Field(None, description="What one seat may cost, in the screening's currency.")
    accessible: Accessible = 0
    together: Together = Field(Together.PREFERRED, strict=False, description=TOGETHER)

    model_config = ConfigDict(json_schema_extra={"examples": [{"count": 4}, {"count": 2, "category": "standard"}]})

    @model_validator(mode="after")
    def _fits_in_itself(self) -> Self:
        if self.accessible > self.count:
            raise PydanticCustomError(*ABOVE_COUNT)
        return self

    def wish(self) -> Wish:
        """The wish as the rules take it."""
        price = None if self.max_price is None else self.max_price.money()
        return Wish(self.count, self.section, self.category, price, self.accessible, self.together)


class MayNameNoSeats(NamesSeats):
    """The members that name seats, or wish for the best available, for a body to inherit."""

    MORE_WAYS: ClassVar[tuple[str, ...]] = ("best_available",)

    best_available: BestAvailableIn | None = Field(
        None, description="The best seats available, in place of named ones."
    )

    def wish(self) -> Wish | None:
        """What is wished for; None if seats are named."""
        return None if self.best_available is None else self.best_available.wish()


class SeatsOrWish(MayNameNoSeats, Strict):
    """Seats, named in exactly one way, each once; or a wish."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"seats": ["C1", "C2"]},
                {"seat_ids": [41, 42]},
                {"seat": "C1"},
                {"best_available": {"count": 4, "category": "standard"}},
            ]
        }
    )


class TheaterSeatsIn(MayNameNoSeats, Lenient):
    """Seats of a theater, or a wish. `screening_id` is not needed while exactly one screening is on sale there."""

    screening_id: Id | None = Field(None, description="One of the theater's screenings.")
    booking_id: BookingKey | None = Field(
        None, description="Used as the idempotency key of a booking if the header is not sent."
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"seats": ["C5", "C6"]}, {"seat": "C5"}, {"best_available": {"count": 2}}]}
    )
