"""What a batch knows of one screening: its facts, and just the rows that the batch names.

`decide` reads it and never writes; `apply` takes a decision in, so that the next command of the batch sees it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from uuid import UUID

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.addresses import HeldFrom, KeptSeat
from app.domain.box_office.outcomes import Outcome
from app.domain.claims import Claim
from app.domain.payments import Entry, Payment, Refund
from app.domain.refusals import NotFound
from app.domain.reservations import HOLDING, Reservation, ReservationStatus
from app.domain.screenings import Screening
from app.domain.seat_finding.floor import Floor
from app.domain.seats import Layout
from app.domain.transfers import Transfer
from app.domain.values import value


class Cause(StrEnum):
    """Why a seat changed: a caller's request, an expired hold, or an organizer."""

    API = "api"
    EXPIRY = "expiry"
    STAFF = "staff"


@dataclass(slots=True)
class Decision:
    """What a command changes: the rows as they will be. A claim of None is deleted. If it is empty, nothing changes.

    Payments, refunds, entries and offers are no change of the screening: they move no version.

    `looked_further`: it was decided by rows that it does not change, and that others may change meanwhile.
    """

    outcome: Outcome
    claims: dict[int, Claim | None] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)
    held_from: dict[UUID, HeldFrom] = field(default_factory=dict)
    kept_seats: dict[tuple[bytes, int], KeptSeat] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    transfers: dict[UUID, Transfer] = field(default_factory=dict)
    shared_payments: frozenset[tuple[UUID, UUID]] = frozenset()
    """Bookings, and payments that stand behind them from now on, too."""
    cause: Cause = Cause.API
    looked_further: bool = False

    @property
    def changes_something(self) -> bool:
        """Whether it changes seats, or what people have of them."""
        return bool(self.claims or self.reservations or self.bookings)


@value(frozen=True, slots=True)
class Lapse:
    """A buyer's hold of a seat that has ended: when the first of its chain began, and when it ended (UTC)."""

    first_held_at: datetime
    ended_at: datetime


