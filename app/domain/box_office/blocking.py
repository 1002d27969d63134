"""Blocks seats, and unblocks them. It is decided seat by seat: seats that are held or booked stay as they are."""

from collections.abc import Callable
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
    """Block all seats that are available. A hold that has run out does not count. Raises UnknownSeats."""

    def one(seat: Seat, claim: Claim | None, decision: Decision) -> BlockOutcome:
        if claim is not None and claim.is_live(now):
            return _SOMEBODYS.get(claim.status, BlockOutcome.ALREADY)
        # Once only: expired again, a hold would free those of its seats that are blocked by now.
        if claim is not None and (over := reservation_of(claim)) not in decision.reservations:
            expire(state, over, decision)
        decision.claims[seat.id] = Claim(seat.id, ClaimStatus.BLOCKED, reason=command.reason)
        return BlockOutcome.BLOCKED

    return _seat_by_seat(state, state.layout.find(command.seats), one)


def unblock(state: ScreeningState, command: Unblock, now: datetime) -> Decision:
    """Put blocked seats back on sale. Raises UnknownSeats."""

    def one(seat: Seat, claim: Claim | None, decision: Decision) -> BlockOutcome:
        if claim is None or not claim.is_live(now):
            return BlockOutcome.ALREADY
        if claim.status is ClaimStatus.BLOCKED:
            decision.claims[seat.id] = None
            return BlockOutcome.UNBLOCKED
        return _SOMEBODYS[claim.status]

    return _seat_by_seat(state, state.layout.find(command.seats), one)


def _seat_by_seat(
    state: ScreeningState, seats: tuple[Seat, ...], one: Callable[[Seat, Claim | None, Decision], BlockOutcome]
) -> Decision:
    decision = Decision(Blocked(()), cause=Cause.STAFF)
    decision.outcome = Blocked(tuple((seat.id, one(seat, state.claims.get(seat.id), decision)) for seat in seats))
    return decision
