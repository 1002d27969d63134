"""The answers of commands as bytes: the same bytes are sent, stored with an idempotency key, and replayed."""

from dataclasses import replace
from datetime import datetime

import orjson

from app.domain.box_office.outcomes import (
    Blocked,
    Booked,
    Cancelled,
    Checked,
    Chosen,
    Closed,
    Exchanged,
    Expired,
    GaveUp,
    Held,
    Kept,
    Offered,
    Outcome,
    Paying,
    ReleasedAll,
    Toggled,
    Withdrawn,
)
from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import total
from app.domain.values import value
from app.schemas.blocks import blocked_json
from app.schemas.bookings import booking_json
from app.schemas.finding.answers import checked_json, chosen_json
from app.schemas.reservations import released_json, reservation_json, toggled_json
from app.schemas.transfers import offer_json


@value(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to a command. `created`: something new exists (201).

    `user_id` is the user whom it is for; with an anonymous key, the guest that was created. `at` is the time of the
    decision (UTC). The body is `head`; if it tells of a change, the change's `version` and `tail` follow. The version
    is kept apart until the change is written: other changes may have come first. `money`: a payment that has not led to
    a booking, yet or at all.
    """

    head: bytes
    user_id: int
    at: datetime
    created: bool = False
    location: str | None = None
    version: int | None = None
    tail: bytes = b""
    replayed: bool = False
    money: Paying | GaveUp | None = None

    @property
    def body(self) -> bytes:
        """The body that is sent, stored with a key, and replayed."""
        return self.head if self.version is None else b"%b%d%b" % (self.head, self.version, self.tail)

    def __eq__(self, other: object) -> bool:
        """Whether they have the same body and the same meaning, however the body is composed."""
        return isinstance(other, Answer) and self._said() == other._said()

    def later(self, shift: int) -> "Answer":
        """The same answer after `shift` other changes came first."""
        return self if self.version is None or not shift else replace(self, version=self.version + shift)

    def settled(self) -> "Answer":
        """The same answer with a version that cannot move any more."""
        return replace(self, head=self.body, version=None, tail=b"")

    def with_member(self, name: str, value: str) -> "Answer":
        """The same answer with one more member at the end of its body."""
        end = b",%b:%b}" % (orjson.dumps(name), orjson.dumps(value))
        if self.version is None:
            return replace(self, head=self.head.removesuffix(b"}") + end)
        return replace(self, tail=self.tail.removesuffix(b"}") + end)

    def _said(self) -> tuple[object, ...]:
        return self.body, self.user_id, self.at, self.created, self.location, self.replayed


def answer(outcome: Outcome, screening_state: ScreeningState, user_id: int, now: datetime) -> Answer:
    """The answer to a command, from the screening's state after its decision."""
    screening, layout = screening_state.screening, screening_state.layout
    match outcome:
        case Chosen(seats, adjacent):
            return Answer(chosen_json(seats, adjacent, screening_state), user_id, now)
        case Checked(prices):
            return Answer(checked_json(total(prices.values(), screening.currency)), user_id, now)
        case Held(reservation, created, adjacent):
            location = f"/api/v1/reservations/{reservation.id}" if created else None
            head, tail = reservation_json(reservation, screening, layout, now, adjacent)
            return Answer(head, user_id, now, created, location, reservation.version, tail)
        case Kept(reservation):
            head, tail = reservation_json(reservation, screening, layout, now)
            return Answer(head, user_id, now, version=reservation.version, tail=tail)
        case Toggled():
            return Answer(toggled_json(outcome, screening_state, now), user_id, now)
        case ReleasedAll(seat_ids):
            return Answer(released_json(seat_ids, screening_state), user_id, now)
        case Booked(booking, created, adjacent):
            location = f"/api/v1/bookings/{booking.id}" if created else None
            head, tail = booking_json(booking, screening, layout, adjacent)
            return Answer(head, user_id, now, created, location, booking.version, tail)
        case Exchanged(booking, _, adjacent):
            head, tail = booking_json(booking, screening, layout, adjacent)
            return Answer(head, user_id, now, version=booking.version, tail=tail)
        case Paying(reservation, payment):
            head, tail = reservation_json(reservation, screening, layout, now, payment=payment)
            return Answer(head, user_id, now, version=reservation.version, tail=tail, money=outcome)
        case GaveUp():
            return Answer(b"", user_id, now, money=outcome)
        case Cancelled(booking):
            head, tail = booking_json(booking, screening, layout)
            return Answer(head, user_id, now, version=booking.version, tail=tail)
        case Offered(transfer, booking):
            # What the caller gets the code from is stored with a key; the code itself is not.
            made_from = f"{transfer.id}.{transfer.code_hash.hex()}"
            return Answer(offer_json(transfer, booking, screening, layout), user_id, now, True, made_from)
        case Withdrawn():
            return Answer(b"", user_id, now)
        case Blocked(seats, when_free):
            return Answer(blocked_json(seats, layout, when_free), user_id, now)
        case Expired() | Closed():
            return Answer(b"", user_id, now)
