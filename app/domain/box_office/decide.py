"""The only door to the rules: a house, a command and the time go in; what changes comes out, or a refusal is raised."""

from datetime import datetime
from typing import assert_never

from app.domain.box_office.blocking import block, unblock
from app.domain.box_office.booking import book, cancel, confirm
from app.domain.box_office.closing import close
from app.domain.box_office.commands import (
    Block,
    Book,
    Cancel,
    Close,
    Command,
    Confirm,
    Expire,
    Extend,
    Hold,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
)
from app.domain.box_office.holding import extend, hold, toggle
from app.domain.box_office.releasing import expire, release, release_all
from app.domain.box_office.screening_state import Decision, House


def decide(house: House, command: Command, now: datetime) -> Decision:
    """What the command changes at this moment (UTC). Changes nothing itself; raises a Refusal when a rule says no."""
    match command:
        case Hold():
            return hold(house, command, now)
        case Toggle():
            return toggle(house, command, now)
        case Release():
            return release(house, command, now)
        case ReleaseAll():
            return release_all(house, command, now)
        case Extend():
            return extend(house, command, now)
        case Confirm():
            return confirm(house, command, now)
        case Book():
            return book(house, command, now)
        case Cancel():
            return cancel(house, command, now)
        case Expire():
            return expire(house, command, now)
        case Block():
            return block(house, command, now)
        case Unblock():
            return unblock(house, command, now)
        case Close():
            return close(house, command, now)
    assert_never(command)
