"""Exchanges seats of a booking for as many others (docs/api.md, section 13).

Given seats count at what they were sold for, taken ones at the prices of the moment, held or not. Who has to pay more
gets the seats when that is paid; until then the booking is as it was.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.commands import AtOnce, Attempt, Exchange
from app.domain.box_office.finding import find, is_bound, must_leave_no_single
from app.domain.box_office.outcomes import Exchanged, Paying
from app.domain.box_office.sales.booking import UNDECIDED, refund
from app.domain.box_office.sales.entering_exchanges import exchanged
from app.domain.box_office.sales.paying import begin
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import Taking, held_first_at, look_around, make_way
from app.domain.money import Money
from app.domain.payments import Giving, Payment, PaymentState, Plan, RefundCause
from app.domain.refusals import (
    BookingCancelled,
    Flaw,
    Flawed,
    NotFound,
    PaymentPending,
    SeatsUnavailable,
    UnknownSeats,
)
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import Seat, SeatNames
from app.domain.values import value


def exchange(state: ScreeningState, command: Exchange, now: datetime) -> Decision:
    """Give seats of a booking and take others. If it has the taken ones for the given ones already: that booking. If
    just this is being paid for: that.

    Raises NotFound, ScreeningCancelled, BookingCancelled, PaymentPending, and Flawed unless as many other seats are
    taken; for all but organizers CancellationClosed and SalesClosed; UnknownSeats, SeatsUnavailable, LeavesSingleSeat,
    and what `find` raises.
    """
    booking = state.bookings.get(command.booking_id)
    if booking is None or not (booking.user_id == command.buyer.id or command.buyer.runs_the_house):
        raise NotFound("booking")
    state.screening.must_not_be_cancelled()
    give, take = _named(state, command)
    given = {seat.id for seat in give}
    if booking.status is BookingStatus.CANCELLED:
        raise BookingCancelled(ReservationStatus.BOOKED, booking.id)
    if take and given <= booking.left.keys() and {seat.id for seat in take} <= booking.prices.keys():
        return Decision(Exchanged(booking, is_new=False))
    if paying := _being_paid(state, booking, given, take):
        return Decision(paying)
    if gone := [seat.label for seat in give if seat.id not in booking.prices]:
        raise NotFound(f"seat in this booking ({', '.join(gone)})")
    if not command.buyer.runs_the_house:
        state.screening.must_be_cancellable(now)
        state.screening.must_be_on_sale(now)
    chosen = _choose(state, command, booking, given, take, now)
    return _decide(state, command, booking, {each: booking.prices[each] for each in sorted(given)}, chosen, now)


@value(frozen=True, slots=True)
class _Chosen:
    """Seats that may be taken, and what has to happen for them."""

    seats: tuple[Seat, ...]
    taking: Taking
    adjacent: bool | None
    looked_further: bool


def _named(state: ScreeningState, command: Exchange) -> tuple[tuple[Seat, ...], tuple[Seat, ...]]:
    """The seats to give and those to take; none, where there is a wish. Raises UnknownSeats with all; Flawed."""
    unknown: list[int | str] = []

    def find_all(names: SeatNames) -> tuple[Seat, ...]:
        try:
            return state.layout.find(names)
        except UnknownSeats as refusal:
            unknown.extend(refusal.unknown)
            return ()

    give, take = find_all(command.give), find_all(command.take)
    if unknown:
        raise UnknownSeats(tuple(dict.fromkeys(unknown)))
    count = len(take) if command.wish is None else command.wish.count
    if count != len(give):
        message = f"Take as many seats as you give: {len(give)}, not {count}."
        raise Flawed((Flaw(("take",), "exchange_count", message),))
    given = {seat.id for seat in give}
    if both := [seat.label for seat in take if seat.id in given]:
        message = f"The same seat is given and taken: {', '.join(both)}."
        raise Flawed((Flaw(("take",), "seat_twice", message),))
    return give, take


def _being_paid(
    state: ScreeningState, booking: Booking, given: Collection[int], take: Collection[Seat]
) -> Paying | None:
    """The same exchange, if it is being paid for. Raises PaymentPending if another one gives some of these seats."""
    for payment in state.payments.values():
        plan = payment.plan
        if plan is None or plan.giving is None or plan.giving.booking_id != booking.id or not payment.is_open:
            continue
        reservation = state.reservations.get(payment.reservation_id) if payment.reservation_id else None
        if reservation is None or reservation.status is not ReservationStatus.PAYING:
            continue
        is_taken = reservation.prices.keys() == {seat.id for seat in take} if take else plan.adjacent is not None
        if is_taken and plan.giving.prices.keys() == given:
            return Paying(reservation, payment)
        if not plan.giving.prices.keys().isdisjoint(given):
            raise PaymentPending(reservation.id)
    return None


def _choose(
    state: ScreeningState,
    command: Exchange,
    booking: Booking,
    given: Collection[int],
    take: tuple[Seat, ...],
    now: datetime,
) -> _Chosen:
    """The seats that are named, or found. They are free, or held by whose the booking is or by whoever asks."""
    found = None
    if command.wish is not None:
        found = find(state, command.wish, now, at_any_time=command.buyer.runs_the_house)
    seats = take if found is None else found.seats
    taking = _look_around(state, seats, dict.fromkeys((booking.user_id, command.buyer.id)), now)
    taking.must_not_be_paying()
    if taking.in_the_way:
        raise SeatsUnavailable(tuple(taking.in_the_way), wanted=tuple(seat.id for seat in seats))
    if rule_binds := found is None and is_bound(state, command.buyer):
        must_leave_no_single(state, seats, given)
    adjacent = None if found is None else found.adjacent
    return _Chosen(seats, taking, adjacent, rule_binds or found is not None)


def _look_around(state: ScreeningState, seats: Iterable[Seat], user_ids: Collection[int], now: datetime) -> Taking:
    """As `look_around`, for seats that any of these users may hold."""
    each = [look_around(state, seats, user_id, now) for user_id in user_ids]
    taking = each[0]
    for other in each[1:]:
        taking.mine |= other.mine
        taking.paying = taking.paying or other.paying
        in_both = {seat.seat_id for seat in other.in_the_way}
        taking.in_the_way = [seat for seat in taking.in_the_way if seat.seat_id in in_both]
    return taking


def _decide(
    state: ScreeningState,
    command: Exchange,
    booking: Booking,
    given: Mapping[int, Money],
    chosen: _Chosen,
    now: datetime,
) -> Decision:
    seats = sorted(chosen.seats, key=lambda seat: seat.id)
    taken = {seat.id: state.screening.price_of(seat.category) for seat in seats}
    more = sum(price.amount_minor for price in taken.values()) - sum(price.amount_minor for price in given.values())
    decision = Decision(UNDECIDED, cause=Cause.API if booking.user_id == command.buyer.id else Cause.STAFF)
    decision.looked_further = chosen.looked_further
    make_way(state, chosen.taking, decision)
    if more > 0 and isinstance(command.payment, Attempt):
        giving = Giving(booking.id, given)
        _begin(state, command, booking, giving, taken, chosen, decision, now)
        return decision
    after = exchanged(state, booking, given, taken, decision)
    if more > 0 and isinstance(command.payment, AtOnce):
        after = _pay_at_once(state, after, command.payment, more, decision, now)
    elif more < 0:
        after = refund(state, after, -more, RefundCause.EXCHANGED, decision)
    decision.bookings[after.id] = after
    decision.outcome = Exchanged(after, adjacent=chosen.adjacent)
    return decision


def _begin(
    state: ScreeningState,
    command: Exchange,
    booking: Booking,
    giving: Giving,
    taken: Mapping[int, Money],
    chosen: _Chosen,
    decision: Decision,
    now: datetime,
) -> None:
    """Enter that the difference is to be paid. Until then the taken seats are kept, and the given ones stay booked."""
    assert isinstance(command.payment, Attempt)  # noqa: S101 (whoever calls has asked)
    sums = [sum(price.amount_minor for price in prices.values()) for prices in (taken, giving.prices)]
    reservation = Reservation(
        id=command.reservation_id,
        user_id=booking.user_id,
        status=ReservationStatus.PAYING,
        prices=taken,
        created_at=now,
        first_held_at=held_first_at(state, chosen.seats, booking.user_id, chosen.taking, now),
        expires_at=now,
        version=state.next_version,
    )
    returns = {seat_id: held_id for held_id, seat_ids in chosen.taking.mine.items() for seat_id in seat_ids}
    attempt = command.payment
    plan = Plan(now, is_direct=True, returns=returns, adjacent=chosen.adjacent, key=attempt.key, giving=giving)
    # That nobody else has begun to pay for the same seats is seen in no row that is written here.
    decision.looked_further = True
    begin(reservation, Money(sums[0] - sums[1], state.screening.currency), attempt, plan, decision, now)


def _pay_at_once(
    state: ScreeningState, booking: Booking, charge: AtOnce, amount_minor: int, decision: Decision, now: datetime
) -> Booking:
    """Enter the payment of a difference by a charge that cannot fail. Returns the booking as it is then."""
    decision.payments[charge.payment_id] = Payment(
        id=charge.payment_id,
        user_id=booking.user_id,
        reservation_id=None,
        booking_id=booking.id,
        provider=charge.provider,
        reference=charge.reference,
        status=PaymentState.CAPTURED,
        amount=Money(amount_minor, state.screening.currency),
        captured_minor=amount_minor,
        created_at=now,
    )
    return booking.paying_more(amount_minor, charge.provider, charge.reference)
