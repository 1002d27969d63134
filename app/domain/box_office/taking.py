"""Taking seats, by a hold or a booking: which claims are in the way, and which give way."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.refusals import PaymentPending, SeatInTheWay, SeatsUnavailable
from app.domain.reservations import ReservationStatus
from app.domain.seats import Seat

SHORTEST: Final = timedelta(seconds=10)
"""Nobody can do anything with a seat that is theirs for less, unless holds are so short here."""


@dataclass(slots=True)
class Taking:
    """What has to happen for the wanted seats.

    `in_the_way` are claims of others; `mine` the user's holds, each with the seats that it gives up; `run_out` holds
    that have run out but were not swept; `paying` is one of the user's reservations that is being paid for.
    """

    in_the_way: list[SeatInTheWay] = field(default_factory=list)
    mine: dict[UUID, set[int]] = field(default_factory=dict)
    run_out: set[UUID] = field(default_factory=set)
    paying: UUID | None = None

    def must_not_be_paying(self) -> None:
        """Raises PaymentPending if one of the seats is being paid for by the user."""
        if self.paying is not None:
            raise PaymentPending(self.paying)


def look_around(state: ScreeningState, seats: Iterable[Seat], user_id: int, now: datetime) -> Taking:
    """Which claims are in the way of these seats, and which give way. Changes nothing."""
    taking = Taking()
    for seat in seats:
        claim = state.claims.get(seat.id)
        if claim is None:
            continue
        if not claim.is_live(now):
            if claim.will_be_blocked:  # it is, but for the sweeper
                taking.in_the_way.append(_in_the_way(seat, Claim(seat.id, ClaimStatus.BLOCKED), user_id))
            else:
                taking.run_out.add(reservation_of(claim))
        elif claim.is_held_by(user_id):
            if state.reservations[reservation_of(claim)].status is ReservationStatus.PAYING:
                taking.paying = reservation_of(claim)
            taking.mine.setdefault(reservation_of(claim), set()).add(seat.id)
        else:
            taking.in_the_way.append(_in_the_way(seat, claim, user_id))
    return taking


def take(state: ScreeningState, seats: Iterable[Seat], user_id: int, now: datetime) -> Taking:
    """As `look_around`. Raises SeatsUnavailable with every seat that the user cannot have; PaymentPending."""
    taking = look_around(state, seats, user_id, now)
    taking.must_not_be_paying()
    if taking.in_the_way:
        mine = {seat_id for seat_ids in taking.mine.values() for seat_id in seat_ids}
        raise SeatsUnavailable(tuple(taking.in_the_way), wanted=tuple(seat.id for seat in seats if seat.id not in mine))
    return taking


def make_way(state: ScreeningState, taking: Taking, decision: Decision) -> None:
    """Enter what gives way: holds of the user lose the seats, or end. Run-out holds are expired as a whole."""
    for reservation_id, seat_ids in taking.mine.items():
        older = state.reservations[reservation_id]
        decision.reservations[reservation_id] = older.without(frozenset(seat_ids), state.next_version)
    for reservation_id in taking.run_out:
        expire(state, reservation_id, decision)


def expire(state: ScreeningState, reservation_id: UUID, decision: Decision) -> None:
    """Enter that a hold has run out, and free the seats that it still has."""
    over = state.reservations[reservation_id]
    decision.reservations[reservation_id] = over.ended(ReservationStatus.EXPIRED, state.next_version)
    for seat_id in over.prices:
        decision.claims[seat_id] = None


def prices_for(state: ScreeningState, seats: Iterable[Seat], taking: Taking) -> dict[int, Money]:
    """The price of each seat, by id in ascending order. Seats that the user holds keep the price of the hold."""
    agreed: dict[int, Money] = {}
    for reservation_id, seat_ids in taking.mine.items():
        older = state.reservations[reservation_id]
        agreed.update((seat_id, older.prices[seat_id]) for seat_id in seat_ids)
    prices = {seat.id: agreed.get(seat.id) or state.screening.price_of(seat.category) for seat in seats}
    return dict(sorted(prices.items())) if len(prices) > 1 else prices


def held_first_at(
    state: ScreeningState, seats: Iterable[Seat], user_id: int, taking: Taking, now: datetime
) -> datetime:
    """When the earliest of the user's holds with these seats began (UTC): holding them again does not move the cap.

    That goes on for as long as a hold may last after the last of them ended, by a release or by itself.
    """
    if not (taking.mine or taking.run_out or state.lapses):
        return now
    recent = now - state.screening.longest_hold
    over = (state.reservations[each] for each in taking.run_out)
    lapses = (lapse for seat in seats for lapse in state.lapses.get((user_id, seat.id), ()))
    began = [
        *(state.reservations[each].first_held_at for each in taking.mine),
        *(each.first_held_at for each in over if each.user_id == user_id and each.expires_at > recent),
        *(lapse.first_held_at for lapse in lapses if lapse.ended_at > recent),
    ]
    return min(began, default=now)


def worn_out(state: ScreeningState, user_id: int, now: datetime) -> list[int]:
    """The seats that the user has held before, for so long that the cap leaves next to no time: their ids."""
    if not state.lapses:
        return []
    held_before = {seat_id for owner_id, seat_id in state.lapses if owner_id == user_id}
    seats = [seat for seat_id in sorted(held_before) if (seat := state.layout.by_id.get(seat_id))]
    began = {seat.id: held_first_at(state, (seat,), user_id, Taking(), now) for seat in seats}
    end = now + shortest(state)
    return [seat_id for seat_id, first in began.items() if state.screening.hold_ends(first, now) < end]


def shortest(state: ScreeningState) -> timedelta:
    """A hold that would be shorter is refused."""
    return min(SHORTEST, state.screening.hold_time)


def ends_with(state: ScreeningState, taking: Taking) -> frozenset[UUID]:
    """The user's holds that end because they lose all of their seats."""
    if not taking.mine:
        return frozenset()
    return frozenset(
        reservation_id
        for reservation_id, seat_ids in taking.mine.items()
        if seat_ids >= state.reservations[reservation_id].prices.keys()
    )


def reservation_of(claim: Claim) -> UUID:
    """The reservation of a held seat's claim."""
    assert claim.reservation_id is not None  # noqa: S101 (the constraint a_hold_has_a_reservation says so)
    return claim.reservation_id


def _in_the_way(seat: Seat, claim: Claim, user_id: int) -> SeatInTheWay:
    if claim.status is ClaimStatus.BLOCKED:
        reason = "This seat is blocked: it is not on sale."
    elif claim.status is ClaimStatus.BOOKED:
        reason = "You have already booked this seat." if claim.user_id == user_id else "This seat is sold."
    else:
        reason = "Somebody else is holding this seat."
    return SeatInTheWay(seat.id, seat.label, claim.seen_as, reason)
