"""What is true of every house at every moment."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.screening_state import ScreeningState
from app.domain.claims import ClaimStatus
from app.domain.payments import Payment
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seat_maps.occupancy import Seating, Taken
from app.domain.seats import SeatStatus
from app.domain.transfers import TransferStatus

ENDS = {ReservationStatus.BOOKED, ReservationStatus.RELEASED, ReservationStatus.EXPIRED}


def check_house(state: ScreeningState, now: datetime) -> None:
    """Everything that is true of a house by itself."""
    every_claim_is_whole(state)
    every_hold_has_exactly_its_claims(state)
    every_sale_has_exactly_its_claims(state)
    counts_add_up(state, now)
    nobody_has_more_than_allowed(state, now)
    usage_is_counted_right(state)
    money_adds_up(state)
    offers_are_of_what_is_there(state, now)


def money_adds_up(state: ScreeningState) -> None:
    """What was taken and does not go back is the price of what is sold, for each booking; nothing is taken else.

    Payments that came along with a transfer stand behind all bookings to which they came.
    """
    kept: Counter[UUID] = Counter()
    sold_for: Counter[UUID] = Counter()
    for payment in state.payments.values():
        assert payment.refunded_minor >= 0
        assert payment.refunding_minor >= 0
        assert payment.left_minor >= 0
        assert payment.is_open or payment.booking_id is not None or payment.left_minor == 0
    for booking in state.bookings.values():
        prices = booking.prices.values() if booking.status is BookingStatus.CONFIRMED else ()
        sold, behind, paid = sum(price.amount_minor for price in prices), state.payments_of(booking.id), booking.payment
        if behind:  # nobody paid in the tests that make bookings by hand
            assert paid.amount.amount_minor - paid.refunded_minor - paid.refunding_minor == sold
            assert sum(each.left_minor for each in behind) >= sold
            first = came_first(state, booking.id)
            sold_for[first] += sold
            kept[first] += sum(each.left_minor for each in behind if each.booking_id == booking.id)
    assert +kept == +sold_for
    paying = [each.id for each in state.reservations.values() if each.status is ReservationStatus.PAYING]
    for_them = [each.reservation_id for each in state.payments.values() if each.is_open]
    assert set(paying) <= set(for_them)
    assert len(for_them) == len(set(for_them))


def came_first(state: ScreeningState, booking_id: UUID) -> UUID:
    """The booking from which the seats of this one came at first, from hand to hand."""
    for transfer in state.transfers.values():
        if transfer.accepted_as == booking_id:
            return came_first(state, transfer.booking_id)
    return booking_id


def offers_are_of_what_is_there(state: ScreeningState, now: datetime) -> None:
    """A seat is offered once, by whom it belongs to; and what was accepted is in a booking of its own."""
    offered: list[int] = []
    for transfer in state.transfers.values():
        booking = state.bookings[transfer.booking_id]
        status = transfer.status_at(booking, state.screening, now)
        if status is TransferStatus.OFFERED:
            offered += transfer.seat_ids
            assert all(state.claims[seat_id].booking_id == booking.id for seat_id in transfer.seat_ids)
        if transfer.accepted_as is not None:
            taken = state.bookings[transfer.accepted_as]
            assert {*taken.prices, *taken.left} >= set(transfer.seat_ids)
            assert status is TransferStatus.ACCEPTED
    assert len(offered) == len(set(offered))


def every_claim_is_whole(state: ScreeningState) -> None:
    """A seat of this house, once; a hold has an end and a reservation, a sale a booking, and neither the other's."""
    for seat_id, claim in state.claims.items():
        assert claim.seat_id == seat_id
        assert seat_id in state.layout.by_id
        assert (claim.status is ClaimStatus.HELD) == (claim.expires_at is not None)
        assert (claim.status is ClaimStatus.BOOKED) == (claim.booking_id is not None)
        assert (claim.status is ClaimStatus.BLOCKED) == (claim.user_id is None)
        assert claim.status is not ClaimStatus.HELD or claim.reservation_id is not None


def every_hold_has_exactly_its_claims(state: ScreeningState) -> None:
    """The seats of a reservation that was not ended are those whose claims name it, until its end; no others do."""
    held = {
        seat_id: (claim.reservation_id, claim.user_id, claim.expires_at)
        for seat_id, claim in state.claims.items()
        if claim.status is ClaimStatus.HELD
    }
    holding = [each for each in state.reservations.values() if each.status not in ENDS]
    wanted = [(seat_id, (each.id, each.user_id, each.claims_end_at)) for each in holding for seat_id in each.prices]
    assert sorted(held) == sorted(seat_id for seat_id, _ in wanted)
    assert held == dict(wanted)
    for each in state.reservations.values():
        assert each.prices
        assert not each.prices.keys() & each.left.keys()
        assert (each.status is ReservationStatus.BOOKED) == (each.booking_id is not None)
        assert each.first_held_at <= each.created_at < each.expires_at


