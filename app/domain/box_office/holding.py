"""Holds seats for a few minutes, toggles seats, and extends holds."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.box_office.commands import Check, Extend, Hold, Toggle
from app.domain.box_office.finding import find_to_hold, is_bound, must_leave_no_single
from app.domain.box_office.limits import (
    must_not_pause,
    note_address,
    within_active_limit,
    within_address_limit,
    within_reservation_limit,
    within_user_limit,
)
from app.domain.box_office.outcomes import Checked, Held, Kept, Toggled
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.box_office.taking import (
    Taking,
    ends_with,
    held_first_at,
    look_around,
    make_way,
    prices_for,
    shortest,
    take,
)
from app.domain.box_office.taking_again import seats_left, take_again
from app.domain.claims import Claim, ClaimStatus
from app.domain.people.people import Person
from app.domain.refusals import ExtensionLimit, ReservationBooked, ReservationEnded, SeatsUnavailable
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import Seat

_NOBODY: Final = 0


def hold(state: ScreeningState, command: Hold, now: datetime) -> Decision:
    """Hold all of the seats for the screening's hold time, or none.

    If the buyer holds exactly these together already: that reservation, unchanged and not extended. Raises
    SeatsUnavailable, UnknownSeats, LimitExceeded, SalesClosed; ExtensionLimit if the cap leaves next to no time;
    HeldTooOften; LeavesSingleSeat; PaymentPending; and what `find` raises, where no seats are named.
    """
    user_id = command.buyer.id
    found = None if command.wish is None else find_to_hold(state, command.wish, user_id, command.address, now)
    seats = state.layout.find(command.seats) if found is None else found.seats
    taking = look_around(state, seats, user_id, now)
    if already := _held_together(state, seats, taking):
        return Decision(Held(already, created=False))
    taking.must_not_be_paying()
    state.screening.must_be_on_sale(now)
    within_reservation_limit(state, len(seats))
    if taking.in_the_way:
        raise SeatsUnavailable(tuple(taking.in_the_way), wanted=tuple(seat.id for seat in seats))
    within_user_limit(state, seats, user_id, now)
    within_active_limit(state, user_id, now, ends_with(state, taking))
    within_address_limit(state, command.address, seats, now)
    mine = {seat_id for seat_ids in taking.mine.values() for seat_id in seat_ids}
    must_not_pause(state, command.address, seats, now, mine)
    if rule_binds := found is None and is_bound(state, command.buyer):
        must_leave_no_single(state, seats)
    reservation = _new_reservation(state, command.reservation_id, user_id, seats, taking, now)
    if reservation.first_held_at < now:
        _must_be_worth_it(state, reservation, now)
        _must_not_outlive(state, [seat for seat in seats if seat.id not in mine], taking, reservation, now)
    decision = Decision(Held(reservation, adjacent=None if found is None else found.adjacent))
    decision.looked_further = rule_binds or found is not None
    make_way(state, taking, decision)
    _keep(reservation, decision)
    note_address(state, command.address, reservation, decision, seats, now, mine)
    return decision


def check(state: ScreeningState, command: Check, now: datetime) -> Decision:
    """Could the seats be held? Nothing changes. Raises what `hold` raises."""
    buyer = command.buyer or Person(_NOBODY)
    held = hold(state, Hold(buyer, command.seats, UUID(int=0), command.address), now).outcome
    assert isinstance(held, Held)  # noqa: S101 (as `hold` says)
    return Decision(Checked(held.reservation.prices))


def toggle(state: ScreeningState, command: Toggle, now: datetime) -> Decision:
    """Release those of the seats that the buyer holds, and hold the others.

    New seats join the buyer's newest hold in the screening, which is extended. Raises as `hold`; SeatsUnavailable
    also for a seat that the buyer has booked.
    """
    user_id = command.buyer.id
    seats = state.layout.find(command.seats)
    taking = take(state, seats, user_id, now)
    given_back = {seat_id for seat_ids in taking.mine.values() for seat_id in seat_ids}
    added = [seat for seat in seats if seat.id not in given_back]
    newest = next(reversed(state.held_by(user_id, now)), None)
    decision = Decision(Toggled((), (), None))
    make_way(state, taking, decision)
    for seat_id in given_back:
        decision.claims[seat_id] = None
    if added:
        state.screening.must_be_on_sale(now)
        # What is given back is no part of what is taken, but what ran out may be.
        _join(state, command, added, given_back, decision, newest, Taking(run_out=taking.run_out), now)
        if is_bound(state, command.buyer):
            must_leave_no_single(state, added)
    after = {each.id: each for each in state.held_by(user_id, now)} | decision.reservations
    mine = [each for each in after.values() if each.user_id == user_id and each.is_holding(now)]
    decision.outcome = Toggled(
        tuple(seat.id for seat in added),
        tuple(seat.id for seat in seats if seat.id in given_back),
        max(mine, key=lambda each: (each.created_at, each.id), default=None),
    )
    return decision


def extend(state: ScreeningState, command: Extend, now: datetime) -> Decision:
    """Let the hold last for a full hold time from now. A hold that has run out is taken again if its seats are free.

    If it would not end later (two extensions at the same moment), it stays as it is. Raises ReservationEnded,
    PaymentPending, SalesClosed, LimitExceeded, HeldTooOften, ExtensionLimit, and what `take_again` raises.
    """
    reservation = state.reservation_of(command.buyer.id, command.reservation_id)
    if reservation.booking_id is not None:
        raise ReservationBooked(reservation.status, reservation.booking_id)
    if reservation.status is ReservationStatus.RELEASED:
        raise ReservationEnded(reservation.status)
    reservation.must_not_be_paying()
    state.screening.must_be_on_sale(now)
    decision = Decision(Kept(reservation))
    again: list[Seat] = []
    if not reservation.is_holding(now):
        again = seats_left(state, reservation)
        within_user_limit(state, again, reservation.user_id, now)
        within_address_limit(state, command.address, again, now)
        must_not_pause(state, command.address, again, now)
        taking = take_again(state, reservation, decision, now)
        within_active_limit(state, reservation.user_id, now, ends_with(state, taking))
    latest = state.screening.latest_end(reservation.first_held_at)
    if latest <= max(now, reservation.expires_at):
        raise ExtensionLimit(max(latest, reservation.expires_at))
    expires_at = state.screening.hold_ends(reservation.first_held_at, now)
    if expires_at <= reservation.expires_at:
        return decision
    renewed = replace(reservation, status=ReservationStatus.HELD, expires_at=expires_at, version=state.next_version)
    _keep(renewed, decision)
    note_address(state, command.address, renewed, decision, again, now)
    decision.outcome = Kept(renewed)
    return decision


def _held_together(state: ScreeningState, seats: tuple[Seat, ...], taking: Taking) -> Reservation | None:
    if len(taking.mine) != 1:
        return None
    (reservation_id,) = taking.mine
    reservation = state.reservations[reservation_id]
    return reservation if reservation.prices.keys() == {seat.id for seat in seats} else None


def _new_reservation(
    state: ScreeningState, reservation_id: UUID, user_id: int, seats: Iterable[Seat], taking: Taking, now: datetime
) -> Reservation:
    seats = tuple(seats)
    first_held_at = held_first_at(state, seats, user_id, taking, now)
    # What was agreed stays so, even if the organizer shortened the hold times since.
    agreed = min((state.reservations[each].expires_at for each in taking.mine), default=now)
    return Reservation(
        id=reservation_id,
        user_id=user_id,
        status=ReservationStatus.HELD,
        prices=prices_for(state, seats, taking),
        created_at=now,
        first_held_at=first_held_at,
        expires_at=max(state.screening.hold_ends(first_held_at, now), agreed),
        version=state.next_version,
    )


def _join(
    state: ScreeningState,
    command: Toggle,
    added: list[Seat],
    given_back: set[int],
    decision: Decision,
    newest: Reservation | None,
    taking: Taking,
    now: datetime,
) -> None:
    """Add the seats to the newest hold as it is after the release, or to a new one."""
    user_id = command.buyer.id
    within_user_limit(state, added, user_id, now, given_back)
    within_address_limit(state, command.address, added, now, given_back)
    must_not_pause(state, command.address, added, now)
    if newest is None:
        within_reservation_limit(state, len(added))
        within_active_limit(state, user_id, now)
        fresh = _new_reservation(state, command.reservation_id, user_id, added, taking, now)
        if fresh.first_held_at < now:
            _must_be_worth_it(state, fresh, now)
        _keep(fresh, decision)
        note_address(state, command.address, fresh, decision, added, now)
        return
    kept = {seat_id: price for seat_id, price in newest.prices.items() if seat_id not in given_back}
    within_reservation_limit(state, len(added), len(newest.prices), len(newest.prices) - len(kept))
    prices = dict(sorted((kept | prices_for(state, added, Taking())).items()))
    first_held_at = min(newest.first_held_at, held_first_at(state, added, user_id, taking, now))
    joined = replace(
        newest,
        prices=prices,
        first_held_at=first_held_at,
        left={seat_id: price for seat_id, price in {**newest.left, **newest.prices}.items() if seat_id not in prices},
        expires_at=max(state.screening.hold_ends(first_held_at, now), newest.expires_at),
        version=state.next_version,
    )
    _must_be_worth_it(state, joined, now)
    _must_not_outlive(state, added, taking, joined, now)
    _keep(joined, decision)
    note_address(state, command.address, joined, decision, added, now)


def _must_be_worth_it(state: ScreeningState, reservation: Reservation, now: datetime) -> None:
    """Raises ExtensionLimit if seats would be added to what ends, by its cap, in a moment."""
    if reservation.expires_at - now < shortest(state):
        latest = state.screening.latest_end(reservation.first_held_at)
        raise ExtensionLimit(max(latest, reservation.expires_at) if reservation.expires_at > now else latest)


def _must_not_outlive(
    state: ScreeningState, added: Iterable[Seat], taking: Taking, reservation: Reservation, now: datetime
) -> None:
    """Raises ExtensionLimit if seats whose own cap still counts would join what ends after that."""
    first_held_at = held_first_at(state, added, reservation.user_id, Taking(run_out=taking.run_out), now)
    latest = state.screening.latest_end(first_held_at)
    if first_held_at < now and latest < reservation.expires_at:
        raise ExtensionLimit(latest)


def _keep(reservation: Reservation, decision: Decision) -> None:
    """Enter the reservation, and a claim for each of its seats."""
    decision.reservations[reservation.id] = reservation
    for seat_id in reservation.prices:
        decision.claims[seat_id] = Claim(
            seat_id, ClaimStatus.HELD, reservation.user_id, reservation.id, expires_at=reservation.expires_at
        )
