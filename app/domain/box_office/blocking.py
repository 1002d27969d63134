"""Blocks seats, and unblocks them. It is decided seat by seat: seats that are held or booked stay as they are.

What is blocked `when_free` is remembered in the claim of the hold, and done by whatever ends it without a booking.
"""

from collections.abc import Callable, Set
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from app.domain.box_office.commands import Block, Unblock
from app.domain.box_office.outcomes import Blocked
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import expire, reservation_of
from app.domain.claims import Claim, ClaimStatus
from app.domain.seats import Seat


class BlockOutcome(StrEnum):
    """What happened to one seat (docs/api.md, section 8)."""

    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    ALREADY = "already"
    BOOKED = "booked"
    RESERVED = "reserved"


_SOMEBODYS = {ClaimStatus.HELD: BlockOutcome.RESERVED, ClaimStatus.BOOKED: BlockOutcome.BOOKED}


def block(state: ScreeningState, command: Block, now: datetime) -> Decision:
    """Block all seats that are available, and if `when_free` those that are held as soon as they are not any more.

    A hold that has run out does not count. Raises UnknownSeats.
    """

    def one(seat: Seat, claim: Claim | None, decision: Decision) -> BlockOutcome:
        if claim is not None and claim.is_live(now):
            if command.when_free and claim.status is ClaimStatus.HELD and claim.reason != (command.reason or ""):
                _wish(state, claim, command.reason or "", decision)
            return _SOMEBODYS.get(claim.status, BlockOutcome.ALREADY)
        # Once only: expired again, a hold would free those of its seats that are blocked by now.
        if claim is not None and (over := reservation_of(claim)) not in decision.reservations:
            expire(state, over, decision)
        decision.claims[seat.id] = Claim(seat.id, ClaimStatus.BLOCKED, reason=command.reason)
        return BlockOutcome.BLOCKED

    return _seat_by_seat(state, state.layout.find(command.seats), one)


def unblock(state: ScreeningState, command: Unblock, now: datetime) -> Decision:
    """Put blocked seats back on sale, also those that only will be blocked. Raises UnknownSeats."""
    seats = state.layout.find(command.seats)

    def one(seat: Seat, claim: Claim | None, decision: Decision) -> BlockOutcome:
        if claim is None or not (claim.is_live(now) or claim.will_be_blocked):
            return BlockOutcome.ALREADY
        if claim.will_be_blocked:
            if claim.is_live(now):
                _wish(state, claim, None, decision)
            elif reservation_of(claim) not in decision.reservations:
                expire(state, reservation_of(claim), decision)
            return BlockOutcome.UNBLOCKED
        if claim.status is ClaimStatus.BLOCKED:
            decision.claims[seat.id] = None
            return BlockOutcome.UNBLOCKED
        return _SOMEBODYS[claim.status]

    decision = _seat_by_seat(state, seats, one)
    block_what_is_freed(state, decision, spared={seat.id for seat in seats})
    return decision


def block_what_is_freed(state: ScreeningState, decision: Decision, spared: Set[int] = frozenset()) -> None:
    """Do what was asked for `when_free`, for each seat whose hold the decision ends; a hold that goes on keeps it."""
    for seat_id, after in decision.claims.items():
        before = state.claims.get(seat_id)
        if before is None or not before.will_be_blocked or seat_id in spared:
            continue
        if after is None:
            decision.claims[seat_id] = Claim(seat_id, ClaimStatus.BLOCKED, reason=before.reason or None)
        elif after.status is ClaimStatus.HELD and after.reason is None:
            decision.claims[seat_id] = replace(after, reason=before.reason)


def _wish(state: ScreeningState, claim: Claim, reason: str | None, decision: Decision) -> None:
    """Enter that a held seat will be blocked, or (None) will not.

    The reservation's new version tells a rival, who has read the claim and is about to write it, to look again.
    """
    reservation_id = reservation_of(claim)
    decision.claims[claim.seat_id] = replace(claim, reason=reason)
    decision.reservations[reservation_id] = replace(state.reservations[reservation_id], version=state.next_version)


def _seat_by_seat(
    state: ScreeningState, seats: tuple[Seat, ...], one: Callable[[Seat, Claim | None, Decision], BlockOutcome]
) -> Decision:
    decision = Decision(Blocked(()), cause=Cause.STAFF)
    outcomes = tuple((seat.id, one(seat, state.claims.get(seat.id), decision)) for seat in seats)
    after = {**state.claims, **decision.claims}
    waiting = (seat_id for seat_id, _ in outcomes if (claim := after.get(seat_id)) and claim.will_be_blocked)
    decision.outcome = Blocked(outcomes, frozenset(waiting))
    return decision
