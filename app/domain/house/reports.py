"""What a screening has sold, by section, category and day (docs/api.md, section 13)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.domain.money import Money
from app.domain.seats import Seat
from app.domain.values import value


@value(frozen=True, slots=True)
class SoldSeat:
    """A seat that is booked, what was paid for it, and when (UTC)."""

    seat_id: int
    price: Money
    booked_at: datetime


@dataclass(slots=True)
class Part:
    """A section, a category, or a day. `held`, `blocked` and `available` None: that is not said of a day.

    `revenue_minor` is net: the prices of what is sold now.
    """

    name: str
    sold: int = 0
    held: int | None = 0
    blocked: int | None = 0
    available: int | None = 0
    revenue_minor: int = 0


@value(frozen=True, slots=True)
class Report:
    """All of it. `revenue` is all that was taken, `refunded` what has gone back of it."""

    counts: Mapping[str, int]
    revenue: Money
    refunded: Money
    by_section: Sequence[Part]
    by_category: Sequence[Part]
    by_day: Sequence[Part]


def report(
    seats: Sequence[Seat],
    statuses: Mapping[int, str],
    sold: Sequence[SoldSeat],
    revenue: Money,
    refunded: Money,
    timezone: ZoneInfo,
) -> Report:
    """The report of a house: `statuses` has `held`, `booked` or `blocked` for each seat that is not free."""
    prices = {each.seat_id: each.price.amount_minor for each in sold}
    counts = dict.fromkeys(("available", "reserved", "booked", "blocked"), 0)
    for seat in seats:
        status = statuses.get(seat.id, "available")
        counts["reserved" if status == "held" else status] += 1
    return Report(
        counts=counts,
        revenue=revenue,
        refunded=refunded,
        by_section=_parts(seats, lambda seat: seat.section, statuses, prices),
        by_category=_parts(seats, lambda seat: seat.category, statuses, prices),
        by_day=_days(sold, timezone),
    )


def _parts(
    seats: Iterable[Seat], name_of: Callable[[Seat], str], statuses: Mapping[int, str], prices: Mapping[int, int]
) -> list[Part]:
    """In the order of the seats."""
    parts: dict[str, Part] = {}
    for seat in seats:
        part = parts.setdefault(name_of(seat), Part(name_of(seat)))
        match statuses.get(seat.id):
            case "booked":
                part.sold += 1
                part.revenue_minor += prices.get(seat.id, 0)
            case "held":
                part.held = (part.held or 0) + 1
            case "blocked":
                part.blocked = (part.blocked or 0) + 1
            case _:
                part.available = (part.available or 0) + 1
    return list(parts.values())


def _days(sold: Iterable[SoldSeat], timezone: ZoneInfo) -> list[Part]:
    """By the day of booking in the theater's time zone, the earliest first."""
    days: dict[date, Part] = {}
    for each in sold:
        day = each.booked_at.astimezone(timezone).date()
        part = days.setdefault(day, Part(day.isoformat(), held=None, blocked=None, available=None))
        part.sold += 1
        part.revenue_minor += each.price.amount_minor
    return [days[day] for day in sorted(days)]
