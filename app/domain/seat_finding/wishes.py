"""What somebody wishes for who names no seats, and what comes of it."""

from collections.abc import Mapping
from enum import StrEnum

from app.domain.money import Money
from app.domain.seat_finding.picture import Picture
from app.domain.seats import Seat
from app.domain.values import value


class Together(StrEnum):
    """Whether the seats must be one block."""

    PREFERRED = "preferred"
    REQUIRED = "required"


@value(frozen=True, slots=True)
class Wish:
    """So many seats, as good as possible. None: whichever. `max_price` is per seat, in the screening's currency.

    `accessible` of them are wheelchair places: between 0 and `count`.
    """

    count: int
    section: str | None = None
    category: str | None = None
    max_price: Money | None = None
    accessible: int = 0
    together: Together = Together.PREFERRED

    def kind(self, picture: Picture, prices: Mapping[str, Money]) -> int:
        """The mask of the seats that fit: section, category and price. A category without a price costs nothing."""
        return picture.kind(self.section, self.categories(picture, prices))

    def categories(self, picture: Picture, prices: Mapping[str, Money]) -> frozenset[str] | None:
        """The categories that fit. None: all."""
        if self.max_price is None:
            return None if self.category is None else frozenset((self.category,))
        most = self.max_price.amount_minor
        known = picture.categories if self.category is None else (self.category,)
        return frozenset(each for each in known if each not in prices or prices[each].amount_minor <= most)


@value(frozen=True, slots=True)
class Found:
    """The chosen seats, in the order of the layout, and the same as a mask. `adjacent`: they are one block."""

    seats: tuple[Seat, ...]
    adjacent: bool
    mask: int


@value(frozen=True, slots=True)
class NotEnough:
    """Nothing fits. How many seats of the kind are free, and how many of them at most are side by side.

    If wheelchair places were asked for, only those are counted.
    """

    available: int
    largest_block: int
