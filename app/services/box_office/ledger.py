"""What the decisions of a batch changed in one house since it was read: the rows to write, and the events to tell."""

from collections.abc import Callable, Collection, Set
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from app.db.box_office import writing
from app.db.box_office.reading import Proof
from app.db.box_office.writing import Writes
from app.db.seat_maps.seat_events import SeatChange
from app.domain.bookings import Booking
from app.domain.box_office.outcomes import Held
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import reservation_of
from app.domain.claims import Claim, ClaimStatus
from app.domain.reservations import Reservation
from app.domain.seats import SeatStatus
from app.services.news import News


class SeatEvent(NamedTuple):
    """A seat changed, and what only the books say about that."""

    change: SeatChange
    from_status: SeatStatus
    cause: Cause
    actor_id: int | None
    request_id: str | None


class Ledger:
    """One house and its changes. Whatever happens between two batches, only the difference is written."""

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
        self._events: list[SeatEvent] = []
        self._just_held: dict[int, SeatEvent] = {}
        """The event of each seat that nobody had, and that a hold took, and nothing more."""
        self._shift = 0
        """How much higher the versions are that were written than those of the events."""

    @property
    def map_version(self) -> int:
        """Grows with every change of the seats, the prices or the layout."""
        return self.screening_state.version + self.edits

    @property
    def has_changed(self) -> bool:
        return self.screening_state.version != self.version_before

    def enter(self, decision: Decision, now: datetime, actor_id: int | None, request_id: str | None) -> None:
        """Take a decision into the house, remembering what was there before."""
        screening_state = self.screening_state
        is_hold = isinstance(decision.outcome, Held)
        for seat_id, claim in decision.claims.items():
            before = screening_state.claims.get(seat_id)
            is_first = seat_id not in self._claims
            self._claims.setdefault(seat_id, before)
            from_status, cause = _why(before, claim, decision.cause, now)
            change = _change(screening_state.next_version, seat_id, before, claim)
            actor = None if cause is Cause.EXPIRY else actor_id  # time did it, whoever came by
            event = SeatEvent(change, from_status, cause, actor, request_id)
            self._events.append(event)
            if is_hold and is_first and before is None:
                self._just_held[seat_id] = event
            else:
                self._just_held.pop(seat_id, None)
        for reservation_id in decision.reservations:
            self._reservations.setdefault(reservation_id, screening_state.reservations.get(reservation_id))
        for booking_id in decision.bookings:
            self._bookings.setdefault(booking_id, screening_state.bookings.get(booking_id))
        screening_state.apply(decision)

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
        if not self.has_changed:
            return
        screening_id = self.screening_state.screening.id
        self.ordinal = ordinal = writes.count(writing.VERSIONS_MOVED) + 1
        moves = self.screening_state.version - self.version_before
        must_be_as_read = self.must_be_as_read or not self._events  # without an event there would be no proof
        writes.add(
            writing.VERSIONS_MOVED, ordinal, screening_id, self.version_before, moves, self.edits, must_be_as_read
        )
        for event in self._events:
            if event is not self._just_held.get(event.change.seat_id):
                _write_event(writes, screening_id, ordinal, event)
        for seat_id, claim_before in self._claims.items():
            claim = self.screening_state.claims.get(seat_id)
            if claim and seat_id in self._just_held:
                self._write_held(writes, ordinal, claim)
            else:
                _write_claim(writes, screening_id, seat_id, claim_before, claim)
        for reservation_id, reservation_before in self._reservations.items():
            reservation = self.screening_state.reservations[reservation_id]
            _write_reservation(writes, screening_id, ordinal, reservation_before, reservation, self._just_held.keys())
        for booking_id, booking_before in self._bookings.items():
            _write_booking(writes, screening_id, ordinal, booking_before, self.screening_state.bookings[booking_id])

    def _write_held(self, writes: Writes, ordinal: int, claim: Claim) -> None:
        """A seat that was only held: claim, price and event in one."""
        reservation_id = reservation_of(claim)
        price = self.screening_state.reservations[reservation_id].prices[claim.seat_id]
        event = self._just_held[claim.seat_id]
        held = (self.screening_state.screening.id, claim.seat_id, claim.user_id, reservation_id, claim.expires_at)
        said = (event.change.version, event.request_id)
        writes.add(writing.SEATS_HELD, *held, price.amount_minor, price.currency, *said, ordinal)


def _why(before: Claim | None, after: Claim | None, cause: Cause, now: datetime) -> tuple[SeatStatus, Cause]:
    """What a seat was seen as until now, and why it changed. A run-out hold that nobody takes over expired."""
    if before is None:
        return SeatStatus.AVAILABLE, cause
    if before.is_live(now):
        return before.seen_as, cause
    return (before.seen_as, Cause.EXPIRY) if after is None else (SeatStatus.AVAILABLE, cause)


