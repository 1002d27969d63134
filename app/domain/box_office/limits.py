"""How much one buyer may take (docs/api.md, section 8). A limit of None is no limit.

Guests are counted by their email: `ScreeningState.same_buyer` says which users are one buyer. What a buyer has
elsewhere, in other screenings, is in their `Usage`; it is only known where a limit asks for it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from app.domain.box_office.screening_state import ScreeningState
from app.domain.refusals import LimitExceeded
from app.domain.seats import Seat


def within_reservation_limit(state: ScreeningState, wanted: int, current: int = 0, given_back: int = 0) -> None:
    """Raises LimitExceeded when a reservation or booking would have more seats than one may have."""
    allowed = state.screening.limits.max_seats_per_reservation
    if allowed is not None and current - given_back + wanted > allowed:
        raise LimitExceeded("max_seats_per_reservation", allowed, current)


def within_user_limit(
    state: ScreeningState, seats: Iterable[Seat], user_id: int, now: datetime, given_back: Collection[int] = ()
) -> None:
    """Raises LimitExceeded when the user would have more seats of this screening, held and booked, than allowed."""
    allowed = state.screening.limits.max_seats_per_user
    if allowed is None:
        return
    theirs = {claim.seat_id for one in state.buyer(user_id) for claim in state.claims_of(one, now)}
    if len(theirs.difference(given_back).union(seat.id for seat in seats)) > allowed:
        raise LimitExceeded("max_seats_per_user", allowed, len(theirs))


def within_active_limit(state: ScreeningState, user_id: int, now: datetime, ending: Collection[UUID] = ()) -> None:
    """Raises LimitExceeded when the user would have more holds at a time than allowed; `ending` are those it ends."""
    allowed = state.screening.limits.max_active_reservations_per_user
    if allowed is None:
        return
    live = {reservation_id for reservation_id, end in state.usage_of(user_id).holds.items() if end > now}
    if len(live.difference(ending)) + 1 > allowed:
        raise LimitExceeded("max_active_reservations_per_user", allowed, len(live))


def within_daily_limit(state: ScreeningState, user_id: int, now: datetime) -> None:
    """Raises LimitExceeded when the user has made as many bookings as allowed on this day of the theater."""
    allowed = state.screening.limits.bookings_per_user_per_day
    if allowed is None:
        return
    today = now.astimezone(state.timezone).date()
    made = state.usage_of(user_id).bookings.values()
    used = sum(at.astimezone(state.timezone).date() == today for at in made)
    if used + 1 > allowed:
        raise LimitExceeded("bookings_per_user_per_day", allowed, used)