@dataclass(slots=True)
class Usage:
    """What one buyer has in all screenings: the end of each hold, and the time of each confirmed booking (UTC).

    `paying`: those of the holds that are being paid for.
    """

    holds: dict[UUID, datetime] = field(default_factory=dict)
    bookings: dict[UUID, datetime] = field(default_factory=dict)
    paying: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class ScreeningState:
    """One screening, as the current batch knows it."""

    screening: Screening
    layout: Layout
    version: int
    timezone: tzinfo = UTC
    claims: dict[int, Claim] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    """Those that the batch's commands name or lead to."""
    shared_payments: set[tuple[UUID, UUID]] = field(default_factory=set)
    """Bookings whose seats came along from another one, and the payments that came along with them."""
    transfers: dict[UUID, Transfer] = field(default_factory=dict)
    """Those that the batch's commands name, and the offers of bookings that they may change."""
    lapses: dict[tuple[int, int], list[Lapse]] = field(default_factory=dict)
    """By user and seat: their holds that ended, as far as the batch's commands name the two."""
    held_from: dict[UUID, HeldFrom] = field(default_factory=dict)
    """By reservation: from where callers without an account hold it, as far as the batch's commands ask."""
    kept_seats: dict[tuple[bytes, int], KeptSeat] = field(default_factory=dict)
    """By address and seat: how callers without an account kept it, as far as the batch's commands ask."""
    floor: Floor | None = None
    """What is free in the whole house, if a command of the batch asks."""
    # Shared with the other houses of a batch: a buyer's holds and bookings are counted over all screenings.
    usage: Mapping[int, Usage] = field(default_factory=dict)
    same_buyer: Mapping[int, frozenset[int]] = field(default_factory=dict)
    nameless: frozenset[int] = frozenset()
    """Users of whom nobody knows whether they are one buyer with others, where a limit has to know."""

    @property
    def next_version(self) -> int:
        """The version of the next change: one command is one change."""
        return self.version + 1

    def claims_of(self, user_id: int, now: datetime) -> Iterator[Claim]:
        """The live claims of one user in this screening, held and booked."""
        return (claim for claim in self.claims.values() if claim.user_id == user_id and claim.is_live(now))

    def buyer(self, user_id: int) -> frozenset[int]:
        """The users who count as one buyer: all who have or had the same email."""
        return self.same_buyer.get(user_id) or frozenset((user_id,))

    def usage_of(self, user_id: int) -> Usage:
        """What the buyer has in all screenings; only known if a limit needs it."""
        return self.usage.get(user_id) or Usage()

    def held_by(self, user_id: int, now: datetime) -> list[Reservation]:
        """The reservations with which one user holds seats at `now`, oldest first. None that is being paid for."""
        mine = (
            each
            for each in self.reservations.values()
            if each.user_id == user_id and each.status_at(now) is ReservationStatus.HELD
        )
        return sorted(mine, key=lambda each: (each.created_at, each.id))

    def reservation_of(self, user_id: int, reservation_id: UUID) -> Reservation:
        """A reservation of this user. Raises NotFound, also if it is another user's."""
        reservation = self.reservations.get(reservation_id)
        if reservation is None or reservation.user_id != user_id:
            raise NotFound("reservation")
        return reservation

    def open_payment(self, reservation_id: UUID) -> Payment | None:
        """The payment for a reservation that is not decided yet."""
        return next(
            (each for each in self.payments.values() if each.reservation_id == reservation_id and each.is_open), None
        )

    def payments_of(self, booking_id: UUID) -> list[Payment]:
        """The payments that stand behind a booking."""
        shared = self.shared_payments
        return [
            each for each in self.payments.values() if each.booking_id == booking_id or (booking_id, each.id) in shared
        ]

    def payments_by_booking(self) -> dict[UUID, list[Payment]]:
        """What `payments_of` gives, for all bookings at once."""
        found: dict[UUID, list[Payment]] = {}
        for payment in self.payments.values():
            if payment.booking_id is not None:
                found.setdefault(payment.booking_id, []).append(payment)
        for booking_id, payment_id in self.shared_payments:
            payment = self.payments[payment_id]
            if payment.booking_id != booking_id:
                found.setdefault(booking_id, []).append(payment)
        return found

    def apply(self, decision: Decision, now: datetime) -> None:
        """Take a decision of `now` (UTC) in. The version grows by one if it changes something."""
        self.payments.update(decision.payments)
        if decision.transfers:
            self.transfers.update(decision.transfers)
            self.shared_payments |= decision.shared_payments
        if not decision.changes_something:
            return
        self.version += 1
        if self.reservations:
            self._remember(decision, now)
        for seat_id, claim in decision.claims.items():
            if claim is None:
                self.claims.pop(seat_id, None)
            else:
                self.claims[seat_id] = claim
        if self.floor is not None:
            for seat_id, claim in decision.claims.items():
                self.floor.mark(seat_id, claim is None)
        self.reservations.update(decision.reservations)
        self.bookings.update(decision.bookings)
        if decision.held_from:
            self.held_from.update(decision.held_from)
            self.kept_seats.update(decision.kept_seats)
        if self.usage:
            self._count(decision)

    def _remember(self, decision: Decision, now: datetime) -> None:
        """Note which holds of which seats end by the decision: their cap goes on counting."""
        for after in decision.reservations.values():
            before = self.reservations.get(after.id)
            if before is None or before.status not in HOLDING:
                continue
            kept = after.prices if after.status in HOLDING else ()
            lapse = Lapse(before.first_held_at, min(now, before.expires_at))
            for seat_id in before.prices:
                if seat_id not in kept:
                    self.lapses.setdefault((before.user_id, seat_id), []).append(lapse)
            if self.kept_seats:
                self._let_go(after, lapse.ended_at)

    def _let_go(self, after: Reservation, ended_at: datetime) -> None:
        """Note when seats that were kept from an address ceased to be, or that they were booked."""
        is_booked = after.status is ReservationStatus.BOOKED
        for place, kept in tuple(self.kept_seats.items()):
            _, seat_id = place
            if kept.reservation_id == after.id and (seat_id not in after.prices or after.status not in HOLDING):
                ended = None if is_booked and seat_id in after.prices else ended_at
                self.kept_seats[place] = replace(kept, ended_at=ended)

    def _count(self, decision: Decision) -> None:
        """Update the usage of buyers for the next command of the batch."""
        for reservation in decision.reservations.values():
            if (usage := self.usage.get(reservation.user_id)) is not None:
                usage.holds.pop(reservation.id, None)
                usage.paying.discard(reservation.id)
                if reservation.status in HOLDING:
                    usage.holds[reservation.id] = reservation.claims_end_at
                if reservation.status is ReservationStatus.PAYING:
                    usage.paying.add(reservation.id)
        for booking in decision.bookings.values():
            if (usage := self.usage.get(booking.user_id)) is not None:
                usage.bookings.pop(booking.id, None)
                if booking.status is BookingStatus.CONFIRMED:
                    usage.bookings[booking.id] = booking.created_at
