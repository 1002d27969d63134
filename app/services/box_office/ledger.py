"""What the decisions of a batch changed in one screening since it was read: the rows to write, and what to tell."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.db.box_office import rows_written as table
from app.db.box_office.reading import Proof
from app.db.box_office.rows_written import EventMade, PaymentShared
from app.db.box_office.writing import Writes
from app.db.seat_maps.seat_events import SeatChange
from app.domain.bookings import Booking
from app.domain.box_office.addresses import HeldFrom, KeptSeat
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.claims import Claim, ClaimStatus
from app.domain.payments import Entry, Payment, Refund
from app.domain.reservations import Reservation
from app.domain.seats import SeatStatus
from app.domain.transfers import Transfer
from app.services.box_office.differences import (
    write_booking,
    write_claim,
    write_entry,
    write_payment,
    write_refund,
    write_reservation,
    write_transfer,
)
from app.services.news import News


class SeatEvent(NamedTuple):
    """A seat changed, and what only the books say about that."""

    change: SeatChange
    from_status: SeatStatus
    cause: Cause
    actor_id: int | None
    request_id: str | None


class Ledger:
    """One screening and its changes. Whatever happens between two batches, only the difference is written."""

    def __init__(self, screening_state: ScreeningState, edits: int) -> None:
        """`edits`: the sum of the revisions of the screening and its layout."""
        self.screening_state = screening_state
        self.edits = edits
        self.version_before = screening_state.version
        self.must_be_as_read = False
        """Something was decided by more than the rows that it changes: the screening may not have changed at all."""
        self.ordinal: int | None = None
        """Which of the screenings that a batch changes it is, from 1, once it is written down."""
        self._claims: dict[int, Claim | None] = {}
        self._reservations: dict[UUID, Reservation | None] = {}
        self._bookings: dict[UUID, Booking | None] = {}
        self._held_from: dict[UUID, HeldFrom] = {}
        self._kept_seats: dict[tuple[bytes, int], KeptSeat] = {}
        self._payments: dict[UUID, Payment | None] = {}
        self._refunds: list[Refund] = []
        self._entries: list[Entry] = []
        self._transfers: dict[UUID, Transfer | None] = {}
        self._shared_payments: set[tuple[UUID, UUID]] = set()
        self._events: list[SeatEvent] = []
        self._shift = 0
        """How much higher the versions are that were written than those of the events."""

    @property
    def map_version(self) -> int:
        """Grows with every change of the seats, the prices or the layout."""
        return self.screening_state.version + self.edits

    @property
    def changes(self) -> int:
        """How many changes of seats there were."""
        return len(self._events)

    @property
    def has_changed(self) -> bool:
        return self.screening_state.version != self.version_before

    def enter(self, decision: Decision, now: datetime, actor_id: int | None, request_id: str | None) -> None:
        """Take a decision into the house, remembering what was there before."""
        screening_state = self.screening_state
        for seat_id, claim in decision.claims.items():
            before = screening_state.claims.get(seat_id)
            self._claims.setdefault(seat_id, before)
            from_status, cause = _why(before, claim, decision.cause, now)
            change = _change(screening_state.next_version, seat_id, before, claim)
            actor = None if cause is Cause.EXPIRY else actor_id  # time did it, whoever came by
            self._events.append(SeatEvent(change, from_status, cause, actor, request_id))
        for reservation_id in decision.reservations:
            self._reservations.setdefault(reservation_id, screening_state.reservations.get(reservation_id))
        for booking_id in decision.bookings:
            self._bookings.setdefault(booking_id, screening_state.bookings.get(booking_id))
        self._held_from.update(decision.held_from)
        self._kept_seats.update(decision.kept_seats)
        if decision.payments:
            for payment_id in decision.payments:
                self._payments.setdefault(payment_id, screening_state.payments.get(payment_id))
            self._refunds += decision.refunds
            self._entries += decision.entries
        if decision.transfers:
            for transfer_id in decision.transfers:
                self._transfers.setdefault(transfer_id, screening_state.transfers.get(transfer_id))
            self._shared_payments |= decision.shared_payments
        screening_state.apply(decision, now)

    def proof(self, now: datetime) -> Proof | None:
        """What is written if the changes are, and only then."""
        for event in self._events:
            return Proof(self.screening_state.screening.id, event.change.version, event.change.seat_id, now)
        return None

    def news(self) -> News:
        """The changes, for whoever watches this screening."""
        changes = (event.change for event in self._events)
        if self._shift:
            changes = (change.later(self._shift) for change in changes)
        return News(self.version_before, self.screening_state.version, tuple(changes))

    def move(self, shift: int) -> None:
        """All of it, now that it is written, came so much later: others changed the screening first."""
        self.screening_state.version += shift
        self.version_before += shift
        self._shift += shift

    def write_to(self, writes: Writes) -> None:
        """Add the rows that differ from what was read."""
        state = self.screening_state
        screening_id = state.screening.id
        for payment_id, payment_before in self._payments.items():
            write_payment(writes, screening_id, payment_before, state.payments[payment_id])
        for refund in self._refunds:
            write_refund(writes, screening_id, refund)
        for entry in self._entries:
            write_entry(writes, screening_id, entry)
        for transfer_id, transfer_before in self._transfers.items():
            write_transfer(writes, screening_id, transfer_before, state.transfers[transfer_id])
        for booking_id, payment_id in self._shared_payments:
            row: PaymentShared = {"screening_id": screening_id, "booking_id": booking_id, "payment_id": payment_id}
            writes.rows(table.PAYMENTS_SHARED).append(row)
        if not self.has_changed:
            return
        moved = writes.rows(table.VERSIONS_MOVED)
        self.ordinal = ordinal = len(moved) + 1
        moved.append(
            {
                "ordinal": ordinal,
                "screening_id": screening_id,
                "version_before": self.version_before,
                "moves": state.version - self.version_before,
                "edits": self.edits,
                # Without an event there would be no proof.
                "must_be_as_read": self.must_be_as_read or not self._events,
            }
        )
        self._write_events(writes.rows(table.EVENTS_MADE), screening_id, ordinal)
        for seat_id, claim_before in self._claims.items():
            write_claim(writes, screening_id, seat_id, claim_before, state.claims.get(seat_id))
        for reservation_id, reservation_before in self._reservations.items():
            write_reservation(writes, screening_id, ordinal, reservation_before, state.reservations[reservation_id])
        if self._held_from:
            self._write_addresses(writes)
        for booking_id, booking_before in self._bookings.items():
            write_booking(writes, screening_id, ordinal, booking_before, state.bookings[booking_id])

    def _write_addresses(self, writes: Writes) -> None:
        screening = self.screening_state.screening
        for reservation_id, where in self._held_from.items():
            writes.rows(table.HELD_FROM).append(
                {
                    "screening_id": screening.id,
                    "reservation_id": reservation_id,
                    "address_key": where.address,
                    "network_key": where.network,
                }
            )
        for (address, seat_id), kept in self._kept_seats.items():
            writes.rows(table.SEATS_KEPT).append(
                {
                    "screening_id": screening.id,
                    "address_key": address,
                    "seat_id": seat_id,
                    "reservation_id": kept.reservation_id,
                    "counted_ms": kept.before // timedelta(milliseconds=1),
                    "began_at": kept.began_at,
                    "forget_at": kept.forget_at(screening),
                }
            )

    def _write_events(self, rows: list[EventMade], screening_id: int, ordinal: int) -> None:
        for event in self._events:
            change = event.change
            rows.append(
                {
                    "screening_id": screening_id,
                    "version": change.version,
                    "seat_id": change.seat_id,
                    "from_status": event.from_status,
                    "to_status": change.status,
                    "user_id": change.user_id,
                    "previous_user_id": change.previous_user_id,
                    "expires_at": change.expires_at,
                    "cause": event.cause,
                    "actor_id": event.actor_id,
                    "request_id": event.request_id,
                    "ordinal": ordinal,
                }
            )


def _why(before: Claim | None, after: Claim | None, cause: Cause, now: datetime) -> tuple[SeatStatus, Cause]:
    """What a seat was seen as until now, and why it changed.

    A run-out hold that nobody takes over expired, also if the house had asked for the seat.
    """
    if before is None:
        return SeatStatus.AVAILABLE, cause
    if before.is_live(now):
        return before.seen_as, cause
    has_expired = after is None or (before.will_be_blocked and after.status is ClaimStatus.BLOCKED)
    return (before.seen_as, Cause.EXPIRY) if has_expired else (SeatStatus.AVAILABLE, cause)


def _change(version: int, seat_id: int, before: Claim | None, after: Claim | None) -> SeatChange:
    user_id = after.user_id if after else None
    was_held_by = before.user_id if before and before.status is ClaimStatus.HELD and before.user_id != user_id else None
    if after is None:
        return SeatChange(version, seat_id, SeatStatus.AVAILABLE, None, None, was_held_by)
    return SeatChange(version, seat_id, after.seen_as, after.expires_at, user_id, was_held_by)