def every_sale_has_exactly_its_claims(state: ScreeningState) -> None:
    """The seats of a confirmed booking are those whose claims name it; a cancelled one has none."""
    sold = {
        seat_id: (claim.booking_id, claim.user_id)
        for seat_id, claim in state.claims.items()
        if claim.status is ClaimStatus.BOOKED
    }
    confirmed = [each for each in state.bookings.values() if each.status is BookingStatus.CONFIRMED]
    wanted = [(seat_id, (each.id, each.user_id)) for each in confirmed for seat_id in each.prices]
    assert sorted(sold) == sorted(seat_id for seat_id, _ in wanted)
    assert sold == dict(wanted)
    for each in state.bookings.values():
        assert each.prices
        assert not each.prices.keys() & each.left.keys()
        assert (each.status is BookingStatus.CANCELLED) == (each.cancelled_at is not None)


def counts_add_up(state: ScreeningState, now: datetime) -> None:
    """Available, reserved, booked and blocked seats are all the seats there are."""
    facts = (Taken(each.seat_id, each.seen_as, each.expires_at) for each in state.claims.values())
    taken = Seating(facts, now).taken
    counts = Counter(each.status for each in taken.values())
    available = sum(state.claims.get(seat.id) is None for seat in state.layout.seats)
    run_out = sum(not claim.is_live(now) for claim in state.claims.values())
    assert available + run_out + counts.total() == len(state.layout.seats)
    live = {claim.seat_id: claim for claim in state.claims.values() if claim.is_live(now)}
    assert {seat_id: each.status for seat_id, each in taken.items()} == {
        seat_id: claim.seen_as for seat_id, claim in live.items()
    }
    assert counts[SeatStatus.BOOKED] == sum(
        len(each.prices) for each in state.bookings.values() if each.status is BookingStatus.CONFIRMED
    )
    assert counts[SeatStatus.RESERVED] == sum(
        len(each.prices) for each in state.reservations.values() if each.is_holding(now)
    )


def nobody_has_more_than_allowed(state: ScreeningState, now: datetime) -> None:
    """Neither in one reservation or booking, nor altogether; and no hold goes past the cap of its first moment."""
    limits, screening = state.screening.limits, state.screening
    reservations, bookings = state.reservations.values(), state.bookings.values()
    papers: list[Reservation | Booking] = [*reservations, *bookings]
    assert all(_is_allowed(len(paper.prices), limits.max_seats_per_reservation) for paper in papers)
    # What is paid for to be exchanged is no seat more.
    exchanging = {each.reservation_id for each in state.payments.values() if each.is_open and _gives(each)}
    for buyer in {state.buyer(user_id) for user_id in state.usage}:
        theirs = [claim for user_id in buyer for claim in state.claims_of(user_id, now)]
        seats = [claim for claim in theirs if claim.reservation_id not in exchanging]
        holds = [each for each in reservations if each.user_id in buyer and each.is_holding(now)]
        standing = [each for each in bookings if each.user_id in buyer and each.status is BookingStatus.CONFIRMED]
        days = Counter(each.created_at.astimezone(state.timezone).date() for each in standing)
        assert _is_allowed(len(seats), limits.max_seats_per_user)
        assert _is_allowed(len(holds), limits.max_active_reservations_per_user)
        assert _is_allowed(max(days.values(), default=0), limits.bookings_per_user_per_day)
    # A payment that failed may have let it pass its cap, once; and the provider has as long as it has. It may stand in
    # another hold of the same buyer meanwhile.
    paid_for = {reservation_id for payment in state.payments.values() for reservation_id in _concerned(payment)}
    payers = {each.user_id for each in reservations if each.id in paid_for}
    for reservation in reservations:
        if reservation.user_id not in payers:
            assert reservation.expires_at <= screening.latest_end(reservation.first_held_at)


def usage_is_counted_right(state: ScreeningState) -> None:
    """What a buyer has, as the limits count it from command to command, is what the house has of theirs."""
    holding = [each for each in state.reservations.values() if each.status not in ENDS]
    for user_id, usage in state.usage.items():
        group = state.buyer(user_id)
        holds = [each for each in holding if each.user_id in group]
        sales = [each for each in state.bookings.values() if each.user_id in group]
        assert usage.holds == {each.id: each.claims_end_at for each in holds}
        assert usage.paying == {each.id for each in holds if each.status is ReservationStatus.PAYING}
        assert usage.bookings == {each.id: each.created_at for each in sales if each.status is BookingStatus.CONFIRMED}


def _concerned(payment: Payment) -> set[UUID | None]:
    """The reservations that were paid for, or seats of them."""
    returns = payment.plan.returns.values() if payment.plan else ()
    return {payment.reservation_id, *returns}


def _gives(payment: Payment) -> bool:
    return payment.plan is not None and payment.plan.giving is not None


def _is_allowed(count: int, allowed: int | None) -> bool:
    return allowed is None or count <= allowed
