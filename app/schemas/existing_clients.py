"""Lists in the shapes that existing clients know (docs/api.md, section 10)."""

from collections.abc import Collection, Iterable, Mapping

import orjson

from app.domain.money import Money
from app.domain.seat_maps.occupancy import Taken
from app.domain.seats import Seat, SeatStatus
from app.schemas.availability import status_for
from app.schemas.format.moments import moment
from app.schemas.format.money import money_json


def bare_list_json(screening_id: int, seats: Iterable[Seat], prices: Mapping[str, Money]) -> bytes:
    """Free seats, with their labels in `seat`."""
    return orjson.dumps(
        [
            {
                "seat_id": seat.id,
                "seat": seat.label,
                "section": seat.section,
                "row": seat.row,
                "number": seat.number,
                "category": seat.category,
                "price": money_json(price) if (price := prices.get(seat.category)) else None,
                "status": SeatStatus.AVAILABLE,
                "screening_id": screening_id,
            }
            for seat in seats
        ]
    )


def personal_list_json(seats: Iterable[Seat], taken: Mapping[int, Taken], me: int, lost: Collection[int]) -> bytes:
    """All seats as one user sees them; `lost` are those whose last change took them from this user."""
    return orjson.dumps([_personal(seat, taken.get(seat.id), me, seat.id in lost) for seat in seats])


def _personal(seat: Seat, claim: Taken | None, me: int, was_mine: bool) -> dict[str, object]:
    return {
        "seat": {"id": seat.id, "label": seat.label, "row": seat.row, "number": seat.number},
        "status": status_for(claim, me),
        "is_mine": claim is not None and claim.user_id == me,
        "expires_at": moment(claim.expires_at) if claim and claim.expires_at else None,
        "previously_reserved_by": me if was_mine and not (claim and claim.user_id == me) else None,
    }
