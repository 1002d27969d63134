"""PostgreSQL, played from memory: it answers the box office's statements for one screening, and notes them."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.db.bookings import BookingRow
from app.db.box_office import questions
from app.db.box_office.rows_read import (
    ClaimRow,
    FoundBooking,
    FoundReservation,
    KeyRow,
    ScreeningFacts,
    ScreeningRow,
    TransferRow,
)
from app.db.money.payments import PaymentRow, plan_out
from app.db.reservations import ReservationRow
from app.db.screenings import Defaults, screening_of
from app.domain.bookings import Booking
from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import Money
from app.domain.payments import Payment
from app.domain.reservations import Reservation
from app.domain.screenings import Limits
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.picture import Picture
from app.domain.seats import Layout, Seat
from app.domain.transfers import Transfer, TransferStatus
from app.services.layouts import Layouts

NOW: Final = datetime(2027, 5, 1, 12, tzinfo=UTC)
LAYOUT: Final = Layout(1, 1, tuple(Seat(number, f"A{number}", "", "A", number, "") for number in range(1, 10)))
DEFAULTS: Final = Defaults(hold_seconds=300, max_hold_seconds=900, limits=Limits())
FACTS: Final = ScreeningFacts(
    id=1,
    theater_id=LAYOUT.theater_id,
    layout_revision=LAYOUT.revision,
    timezone="UTC",
    starts_at=NOW + timedelta(days=1),
    sales_open_at=None,
    sales_close_at=None,
    cancelled_at=None,
    hold_seconds=None,
    max_hold_seconds=None,
    prices='{"": {"amount_minor": 2500, "currency": "EUR"}}',
    max_seats_per_reservation=None,
    max_seats_per_user=None,
    max_active_reservations_per_user=None,
    bookings_per_user_per_day=None,
    revision=1,
    orphan_rule="off",
    reserved_places="kept",
    cancel_until=None,
)

_KINDS_READ: Final = re.compile(r"\) AS (?!now)(\w+)(?=,|$)")


class OneLayout(Layouts):
    """The layout of the one theater there is."""

    def __init__(self) -> None:
        pass

    def at_hand(self, theater_id: int, revision: int) -> Layout | None:
        return LAYOUT


@dataclass(slots=True)
class Played:
    """The box office's connection. What is written over it is noted, and changes nothing: `state` is what is so."""

    facts: ScreeningFacts = FACTS
    now: datetime = NOW
    keys: list[KeyRow] = field(default_factory=list)
    state: ScreeningState = field(init=False)
    said: list[str] = field(default_factory=list)
    breaks: bool = False
    """Does the connection break when something is written?"""
    per_screening: bool = False
    """Is each batch of one screening, and PostgreSQL told which?"""

    def __post_init__(self) -> None:
        picture = Picture(LAYOUT)
        self.state = ScreeningState(screening_of(self.facts._asdict(), DEFAULTS), LAYOUT, version=0)
        self.state.floor = Floor(picture, picture.whole)

    @property
    def screening(self) -> ScreeningRow:
        return ScreeningRow(self.facts, self.state.version)

    def cancel(self) -> None:
        """The house cancels the screening."""
        self.facts = self.facts._replace(cancelled_at=self.now)
        self.state.screening = screening_of(self.facts._asdict(), DEFAULTS)

    async def execute(self, statement: str, *_: object) -> str:
        self.said.append(statement)
        return statement

    async def fetch(self, statement: str, *_: object) -> list[Any]:
        self.said.append(statement)
        return [self.screening] if statement == questions.LOCK_ONE else []

    async def fetchrow(self, statement: str, *values: Any) -> dict[str, Any]:
        self.said.append(statement)
        found: dict[str, Any] = {"now": self.now}
        kinds = _KINDS_READ.findall(statement)
        given = iter(values)
        if self.per_screening and kinds:
            next(given)
        for kind in kinds:
            if kind in ("taken", "due"):  # nobody has anything, nothing has run out
                found[kind] = []
                if not self.per_screening:
                    next(given)
                continue
            if kind == "keys" or not (self.per_screening or kind == "screenings"):
                next(given)  # of which screening, or whose
            if kind == "screenings":
                found[kind] = [self.screening]
            else:
                found[kind] = list(self._rows(kind, set(next(given))))
        return found

    async def fetchval(self, statement: str, *_: object) -> list[int] | None:
        self.said.append(statement)
        if statement == questions.WRITTEN:
            return None
        if self.breaks:
            raise ConnectionResetError
        return [0]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self.said.append("BEGIN")
        yield
        self.said.append("COMMIT")

    def _rows(self, kind: str, named: set[Any]) -> Iterator[Any]:
        """The rows of a kind that are named."""
        match kind:
            case "keys":
                yield from (row for row in self.keys if row.key in named)
            case "seats":
                yield from self._claims(named)
            case "users":
                yield from self._claims({each.seat_id for each in self.state.claims.values() if each.user_id in named})
            case "reservations":
                yield from (self._reservation(self.state.reservations[each]) for each in named)
            case "bookings":
                yield from (self._booking(self.state.bookings[each]) for each in named)
            case "payments_behind":
                yield from (self._payment(each) for one in named for each in self.state.payments_of(one))
            case "transfers":
                yield from map(self._transfer, (each for each in self._offers() if each.code_hash in named))
            case "offers":
                yield from map(self._transfer, (each for each in self._offers() if each.booking_id in named))

    def _claims(self, seat_ids: set[int]) -> Iterator[ClaimRow]:
        for each in self.state.claims.values():
            if each.seat_id in seat_ids:
                yield ClaimRow(
                    screening_id=self.facts.id,
                    seat_id=each.seat_id,
                    status=each.status,
                    user_id=each.user_id,
                    reservation_id=each.reservation_id,
                    booking_id=each.booking_id,
                    expires_at=each.expires_at,
                    reason=each.reason,
                )

    def _reservation(self, each: Reservation) -> FoundReservation:
        row = ReservationRow(
            screening_id=self.facts.id,
            id=each.id,
            user_id=each.user_id,
            status=each.status,
            created_at=each.created_at,
            first_held_at=each.first_held_at,
            expires_at=each.expires_at,
            booking_id=each.booking_id,
            version=each.version,
            seats=[*_seats(each.prices, None), *_seats(each.left, self.now)],
        )
        return FoundReservation(row, list(self._claims(set(each.prices))))

    def _booking(self, each: Booking) -> FoundBooking:
        row = BookingRow(
            screening_id=self.facts.id,
            id=each.id,
            user_id=each.user_id,
            reservation_id=each.reservation_id,
            status=each.status,
            payment_reference=each.payment.reference,
            created_at=each.created_at,
            cancelled_at=each.cancelled_at,
            version=each.version,
            seats=[*_seats(each.prices, each.cancelled_at), *_seats(each.left, self.now)],
            payment_provider=each.payment.provider,
            paid_minor=each.payment.amount.amount_minor,
            refunded_minor=each.payment.refunded_minor,
            refunding_minor=each.payment.refunding_minor,
        )
        return FoundBooking(row, list(self._claims(set(each.prices))))

    def _offers(self) -> Iterator[Transfer]:
        return (each for each in self.state.transfers.values() if each.status is TransferStatus.OFFERED)

    def _transfer(self, each: Transfer) -> TransferRow:
        return TransferRow(
            screening_id=self.facts.id,
            id=each.id,
            booking_id=each.booking_id,
            seat_ids=each.seat_ids,
            code_hash=each.code_hash,
            status=each.status,
            created_at=each.created_at,
            accepted_as=each.accepted_as,
        )

    def _payment(self, each: Payment) -> PaymentRow:
        return PaymentRow(
            screening_id=self.facts.id,
            id=each.id,
            user_id=each.user_id,
            reservation_id=each.reservation_id,
            booking_id=each.booking_id,
            provider=each.provider,
            reference=each.reference,
            status=each.status,
            amount_minor=each.amount.amount_minor,
            currency=each.amount.currency,
            captured_minor=each.captured_minor,
            refunded_minor=each.refunded_minor,
            refunding_minor=each.refunding_minor,
            cause=each.cause,
            decline_reason=each.decline_reason,
            redirect_url=each.redirect_url,
            client_secret=each.client_secret,
            deadline=each.deadline,
            plan=None if each.plan is None else plan_out(each.plan),
            created_at=each.created_at,
        )


def _seats(prices: Mapping[int, Money], ended_at: datetime | None) -> Iterator[tuple[Any, ...]]:
    return ((seat_id, price.amount_minor, price.currency, ended_at) for seat_id, price in prices.items())
