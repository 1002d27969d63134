"""Pays for seats, where the provider decides: what begins, and what follows when it has decided.

While a reservation is paying, its seats are nobody else's, and no time ends that: only a decision about its payment.
Money that comes when nothing can be booked for it any more goes back by itself.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from app.domain.bookings import Paid
from app.domain.box_office.commands import Attempt, BeginBuying, BeginPaying, Said, Settle
from app.domain.box_office.limits import note_address, within_address_limit
from app.domain.box_office.outcomes import Booked, Exchanged, GaveUp, Outcome, Paying
from app.domain.box_office.sales.booking import (
    UNDECIDED,
    already_bought,
    choose_to_book,
    enter,
    may_be_booked,
    new_booking,
    payment_at_once,
    sell,
)
from app.domain.box_office.sales.entering_exchanges import enter_paid_exchange, still_gives
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.box_office.taking import held_first_at, make_way, prices_for
from app.domain.box_office.taking_again import seats_left
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money, total
from app.domain.payments import Entry, EntryKind, Payment, PaymentState, Plan, Refund, RefundCause
from app.domain.refusals import NotFound
from app.domain.reservations import Reservation, ReservationStatus

GRACE: Final = timedelta(minutes=1)
"""So long a hold lasts at least after a payment for it has failed."""


def begin_paying(state: ScreeningState, command: BeginPaying, now: datetime) -> Decision:
    """Keep the seats of a reservation until its payment is decided. What costs nothing is booked at once.

    If it is booked already: that booking. If it is being paid for: that. Raises what `confirm` raises; LimitExceeded
    also if a hold that ran out would be more than is held and unpaid from one address.
    """
    reservation = state.reservation_of(command.buyer.id, command.reservation_id)
    if already := already_bought(state, reservation):
        return already
    attempt = command.attempt
    decision = Decision(UNDECIDED)
    may_be_booked(state, reservation, decision, now)
    if not any(price.amount_minor for price in reservation.prices.values()):
        sell(state, decision, reservation, attempt.booking_id, (attempt.provider, ""), now)
        return decision
    plan = Plan(held_until=reservation.expires_at, key=attempt.key)
    amount = total(reservation.prices.values(), state.screening.currency)
    if not reservation.is_holding(now):
        within_address_limit(state, command.address, seats_left(state, reservation), now)
        note_address(state, command.address, reservation, decision, (), now)
    begin(replace(reservation, version=state.next_version), amount, attempt, plan, decision, now)
    return decision


def begin_buying(state: ScreeningState, command: BeginBuying, now: datetime) -> Decision:
    """Keep these seats in a reservation of their own until the payment is decided. What costs nothing is booked.

    Raises what `book` raises; and LimitExceeded if that would be more than is held and unpaid from one address.
    """
    chosen = choose_to_book(state, command, now)
    if isinstance(chosen, Decision):
        return chosen
    attempt, user_id = command.attempt, command.buyer.id
    prices = prices_for(state, chosen.seats, chosen.taking)
    decision = Decision(UNDECIDED)
    decision.looked_further = chosen.looked_further
    make_way(state, chosen.taking, decision)
    if not any(price.amount_minor for price in prices.values()):
        booking = new_booking(state, attempt.booking_id, user_id, None, prices, (attempt.provider, ""), now)
        enter(booking, decision)
        decision.payments[booking.id] = payment_at_once(booking, now)
        decision.outcome = Booked(booking, adjacent=chosen.adjacent)
        return decision
    reservation = Reservation(
        id=command.reservation_id,
        user_id=user_id,
        status=ReservationStatus.PAYING,
        prices=prices,
        created_at=now,
        first_held_at=held_first_at(state, chosen.seats, user_id, chosen.taking, now),
        expires_at=now,
        version=state.next_version,
    )
    within_address_limit(state, command.address, chosen.seats, now)
    note_address(state, command.address, reservation, decision, (), now)
    returns = {seat_id: held_id for held_id, seat_ids in chosen.taking.mine.items() for seat_id in seat_ids}
    plan = Plan(held_until=now, is_direct=True, returns=returns, adjacent=chosen.adjacent, key=attempt.key)
    begin(reservation, total(prices.values(), state.screening.currency), attempt, plan, decision, now)
    return decision


def settle(state: ScreeningState, command: Settle, now: datetime) -> Decision:
    """Do what follows from what the provider says. Said again, it changes nothing.

    Captured: the seats are booked or exchanged, if they are kept for this payment, and the booking still has those that
    are given. Else, or if it is not what was to be paid, all of it goes back. Failed or voided: the hold goes on, for a
    minute at least. Raises NotFound.
    """
    payment = state.payments.get(command.payment.id)
    if payment is None:
        raise NotFound("payment")
    match command.said.status:
        case PaymentState.CAPTURED:
            return _captured(state, payment, command, now)
        case PaymentState.FAILED | PaymentState.VOIDED:
            return _failed(state, payment, command.said, now)
        case _:
            return _noted(state, payment, command.said, now)


def begin(
    reservation: Reservation, amount: Money, attempt: Attempt, plan: Plan, decision: Decision, now: datetime
) -> None:
    """Enter that the reservation is paying so much, and its payment."""
    deadline = now + timedelta(seconds=attempt.deadline_seconds)
    paying = replace(reservation, status=ReservationStatus.PAYING, expires_at=deadline)
    payment = Payment(
        id=attempt.payment_id,
        user_id=reservation.user_id,
        reservation_id=reservation.id,
        provider=attempt.provider,
        reference=attempt.reference,
        status=PaymentState.PENDING,
        amount=amount,
        created_at=now,
        deadline=deadline,
        ask_at=now + timedelta(seconds=attempt.ask_after_seconds),
        plan=plan,
    )
    _keep(paying, decision)
    decision.payments[payment.id] = payment
    decision.outcome = Paying(paying, payment, begun=True)


def _captured(state: ScreeningState, payment: Payment, command: Settle, now: datetime) -> Decision:
    said = command.said
    if payment.status is PaymentState.CAPTURED:
        return Decision(_standing(state, payment, now))
    is_right = said.amount == payment.amount
    reservation = _kept_for(state, payment)
    taken = replace(
        payment,
        status=PaymentState.CAPTURED,
        amount=said.amount,
        captured_minor=said.amount.amount_minor,
        reference=said.reference or payment.reference,
    )
    decision = Decision(UNDECIDED)
    decision.entries.append(Entry(payment.id, payment.id, EntryKind.CAPTURE, said.amount, taken.reference))
    if reservation is not None and is_right and state.screening.cancelled_at is None:
        giving = payment.plan.giving if payment.plan else None
        if giving is None:
            _book(state, reservation, taken, command.booking_id, decision, now)
            return decision
        if booking := still_gives(state, giving, reservation.user_id):
            enter_paid_exchange(state, booking, giving, reservation, taken, decision)
            return decision
    expires_at = _give_up(state, reservation, payment, decision, now) if reservation else None
    if not is_right:
        cause = RefundCause.WRONG_AMOUNT
    elif state.screening.cancelled_at is not None:
        cause = RefundCause.SCREENING_CANCELLED
    else:
        cause = RefundCause.TOO_LATE
    if said.amount.amount_minor > 0:
        decision.refunds.append(Refund(uuid5(payment.id, "all of it"), payment.id, None, said.amount, cause))
    decision.payments[payment.id] = taken.giving_back(said.amount.amount_minor, cause)
    decision.outcome = GaveUp(decision.payments[payment.id], expires_at)
    return decision


def _failed(state: ScreeningState, payment: Payment, said: Said, now: datetime) -> Decision:
    if not payment.is_open:
        return Decision(_standing(state, payment, now))
    kind = EntryKind.FAIL if said.status is PaymentState.FAILED else EntryKind.VOID
    over = replace(
        payment,
        status=said.status,
        reference=said.reference or payment.reference,
        decline_reason=said.decline_reason,
    )
    decision = Decision(UNDECIDED)
    decision.payments[payment.id] = over
    decision.entries.append(Entry(uuid5(payment.id, kind), payment.id, kind, payment.amount, over.reference))
    reservation = _kept_for(state, payment)
    expires_at = _give_up(state, reservation, payment, decision, now) if reservation else None
    decision.outcome = GaveUp(over, expires_at)
    return decision


def _noted(state: ScreeningState, payment: Payment, said: Said, now: datetime) -> Decision:
    """The provider has not decided; perhaps it says where the payer has to go."""
    decision = Decision(_standing(state, payment, now))
    noted = replace(
        payment,
        status=said.status,
        reference=said.reference or payment.reference,
        redirect_url=said.redirect_url or payment.redirect_url,
        client_secret=said.client_secret or payment.client_secret,
    )
    if not payment.is_open or noted == payment:
        return decision
    decision.payments[payment.id] = noted
    if isinstance(decision.outcome, Paying):
        decision.outcome = replace(decision.outcome, payment=noted)
    return decision


def _standing(state: ScreeningState, payment: Payment, now: datetime) -> Outcome:
    """What became of a payment so far, as it is told to whoever pays: others may have heard of it before."""
    if payment.booking_id is not None and (booking := state.bookings.get(payment.booking_id)):
        plan = payment.plan or Plan(held_until=now)
        return (Exchanged if plan.giving else Booked)(booking, adjacent=plan.adjacent)
    if reservation := _kept_for(state, payment):
        return Paying(reservation, payment)
    its_holds = {payment.reservation_id, *(payment.plan.returns.values() if payment.plan else ())}
    found = [state.reservations[each] for each in its_holds if each in state.reservations]
    ends = [each.expires_at for each in found if each.status_at(now) is ReservationStatus.HELD]
    return GaveUp(payment, min(ends, default=None))


def _kept_for(state: ScreeningState, payment: Payment) -> Reservation | None:
    """The reservation whose seats are kept for this payment; None: they are not any more."""
    reservation = state.reservations.get(payment.reservation_id) if payment.reservation_id and payment.is_open else None
    is_kept = reservation is not None and reservation.status is ReservationStatus.PAYING
    return reservation if is_kept else None


def _book(
    state: ScreeningState,
    reservation: Reservation,
    taken: Payment,
    booking_id: UUID,
    decision: Decision,
    now: datetime,
) -> None:
    paid_with = taken.provider, taken.reference or ""
    booking = new_booking(state, booking_id, reservation.user_id, reservation.id, reservation.prices, paid_with, now)
    booking = replace(booking, payment=Paid(taken.provider, taken.reference or "", taken.amount))
    decision.reservations[reservation.id] = reservation.ended(
        ReservationStatus.BOOKED, state.next_version, booking_id=booking.id
    )
    enter(booking, decision)
    decision.payments[taken.id] = replace(taken, booking_id=booking.id)
    decision.outcome = Booked(booking, adjacent=taken.plan.adjacent if taken.plan else None)


def _give_up(
    state: ScreeningState, paying: Reservation, payment: Payment, decision: Decision, now: datetime
) -> datetime | None:
    """Enter that nothing is booked for a payment. Returns until when the hold stays; None: there is none.

    A hold goes on. Of a direct booking, the seats go back to the holds that they came from, and all others are free.
    """
    plan = payment.plan or Plan(held_until=paying.expires_at)
    if state.screening.cancelled_at is not None:
        decision.reservations[paying.id] = paying.ended(ReservationStatus.RELEASED, state.next_version)
        decision.claims |= dict.fromkeys(paying.prices)
        return None
    if not plan.is_direct:
        return _hold_on(state, paying, plan.held_until, decision, now)
    decision.reservations[paying.id] = paying.ended(ReservationStatus.RELEASED, state.next_version)
    decision.claims |= dict.fromkeys(paying.prices)
    ends = [
        _hold_on(state, whole, whole.expires_at, decision, now)
        for held_id in sorted(set(plan.returns.values()))
        if (whole := _with_returned(state, held_id, paying, plan, now))
    ]
    return min((end for end in ends if end), default=None)


def _hold_on(
    state: ScreeningState, reservation: Reservation, held_until: datetime, decision: Decision, now: datetime
) -> datetime | None:
    """Enter that a hold goes on: as long as it would have, and a minute at least; for that it may pass the cap once."""
    latest = state.screening.latest_end(reservation.first_held_at)
    has_passed = held_until > latest
    end = held_until if has_passed else max(held_until, now + GRACE)
    if end <= now:
        over = replace(reservation, expires_at=end)
        decision.reservations[reservation.id] = over.ended(ReservationStatus.EXPIRED, state.next_version)
        decision.claims |= dict.fromkeys(reservation.prices)
        return None
    held = replace(reservation, status=ReservationStatus.HELD, expires_at=end, version=state.next_version)
    _keep(held, decision)
    return end


def _with_returned(
    state: ScreeningState, held_id: UUID, paying: Reservation, plan: Plan, now: datetime
) -> Reservation | None:
    """A hold with the seats that a direct booking took from it; None if it ended otherwise meanwhile."""
    held = state.reservations.get(held_id)
    if held is None or (held.user_id != paying.user_id and plan.giving is None):
        return None
    # At the price of the hold, which is not that of an exchange.
    agreed = {**paying.prices, **held.left, **held.prices}
    back = {seat_id: agreed[seat_id] for seat_id, from_id in plan.returns.items() if from_id == held_id}
    # One that lost all of its seats has ended, and still names those that it lost last.
    ended_by_that = held.status is ReservationStatus.RELEASED and held.prices.keys() <= back.keys()
    if not (ended_by_that or held.status_at(now) is ReservationStatus.HELD):
        return None
    prices = dict(sorted({**held.prices, **back}.items()))
    left = {seat_id: price for seat_id, price in held.left.items() if seat_id not in back}
    return replace(held, prices=prices, left=left)


def _keep(reservation: Reservation, decision: Decision) -> None:
    """Enter the reservation, and a claim for each of its seats."""
    decision.reservations[reservation.id] = reservation
    for seat_id in reservation.prices:
        decision.claims[seat_id] = Claim(
            seat_id, ClaimStatus.HELD, reservation.user_id, reservation.id, expires_at=reservation.claims_end_at
        )
