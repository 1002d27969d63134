"""Commands that wait for an answer, and the rows that their decisions depend on."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from app.db.box_office.reading import Wanted
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
from app.domain.idempotency import Key
from app.domain.payments import Payment
from app.domain.refusals import UnknownSeats
from app.domain.seats import Layout
from app.services.box_office.answers import Answer

_OF_NOBODY: Final = (Expire, Find)
_OF_THE_HOUSE: Final = (Block, Unblock, Close)
_FROM_SOMEWHERE: Final = (Hold, Toggle, Extend, Check, BeginPaying, BeginBuying)
_TAKE_OVER: Final = (Hold, Toggle, Check, BeginBuying)
"""Whoever had a seat before takes over how long."""


@dataclass(slots=True, eq=False)
class Pending:
    """A command that waits for its answer. `deadline` is in the event loop's time."""

    screening_id: int
    command: Command
    key: Key | None
    request_id: str | None
    deadline: float
    answer: asyncio.Future[Answer]
    asker_id: int | None = field(init=False)
    """Whose command it is; nobody's when time asks."""
    waits_since: float = 0.0
    """In the event loop's time."""
    mark: object = None
    """What it belongs to, if that is traced (`ports.Tracing`)."""
    is_newcomers: bool = False
    """Is it of a guest who is not written down yet?"""

    def __post_init__(self) -> None:
        command = self.command
        if isinstance(command, _OF_NOBODY):
            self.asker_id = None
        elif isinstance(command, Check):
            self.asker_id = command.buyer.id if command.buyer else None
        elif isinstance(command, _OF_THE_HOUSE):
            self.asker_id = command.by.id if command.by else None
        else:
            self.asker_id = command.buyer.id
            self.is_newcomers = command.buyer.is_new

    @property
    def of_line(self) -> dict[str, object]:
        """What a log line about it says beside its message (`logs`)."""
        return {"request_id": self.request_id, "mark": self.mark}


Latecomers = Callable[[Collection[int]], list[Pending]]
"""Whoever waits with a command for one of these screenings, and waits no more: they are served now."""


def screenings_of(batch: Sequence[Pending]) -> list[int]:
    """The screenings of a batch, in the order in which they are locked."""
    return sorted({pending.screening_id for pending in batch})


def wanted(batch: Sequence[Pending], layouts: Mapping[int, Layout]) -> Wanted:
    """The rows that the decisions of a batch may need, as far as the commands name them."""
    named = Wanted()
    for pending in batch:
        if pending.key:
            named.keys.add((pending.key.owner_id, pending.key.value))
        if layout := layouts.get(pending.screening_id):
            _want(named, pending.screening_id, layout, pending.command)
    return named


def _want(named: Wanted, screening_id: int, layout: Layout, command: Command) -> None:
    if isinstance(command, _FROM_SOMEWHERE) and command.address is not None:
        named.held_from.add((screening_id, command.address.network))
        if isinstance(command, Hold) and command.wish is not None:
            named.kept_there.add((screening_id, command.address.address))
    match command:
        case Hold() | Book() | BeginBuying() | Toggle() | Check() | Block() | Unblock():
            try:
                seats = layout.find(command.seats)
            except UnknownSeats:
                return
            for seat in seats:
                named.seats.add((screening_id, seat.id))
            if isinstance(command, _TAKE_OVER):
                if (buyer := command.buyer) is not None and not buyer.is_new:
                    for seat in seats:
                        named.lapses.add((screening_id, buyer.id, seat.id))
                    if isinstance(command, Hold) and command.wish is not None:
                        named.all_lapses.add((screening_id, buyer.id))
                if not isinstance(command, BeginBuying) and (where := command.address) is not None:
                    named.kept_seats.update((screening_id, where.address, seat.id) for seat in seats)
            if isinstance(command, Toggle):
                named.users.add((screening_id, command.buyer.id))
        case ReleaseAll(buyer=buyer):
            named.users.add((screening_id, buyer.id))
            named.run_out.add((screening_id, buyer.id))
        case Confirm() | BeginPaying() | Extend() | Release():
            named.reservations.add((screening_id, command.reservation_id))
        case Exchange():
            _want_exchange(named, screening_id, layout, command)
        case Cancel() | OfferTransfer():
            named.bookings.add((screening_id, command.booking_id))
            named.payments_behind.add((screening_id, command.booking_id))
        case WithdrawTransfer() | AcceptTransfer():
            named.transfers.add((screening_id, command.code_hash))
        case Settle(payment=payment):
            _want_payment(named, screening_id, payment)
        case Close():
            named.reservations.update((screening_id, each) for each in command.reservation_ids)
            named.bookings.update((screening_id, each) for each in command.booking_ids)
            named.payments_behind.update((screening_id, each) for each in command.booking_ids)
        case Expire(reservation_ids):
            named.reservations.update((screening_id, reservation_id) for reservation_id in reservation_ids)


def _want_exchange(named: Wanted, screening_id: int, layout: Layout, command: Exchange) -> None:
    """A booking and its payments, the seats that it may get, and what its owner holds or pays for."""
    named.bookings.add((screening_id, command.booking_id))
    named.payments_behind.add((screening_id, command.booking_id))
    named.users.add((screening_id, command.owner_id))
    with suppress(UnknownSeats):
        for seat in layout.find(command.take):
            named.seats.add((screening_id, seat.id))
            named.lapses.add((screening_id, command.owner_id, seat.id))


def _want_payment(named: Wanted, screening_id: int, payment: Payment) -> None:
    """A payment, the reservation that it is for, and where its seats may go back to."""
    named.payments.add((screening_id, payment.id))
    if payment.reservation_id is not None:
        named.reservations.add((screening_id, payment.reservation_id))
    if plan := payment.plan:
        if plan.giving:
            named.bookings.add((screening_id, plan.giving.booking_id))
            named.payments_behind.add((screening_id, plan.giving.booking_id))
        named.reservations.update((screening_id, each) for each in plan.returns.values())
        if plan.key:
            named.keys.add((plan.key.owner_id, plan.key.value))