def _change(version: int, seat_id: int, before: Claim | None, after: Claim | None) -> SeatChange:
    user_id = after.user_id if after else None
    was_held_by = before.user_id if before and before.status is ClaimStatus.HELD and before.user_id != user_id else None
    if after is None:
        return SeatChange(version, seat_id, SeatStatus.AVAILABLE, None, None, was_held_by)
    return SeatChange(version, seat_id, after.seen_as, after.expires_at, user_id, was_held_by)


def _write_event(writes: Writes, screening_id: int, ordinal: int, event: SeatEvent) -> None:
    change = event.change
    became = (change.status, change.user_id, change.previous_user_id, change.expires_at)
    why = (event.cause, event.actor_id, event.request_id)
    writes.add(
        writing.EVENTS_MADE, screening_id, change.version, change.seat_id, event.from_status, *became, *why, ordinal
    )


def _write_claim(writes: Writes, screening_id: int, seat_id: int, before: Claim | None, after: Claim | None) -> None:
    if after is None:
        if before is not None:
            writes.add(writing.CLAIMS_FREED, screening_id, seat_id)
    elif after != before:
        part = writing.CLAIMS_MADE if before is None else writing.CLAIMS_CHANGED
        row = (after.status, after.user_id, after.reservation_id, after.booking_id, after.expires_at, after.reason)
        writes.add(part, screening_id, seat_id, *row)


def _write_reservation(
    writes: Writes,
    screening_id: int,
    ordinal: int,
    before: Reservation | None,
    after: Reservation,
    written: Set[int],
) -> None:
    """`written`: seats that are written down already."""
    if before is None:
        first_held_at = None if after.first_held_at == writes.at else after.first_held_at
        held = (after.user_id, after.status, first_held_at, after.expires_at, after.booking_id, after.version)
        writes.add(writing.RESERVATIONS_MADE, screening_id, after.id, *held, ordinal)
    else:
        kept = (after.status, after.expires_at, after.booking_id)
        writes.add(writing.RESERVATIONS_CHANGED, screening_id, after.id, *kept, before.version, after.version, ordinal)
    if before or after.left or not after.prices.keys() <= written:
        make = partial(writes.add, writing.RESERVATION_SEATS_MADE)
        change = partial(writes.add, writing.RESERVATION_SEATS_CHANGED)
        _write_seats(make, change, screening_id, before, after, None, writes.at, written)


def _write_booking(writes: Writes, screening_id: int, ordinal: int, before: Booking | None, after: Booking) -> None:
    payment, when = after.payment, after.cancelled_at
    if before is None:
        sold = (after.status, payment.status, payment.reference, when, after.version)
        writes.add(writing.BOOKINGS_MADE, screening_id, after.id, after.user_id, after.reservation_id, *sold, ordinal)
    else:
        kept = (after.status, payment.status, when)
        writes.add(writing.BOOKINGS_CHANGED, screening_id, after.id, *kept, before.version, after.version, ordinal)
    make = partial(writes.add, writing.BOOKING_SEATS_MADE)
    change = partial(writes.add, writing.BOOKING_SEATS_CHANGED)
    _write_seats(make, change, screening_id, before, after, when, writes.at)


def _write_seats(
    make: Callable[..., None],
    change: Callable[..., None],
    screening_id: int,
    before: Reservation | Booking | None,
    after: Reservation | Booking,
    ended_at: datetime | None,
    now: datetime,
    written: Collection[int] = (),
) -> None:
    """Its seats, and those that left it. `ended_at`: when its seats, too, ceased to be taken (a cancelled booking)."""
    prices_before, left_before = (before.prices, before.left) if before else ({}, {})
    for seat_id, price in after.prices.items():
        if seat_id in written:
            continue
        row = (screening_id, after.id, seat_id, price.amount_minor, price.currency, ended_at)
        if seat_id not in prices_before and seat_id not in left_before:
            make(*row)
        elif ended_at is not None or prices_before.get(seat_id) != price:
            change(*row)
    # What left in the same batch left before the rest ended: the times tell the two apart (db.bookings.booking_of).
    left_at = now - timedelta.resolution if ended_at == now else now
    for seat_id, price in after.left.items():
        row = (screening_id, after.id, seat_id, price.amount_minor, price.currency, left_at)
        if seat_id not in prices_before and seat_id not in left_before:
            make(*row)
        elif left_before.get(seat_id) != price:
            change(*row)
