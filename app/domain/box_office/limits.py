"""The limits of one buyer (docs/api.md, section 8). None is no limit.

Users with the same email are one buyer: see `ScreeningState.same_buyer`. What a buyer has in other screenings is in
their `Usage`, which is only read if a limit needs it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final
from uuid import UUID

from app.domain.box_office.addresses import NETWORK_FACTOR, Address, HeldFrom, KeptSeat
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.refusals import Flaw, Flawed, HeldTooOften, LimitExceeded
from app.domain.reservations import Reservation
from app.domain.seats import Seat

EMAIL_NEEDED: Final = Flaw(
    (),
    "email_needed",
    "There are limits for each buyer here, so an email is needed. "
    "Send it to POST /auth/guest, and use the access_token of the answer; or sign in",
)


def within_reservation_limit(state: ScreeningState, wanted: int, current: int = 0, given_back: int = 0) -> None:
    """Raises LimitExceeded if a reservation or booking would have more seats than allowed."""
    allowed = state.screening.limits.max_seats_per_reservation
    if allowed is not None and current - given_back + wanted > allowed:
        raise LimitExceeded("max_seats_per_reservation", allowed, current)


def within_user_limit(
    state: ScreeningState, seats: Iterable[Seat], user_id: int, now: datetime, given_back: Collection[int] = ()
) -> None:
    """Raises LimitExceeded if the buyer would have more seats of this screening than allowed, held and booked.

    Raises Flawed if a limit of the screening counts buyers by email, and has none of this one.
    """
    _must_be_known(state, user_id)
    allowed = state.screening.limits.max_seats_per_user
    if allowed is None:
        return
    theirs = {claim.seat_id for one in state.buyer(user_id) for claim in state.claims_of(one, now)}
    if len(theirs.difference(given_back).union(seat.id for seat in seats)) > allowed:
        raise LimitExceeded("max_seats_per_user", allowed, len(theirs))


def within_active_limit(state: ScreeningState, user_id: int, now: datetime, ending: Collection[UUID] = ()) -> None:
    """Raises LimitExceeded if the buyer would have more holds than allowed.

    `ending` are holds that end by this command.
    """
    allowed = state.screening.limits.max_active_reservations_per_user
    if allowed is None:
        return
    live = {reservation_id for reservation_id, end in state.usage_of(user_id).holds.items() if end > now}
    if len(live.difference(ending)) + 1 > allowed:
        raise LimitExceeded("max_active_reservations_per_user", allowed, len(live))


def within_address_limit(
    state: ScreeningState,
    address: Address | None,
    seats: Iterable[Seat],
    now: datetime,
    given_back: Collection[int] = (),
) -> None:
    """Raises LimitExceeded if more seats of this screening would be held from an address, or network, than allowed.

    Only holds of callers without an account count. None: nothing is counted.
    """
    if address is None:
        return
    here, nearby = _held_there(state, address, now)
    wanted = {seat.id for seat in seats}
    for held, allowed in ((here, address.allowed), (nearby, address.allowed * NETWORK_FACTOR)):
        if len(held.difference(given_back) | wanted) > allowed:
            raise LimitExceeded("anonymous_holds_per_address", allowed, len(held))


def paused(state: ScreeningState, address: Address | None, now: datetime) -> dict[int, timedelta]:
    """The seats (ids) that were kept from an address for too long, and until lately: for how long they pause yet."""
    if address is None or not state.kept_seats:
        return {}
    waits = {
        seat_id: kept.free_again(state.screening) - now
        for (kept_from, seat_id), kept in state.kept_seats.items()
        if kept_from == address.address
    }
    return {seat_id: wait for seat_id, wait in waits.items() if wait > timedelta()}


def must_not_pause(
    state: ScreeningState, address: Address | None, seats: Iterable[Seat], now: datetime, mine: Collection[int] = ()
) -> None:
    """Raises HeldTooOften if any of the seats pauses for this address.

    `mine` are seats that the caller holds: they are not taken again. An address of None: nothing is counted.
    """
    if address is None or not (pausing := paused(state, address, now)):
        return
    waits = {seat.label: pausing[seat.id] for seat in seats if seat.id in pausing and seat.id not in mine}
    if waits:
        here, _ = _held_there(state, address, now)
        seconds = -(-max(waits.values()) // timedelta(seconds=1))
        raise HeldTooOften("anonymous_holds_per_address", address.allowed, len(here), tuple(waits), seconds)


def note_address(
    state: ScreeningState,
    address: Address | None,
    reservation: Reservation,
    decision: Decision,
    taken: Iterable[Seat],
    now: datetime,
    mine: Collection[int] = (),
) -> None:
    """Enter from where the reservation is held, and how the seats `taken` are kept from there. None: it is not counted.

    Of them `mine` (ids) only move into it. None are taken where it is paid for: no pause stands in the way of that. All
    was counted by what others hold: none of that may change meanwhile.
    """
    if address is None:
        return
    decision.held_from[reservation.id] = HeldFrom(address.address, address.network)
    decision.looked_further = True
    for seat in taken:
        place = address.address, seat.id
        last = state.kept_seats.get(place)
        if last is not None and seat.id in mine:
            before, began_at = last.before, last.began_at
        else:
            before, began_at = last.counted(state.screening, now) if last else timedelta(), now
        decision.kept_seats[place] = KeptSeat(reservation.id, before, began_at, reservation.expires_at)


def _held_there(state: ScreeningState, address: Address, now: datetime) -> tuple[set[int], set[int]]:
    """The seats that callers without an account hold from this address, and from its network."""
    here: set[int] = set()
    nearby: set[int] = set()
    for reservation_id, where in state.held_from.items():
        reservation = state.reservations[reservation_id]
        if where.network == address.network and reservation.is_holding(now):
            nearby.update(reservation.prices)
            if where.address == address.address:
                here.update(reservation.prices)
    return here, nearby


def within_daily_limit(state: ScreeningState, user_id: int, now: datetime) -> None:
    """Raises LimitExceeded if the buyer has used up the bookings of this day, in the theater's time zone.

    What is being paid for counts as a booking of today. Raises Flawed as `within_user_limit` does.
    """
    allowed = state.screening.limits.bookings_per_user_per_day
    if allowed is None:
        return
    _must_be_known(state, user_id)
    usage = state.usage_of(user_id)
    used = made_today(usage.bookings.values(), state.timezone, now) + len(usage.paying)
    if used + 1 > allowed:
        raise LimitExceeded("bookings_per_user_per_day", allowed, used)


def made_today(made: Iterable[datetime], timezone: tzinfo, now: datetime) -> int:
    """How many of these bookings were made on the day that it is now in the theater's time zone."""
    today = now.astimezone(timezone).date()
    return sum(at.astimezone(timezone).date() == today for at in made)


def _must_be_known(state: ScreeningState, user_id: int) -> None:
    if user_id in state.nameless:
        raise Flawed((EMAIL_NEEDED,))
