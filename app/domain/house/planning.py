"""A screening as an organizer plans it, and the rules for it (docs/api.md, section 5)."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from app.domain.claims import SEEN_AS, ClaimStatus
from app.domain.money import Money
from app.domain.refusals import Flaw, Flawed, SeatInTheWay
from app.domain.screenings import ReservedPlaces
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.seats import Seat
from app.domain.values import value

MOST_PRICES: Final = 200


@value(frozen=True, slots=True)
class ScreeningPlan:
    """What an organizer decides. Times are UTC, hold times seconds; a hold time of None is the service's default.

    `limits` has the limits that the organizer has set, None for no limit. For those that are missing, the service's
    defaults count.
    """

    title: str
    starts_at: datetime
    prices: Mapping[str, Money]
    sales_open_at: datetime | None = None
    sales_close_at: datetime | None = None
    cancel_until: datetime | None = None
    hold_seconds: int | None = None
    max_hold_seconds: int | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)
    orphan_rule: OrphanRule = OrphanRule.OFF
    reserved_places: ReservedPlaces = ReservedPlaces.KEPT

    def must_make_sense(self, categories: Iterable[str], usual_hold_seconds: int) -> None:
        """Raises Flawed with everything that is wrong: a category without a price, too many prices or several
        currencies, sales that close before they open, a cap that is shorter than a hold.
        """
        flaws = _unpriced(self, categories)
        if len(self.prices) > MOST_PRICES:
            message = (
                f"A screening can have up to {MOST_PRICES} prices. Remove those of categories that no longer exist."
            )
            flaws.append(Flaw(("prices",), "too_many_prices", message))
        if len({price.currency for price in self.prices.values()}) > 1:
            message = "All prices of a screening must be in the same currency."
            flaws.append(Flaw(("prices",), "currencies_differ", message))
        if self.sales_open_at is not None and self.sales_open_at >= (self.sales_close_at or self.starts_at):
            message = "Sales must open before they close. Without sales_close_at they close when the screening starts."
            flaws.append(Flaw(("sales_open_at",), "sales_never_open", message))
        hold_seconds = self.hold_seconds or usual_hold_seconds
        if self.max_hold_seconds is not None and self.max_hold_seconds < hold_seconds:
            message = f"This must be at least as long as a hold without extension, {hold_seconds} seconds."
            flaws.append(Flaw(("max_hold_seconds",), "cap_below_hold", message))
        if flaws:
            raise Flawed(tuple(flaws))

    def must_keep_currency(self, before: "ScreeningPlan") -> None:
        """Raises Flawed if the currency differs from that of `before`, in which seats were taken.

        A total has just one.
        """
        old, new = ({price.currency for price in plan.prices.values()} for plan in (before, self))
        if old and new and old != new:
            message = f"The currency can no longer change: seats of this screening were taken in {', '.join(old)}."
            raise Flawed((Flaw(("prices",), "currency_in_use", message),))


@value(frozen=True, slots=True)
class PlannedScreening:
    """A screening that was written down, as its organizer sees it, and the revision of the layout that it stands on."""

    id: int
    theater_id: int
    revision: int
    layout_revision: int
    is_cancelled: bool
    plan: ScreeningPlan


@value(frozen=True, slots=True)
class SeatInUse:
    """What stands on a seat: in this screening, and in so many altogether."""

    seat_id: int
    status: ClaimStatus
    screening_id: int
    screenings: int = 1

    def of(self, seat: Seat) -> SeatInTheWay:
        """The seat, and why it must stay, in words."""
        others = self.screenings - 1
        more = f", and in use in {others} more" if others else ""
        return SeatInTheWay(
            seat.id, seat.label, SEEN_AS[self.status], f"{_IN_USE[self.status]} in screening {self.screening_id}{more}."
        )


_IN_USE: Final = {ClaimStatus.BOOKED: "Booked", ClaimStatus.HELD: "Held", ClaimStatus.BLOCKED: "Blocked"}


def must_have_prices(categories: Iterable[str], to_come: Iterable[PlannedScreening]) -> None:
    """Raises Flawed with every category of a new layout that an upcoming screening has no price for."""
    unpriced: dict[str, list[PlannedScreening]] = {}
    known = list(to_come)
    for category in categories:
        if without := [each for each in known if category not in each.plan.prices]:
            unpriced[category] = without
    if unpriced:
        raise Flawed(tuple(_without_price(category, without) for category, without in unpriced.items()))


def _unpriced(plan: ScreeningPlan, categories: Iterable[str]) -> list[Flaw]:
    return [
        Flaw(("prices", category), "price_missing", f'The category "{category}" of the layout has no price. Add one.')
        for category in categories
        if category not in plan.prices
    ]


def _without_price(category: str, screenings: list[PlannedScreening]) -> Flaw:
    named = ", ".join(f'{each.id} ("{each.plan.title}")' for each in screenings[:5])
    more = f" and {len(screenings) - 5} more" if len(screenings) > 5 else ""
    message = f'The category "{category}" has no price in screening {named}{more}. Add one there first.'
    return Flaw(("sections",), "price_missing", message)
