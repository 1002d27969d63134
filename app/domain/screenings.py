"""A screening: one showing in a theater. Seats are sold per screening."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.money import Money
from app.domain.refusals import CancellationClosed, SalesClosed, ScreeningCancelled
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.values import value


class ReservedPlaces(StrEnum):
    """Whether places for wheelchair users and their companions are kept for them, or on sale as all others."""

    KEPT = "kept"
    RELEASED = "released"


@value(frozen=True, slots=True)
class Limits:
    """The limits of one buyer. None is no limit (docs/api.md, section 8)."""

    max_seats_per_reservation: int | None = 10
    max_seats_per_user: int | None = None
    max_active_reservations_per_user: int | None = None
    bookings_per_user_per_day: int | None = None


@value(frozen=True, slots=True)
class Screening:
    """What the rules need of a screening. Times are UTC; hold times are in seconds."""

    id: int
    theater_id: int
    starts_at: datetime
    sales_open_at: datetime | None
    sales_close_at: datetime | None
    cancelled_at: datetime | None
    hold_seconds: int
    max_hold_seconds: int
    prices: Mapping[str, Money]
    limits: Limits
    revision: int = 1
    orphan_rule: OrphanRule = OrphanRule.OFF
    reserved_places: ReservedPlaces = ReservedPlaces.KEPT
    cancel_until: datetime | None = None
    # What follows from the above, worked out once: every decision asks for it.
    counts_buyers: bool = field(init=False, repr=False, compare=False)
    """Has it a limit that asks what a buyer has here or elsewhere?"""
    hold_time: timedelta = field(init=False, repr=False, compare=False)
    longest_hold: timedelta = field(init=False, repr=False, compare=False)
    closes_at: datetime = field(init=False, repr=False, compare=False)
    """When sales end: as the organizer says, else when the screening starts."""
    currency: str = field(init=False, repr=False, compare=False)
    """The currency of its prices; euros if it has none."""

    def __post_init__(self) -> None:
        limits = self.limits
        counted = (limits.max_seats_per_user, limits.max_active_reservations_per_user, limits.bookings_per_user_per_day)
        object.__setattr__(self, "counts_buyers", any(limit is not None for limit in counted))
        object.__setattr__(self, "hold_time", timedelta(seconds=self.hold_seconds))
        object.__setattr__(self, "longest_hold", timedelta(seconds=max(self.max_hold_seconds, self.hold_seconds)))
        object.__setattr__(self, "closes_at", self.sales_close_at or self.starts_at)
        currencies = (price.currency for price in self.prices.values())
        object.__setattr__(self, "currency", next(currencies, "EUR"))

    @property
    def releases_reserved_places(self) -> bool:
        """Are places for wheelchair users and their companions on sale as all others?"""
        return self.reserved_places is ReservedPlaces.RELEASED

    def must_be_cancellable(self, now: datetime) -> None:
        """Raises CancellationClosed if customers cannot cancel, exchange or transfer any more at `now`."""
        until = self.cancel_until or self.starts_at
        if now >= until:
            raise CancellationClosed(until)

    def is_on_sale(self, now: datetime) -> bool:
        """Whether seats can be taken at `now`."""
        opened = self.sales_open_at is None or self.sales_open_at <= now
        return opened and now < self.closes_at and self.cancelled_at is None

    def must_be_on_sale(self, now: datetime) -> None:
        """Raises SalesClosed, or ScreeningCancelled, if seats cannot be taken at `now`."""
        if not self.is_on_sale(now):
            self.must_not_be_cancelled()
            raise SalesClosed(self.sales_open_at, self.closes_at)

    def must_not_be_cancelled(self) -> None:
        """Raises ScreeningCancelled."""
        if self.cancelled_at is not None:
            raise ScreeningCancelled(self.sales_open_at, self.cancelled_at)

    def price_of(self, category: str) -> Money:
        """The current price of a seat of this category; 0 if the category has none."""
        return self.prices.get(category) or Money(0, self.currency)

    def hold_ends(self, first_held_at: datetime, now: datetime) -> datetime:
        """When a hold that is made or extended at `now` ends: after a full hold time, but not beyond the cap."""
        return min(now + self.hold_time, self.latest_end(first_held_at))

    def latest_end(self, first_held_at: datetime) -> datetime:
        """The cap of a hold that began at `first_held_at`: it cannot be extended beyond this."""
        return first_held_at + self.longest_hold

    def late_until(self, expires_at: datetime) -> datetime:
        """Until when a hold that ran out at `expires_at` may be taken again."""
        return expires_at + self.longest_hold
