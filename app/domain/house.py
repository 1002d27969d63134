"""A house is what a batch knows of one screening: its facts, and just the rows that the batch names.

`decide` reads it and never writes; `apply` takes a decision in, so that the next command of the batch sees it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.bookings import Booking
from app.domain.claims import Claim
from app.domain.refusals import NotFound
from app.domain.reservations import Reservation
from app.domain.screenings import Screening
from app.domain.seats import Layout


class Cause(StrEnum):
    """Why a seat changed: somebody asked, time passed, or the house decided."""

    API = "api"
    EXPIRY = "expiry"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Held:
    """Seats are held; `created` is False when they already were."""

    reservation: Reservation
    created: bool = True


@dataclass(frozen=True, slots=True)
class Toggled:
    """Which seats became mine and which I gave back; the reservation that is left, if any."""

    reserved: tuple[int, ...]
    released: tuple[int, ...]
    reservation: Reservation | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A reservation as it is after a release or an extension."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReleasedAll:
    """The seats that were given back."""

    seat_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """Seats are sold; `created` is False when they already were."""

    booking: Booking
    created: bool = True


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A booking as it is after a cancellation."""

    booking: Booking


@dataclass(frozen=True, slots=True)
class Expired:
    """How many holds were tidied up."""

    count: int


Outcome = Held | Toggled | Kept | ReleasedAll | Booked | Cancelled | Expired


@dataclass(slots=True)
class Decision:
    """What a command changes: rows as they will be. A claim of None is gone. Nothing in it: nothing changes."""

    outcome: Outcome
    claims: dict[int, Claim | None] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)
    cause: Cause = Cause.API

    @property
    def changes_something(self) -> bool:
        return bool(self.claims or self.reservations or self.bookings)


@dataclass(slots=True)
class House:
    """One screening in the hands of the box office."""

    screening: Screening
    layout: Layout
    version: int
    claims: dict[int, Claim] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)

    @property
    def next_version(self) -> int:
        """The version that the next change gets: one command, one change."""
        return self.version + 1

    def claims_of(self, user_id: int, now: datetime) -> Iterator[Claim]:
        """The live claims of one user here, held and booked."""
        return (claim for claim in self.claims.values() if claim.user_id == user_id and claim.is_live(now))

    def held_by(self, user_id: int, now: datetime) -> list[Reservation]:
        """The reservations with which one user keeps seats at this moment, oldest first."""
        mine = (each for each in self.reservations.values() if each.user_id == user_id and each.is_holding(now))
        return sorted(mine, key=lambda each: (each.created_at, each.id))

    def reservation_of(self, user_id: int, reservation_id: UUID) -> Reservation:
        """Raises NotFound, also when it is somebody else's."""
        reservation = self.reservations.get(reservation_id)
        if reservation is None or reservation.user_id != user_id:
            raise NotFound("reservation")
        return reservation

    def apply(self, decision: Decision) -> None:
        """Take a decision in. The version grows by one if it changed something."""
        if not decision.changes_something:
            return
        self.version += 1
        for seat_id, claim in decision.claims.items():
            if claim is None:
                self.claims.pop(seat_id, None)
            else:
                self.claims[seat_id] = claim
        self.reservations.update(decision.reservations)
        self.bookings.update(decision.bookings)
