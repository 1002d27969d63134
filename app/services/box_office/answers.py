"""What a caller is told, as bytes: the very bytes that are stored with an idempotency key and replayed."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from app.domain.box_office.outcomes import (
    Blocked,
    Booked,
    Cancelled,
    Closed,
    Expired,
    Held,
    Kept,
    Outcome,
    ReleasedAll,
    Toggled,
)
from app.domain.box_office.screening_state import ScreeningState
from app.schemas.blocks import blocked_json
from app.schemas.bookings import booking_json
from app.schemas.reservations import released_json, reservation_json, toggled_json


@dataclass(frozen=True, slots=True)
class Answer:
    """`created`: something is there now that was not (201).

    `user_id` is whom it is for, with an anonymous key the guest who was made for it; `at` is when it was decided (UTC).
    `version` is the number that its body ends with, if it does: that of the change that it tells.
    """

    body: bytes
    user_id: int
    at: datetime
    created: bool = False
    location: str | None = None
    version: int | None = field(default=None, compare=False)
    replayed: bool = False

    def before_version(self) -> bytes:
        """The body up to its version."""
        return self.body[: -len(b"%d}" % self.version)] if self.version is not None else self.body

    def later(self, shift: int) -> "Answer":
        """The same when so many changes came before this one."""
        if self.version is None or not shift:
            return self
        version = self.version + shift
        return replace(self, body=b"%b%d}" % (self.before_version(), version), version=version)


def answer(outcome: Outcome, screening_state: ScreeningState, user_id: int, now: datetime) -> Answer:
    """The answer to a command, told from the house as it is after its decision was taken in."""
    match outcome:
        case Held(reservation, created):
            location = f"/api/v1/reservations/{reservation.id}" if created else None
            body = reservation_json(reservation, screening_state.screening, screening_state.layout, now)
            return Answer(body, user_id, now, created, location, reservation.version)
        case Kept(reservation):
            body = reservation_json(reservation, screening_state.screening, screening_state.layout, now)
            return Answer(body, user_id, now, version=reservation.version)
        case Toggled():
            return Answer(toggled_json(outcome, screening_state, now), user_id, now)
        case ReleasedAll(seat_ids):
            return Answer(released_json(seat_ids, screening_state), user_id, now)
        case Booked(booking, created):
            location = f"/api/v1/bookings/{booking.id}" if created else None
            body = booking_json(booking, screening_state.screening, screening_state.layout)
            return Answer(body, user_id, now, created, location, booking.version)
        case Cancelled(booking):
            return Answer(
                booking_json(booking, screening_state.screening, screening_state.layout),
                user_id,
                now,
                version=booking.version,
            )
        case Blocked(seats):
            return Answer(blocked_json(seats, screening_state.layout), user_id, now)
        case Expired() | Closed():
            return Answer(b"", user_id, now)
