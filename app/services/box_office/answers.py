"""What a caller is told, as bytes: the very bytes that are stored with an idempotency key and replayed."""

from dataclasses import dataclass, replace
from datetime import datetime

import orjson

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


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """`created`: something is there now that was not (201).

    `user_id` is whom it is for, with an anonymous key the guest who was made for it; `at` is when it was decided (UTC).
    Its body is `head`, and if it tells of a change, the `version` of that and then `tail`. The number stays apart until
    the change is written: others may have come first.
    """

    head: bytes
    user_id: int
    at: datetime
    created: bool = False
    location: str | None = None
    version: int | None = None
    tail: bytes = b""
    replayed: bool = False

    @property
    def body(self) -> bytes:
        """What is sent, stored with a key and replayed."""
        return self.head if self.version is None else b"%b%d%b" % (self.head, self.version, self.tail)

    def __eq__(self, other: object) -> bool:
        """Do they say the same? How a body is made up does not count."""
        return isinstance(other, Answer) and self._said() == other._said()

    def later(self, shift: int) -> "Answer":
        """The same when so many changes came before this one."""
        return self if self.version is None or not shift else replace(self, version=self.version + shift)

    def settled(self) -> "Answer":
        """The same with a version that nothing moves any more."""
        return replace(self, head=self.body, version=None, tail=b"")

    def with_member(self, name: str, value: str) -> "Answer":
        """The same with one more member at the end of the object that its body is."""
        end = b",%b:%b}" % (orjson.dumps(name), orjson.dumps(value))
        if self.version is None:
            return replace(self, head=self.head.removesuffix(b"}") + end)
        return replace(self, tail=self.tail.removesuffix(b"}") + end)

    def _said(self) -> tuple[object, ...]:
        return self.body, self.user_id, self.at, self.created, self.location, self.replayed


def answer(outcome: Outcome, screening_state: ScreeningState, user_id: int, now: datetime) -> Answer:
    """The answer to a command, told from the screening as it is after its decision was taken in."""
    screening, layout = screening_state.screening, screening_state.layout
    match outcome:
        case Held(reservation, created):
            location = f"/api/v1/reservations/{reservation.id}" if created else None
            head, tail = reservation_json(reservation, screening, layout, now)
            return Answer(head, user_id, now, created, location, reservation.version, tail)
        case Kept(reservation):
            head, tail = reservation_json(reservation, screening, layout, now)
            return Answer(head, user_id, now, version=reservation.version, tail=tail)
        case Toggled():
            return Answer(toggled_json(outcome, screening_state, now), user_id, now)
        case ReleasedAll(seat_ids):
            return Answer(released_json(seat_ids, screening_state), user_id, now)
        case Booked(booking, created):
            location = f"/api/v1/bookings/{booking.id}" if created else None
            head, tail = booking_json(booking, screening, layout)
            return Answer(head, user_id, now, created, location, booking.version, tail)
        case Cancelled(booking):
            head, tail = booking_json(booking, screening, layout)
            return Answer(head, user_id, now, version=booking.version, tail=tail)
        case Blocked(seats, when_free):
            return Answer(blocked_json(seats, layout, when_free), user_id, now)
        case Expired() | Closed():
            return Answer(b"", user_id, now)
