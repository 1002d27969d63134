"""The only entrance to the rules: a screening's state, a command and the time go in; what changes comes out."""

from datetime import datetime
from typing import assert_never

from app.domain.box_office.blocking import block, block_what_is_freed, unblock
from app.domain.box_office.commands import (
    AcceptTransfer,
    BeginBuying,
    BeginPaying,
    Block,
    Book,
    Cancel,
    Check,
    Close,
    Command,
    Confirm,
    Exchange,
    Expire,
    Extend,
    Find,
    Hold,
    OfferTransfer,
    Release,
    ReleaseAll,
    Settle,
    Toggle,
    Unblock,
    WithdrawTransfer,
)
from app.domain.box_office.finding import choose
from app.domain.box_office.holding import check, extend, hold, toggle
from app.domain.box_office.releasing import expire, release, release_all
from app.domain.box_office.sales.booking import book, cancel, confirm
from app.domain.box_office.sales.closing import close
from app.domain.box_office.sales.exchanging import exchange
from app.domain.box_office.sales.paying import begin_buying, begin_paying, settle
from app.domain.box_office.sales.transferring import accept, offer, withdraw, withdraw_what_left
from app.domain.box_office.screening_state import Decision, ScreeningState


def decide(state: ScreeningState, command: Command, now: datetime) -> Decision:
    """What the command changes at `now` (UTC). It changes nothing itself. Raises a Refusal when a rule says no."""
    decision = _decide(state, command, now)
    if not isinstance(command, Unblock):
        block_what_is_freed(state, decision)
    if state.transfers:
        withdraw_what_left(state, decision, now)
    return decision


def _decide(state: ScreeningState, command: Command, now: datetime) -> Decision:
    match command:
        case Find():
            return choose(state, command, now)
        case Check():
            return check(state, command, now)
        case Hold():
            return hold(state, command, now)
        case Toggle():
            return toggle(state, command, now)
        case Release():
            return release(state, command, now)
        case ReleaseAll():
            return release_all(state, command, now)
        case Extend():
            return extend(state, command, now)
        case Confirm():
            return confirm(state, command, now)
        case Book():
            return book(state, command, now)
        case BeginPaying():
            return begin_paying(state, command, now)
        case BeginBuying():
            return begin_buying(state, command, now)
        case Exchange():
            return exchange(state, command, now)
        case Settle():
            return settle(state, command, now)
        case Cancel():
            return cancel(state, command, now)
        case OfferTransfer():
            return offer(state, command, now)
        case WithdrawTransfer():
            return withdraw(state, command, now)
        case AcceptTransfer():
            return accept(state, command, now)
        case Expire():
            return expire(state, command, now)
        case Block():
            return block(state, command, now)
        case Unblock():
            return unblock(state, command, now)
        case Close():
            return close(state, command, now)
    assert_never(command)
