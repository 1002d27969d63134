"""What existing clients send, and the lists that they expect (docs/api.md, section 10)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Self
from uuid import UUID

import orjson
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from app.domain.money import Money
from app.domain.seat_maps.occupancy import Taken
from app.domain.seats import Seat, SeatStatus
from app.schemas.availability import status_for
from app.schemas.format.moments import moment
from app.schemas.format.money import money_json
from app.schemas.format.requests import Email, Id, Lenient, Uuid
from app.schemas.seats import NamesSeats


class SeatAtOnceIn(NamesSeats, Lenient):
    """One seat, of this screening or theater if one is named. Without a token, `email` is the new guest's."""

    screening_id: Id | None = None
    theater_id: Id | None = None
    email: Email | None = None


class ConfirmAsTheyDoIn(Lenient):
    """The reservation to confirm, or one of its seats and, if it may be one of several, the screening."""

    reservation_id: Uuid | None = None
    email: Email | None = None
    seat_id: Id | None = None
    screening_id: Id | None = None

    @property
    def one_reservation(self) -> UUID:
        """The reservation to confirm. Only call this if `seat_id` is None."""
        assert self.reservation_id is not None, "one of the two is there"  # noqa: S101 - for mypy; `_one_of_them` saw to it
        return self.reservation_id

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.reservation_id is None) is (self.seat_id is None):
            raise PydanticCustomError("confirm_what", "Send either reservation_id or seat_id, with the owner's token.")
        return self


class ToggleAsTheyDoIn(NamesSeats, Lenient):
    """A screening and the seats to toggle."""

    screening_id: Id


def bare_list_json(screening_id: int, seats: Iterable[Seat], prices: Mapping[str, Money]) -> bytes:
    """Free seats; `seat` is the label."""
    return orjson.dumps(
        [
            {
                "seat_id": seat.id,
                "seat": seat.label,
                "section": seat.section,
                "row": seat.row,
                "number": seat.number,
                "category": seat.category,
                "accessible": seat.accessible,
                "companion": seat.companion,
                "price": money_json(price) if (price := prices.get(seat.category)) else None,
                "status": SeatStatus.AVAILABLE,
                "screening_id": screening_id,
            }
            for seat in seats
        ]
    )


def personal_list_json(seats: Iterable[Seat], taken: Mapping[int, Taken], me: int, lost: Collection[int]) -> bytes:
    """All seats as the user `me` sees them. `lost` are the seats whose last change ended a hold of theirs."""
    return orjson.dumps([_personal(seat, taken.get(seat.id), me, seat.id in lost) for seat in seats])


def _personal(seat: Seat, claim: Taken | None, me: int, was_mine: bool) -> dict[str, object]:
    return {
        "seat": {"id": seat.id, "label": seat.label, "row": seat.row, "number": seat.number},
        "status": status_for(claim, me),
        "is_mine": claim is not None and claim.user_id == me,
        "expires_at": moment(claim.expires_at) if claim and claim.expires_at else None,
        "previously_reserved_by": me if was_mine and not (claim and claim.user_id == me) else None,
    }
