"""What a batch knows: its screenings and keys as they were read, and the changes of its own decisions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from app.db.bookings import booking_of
from app.db.box_office import buyers as limits
from app.db.box_office import reading as db
from app.db.box_office.reading import Found, Wanted
from app.db.box_office.rows_read import ClaimRow, claim_of, transfer_of
from app.db.connections import OfficeConnection
from app.db.money.payments import payment_of
from app.db.reservations import reservation_of
from app.domain.box_office.addresses import HeldFrom, KeptSeat
from app.domain.box_office.commands import (
    AcceptTransfer,
    BeginBuying,
    BeginPaying,
    Block,
    Confirm,
    Exchange,
    Extend,
    OfferTransfer,
    WithdrawTransfer,
)
from app.domain.box_office.screening_state import Lapse, Usage
from app.domain.box_office.taking import reservation_of as reservation_of_hold
from app.domain.claims import ClaimStatus
from app.domain.idempotency import Key
from app.domain.refusals import KeyReused
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.services.box_office.answers import Answer
from app.services.box_office.floors import asks
from app.services.box_office.ledger import Ledger
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Pending, screenings_of, wanted

GOING_ON: Final = (Confirm, BeginPaying, Extend)

_ONE_AFTER_THE_OTHER: Final = (OfferTransfer, WithdrawTransfer, AcceptTransfer)
"""Commands that need a lock: offers change without a version by which a rival would see it."""


@dataclass(slots=True)
class KnownKey:
    """What is stored under an idempotency key."""

    screening_id: int
    fingerprint: bytes
    answer: Answer
    is_stored: bool = True


class Keys:
    """What is stored under the keys of a batch.

    One key may be stored for several screenings: it was sent to them at the same moment, and nobody noticed.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], dict[int, KnownKey]] = {}

    def __contains__(self, key: Key) -> bool:
        return (key.owner_id, key.value) in self._known

    def add(self, owner_id: int, value: str, known: KnownKey) -> None:
        """It is stored, or will be."""
        self._known.setdefault((owner_id, value), {})[known.screening_id] = known

    def stored_for(self, key: Key, screening_id: int) -> KnownKey | None:
        """What answers this key: what is stored for the screening, else for another one; None if it is new.

        Raises KeyReused if that was another request.
        """
        known = self._known.get((key.owner_id, key.value))
        if known is None:
            return None
        of_it = known.get(screening_id)
        for one in (of_it,) if of_it else known.values():
            if one.fingerprint == key.fingerprint:
                return one
        raise KeyReused


class Overtaken(Exception):
    """What was read has changed since. Nothing was written."""


class NeedsLock(Exception):
    """This batch can only be served with a lock. Nothing was written."""


class Books:
    """The ledgers of the batch's screenings, and what is stored under its keys."""

    def __init__(self, opening: Opening, batch: Sequence[Pending]) -> None:
        self.of = batch[0].screening_id if opening.per_screening else None
        """The one screening of the batch, if PostgreSQL is to be told: then nothing is asked of another one."""
        self.ledgers: dict[int, Ledger] = {}
        self.keys = Keys()
        self._opening = opening

    async def prepare(self, connection: OfficeConnection, batch: Sequence[Pending]) -> None:
        """Read the layouts that are not at hand before anything is locked.

        They come over another connection. Where all that there are wait for this batch's lock, none would be left.
        """
        unknown = [each for each in screenings_of(batch) if not self._opening.has_at_hand(each)]
        if unknown:
            for row in (await db.read(connection, Wanted(), unknown, of=self.of)).screenings:
                await self._opening.open(row)

    async def open_locked(self, connection: OfficeConnection, batch: Sequence[Pending]) -> Collection[int]:
        """Lock the screenings until the transaction ends, and return their ids."""
        for row in await db.lock(connection, screenings_of(batch)):
            self.ledgers[row.facts.id] = await self._opening.open(row)
        return self.ledgers.keys()

    async def look(self, connection: OfficeConnection, batch: Sequence[Pending]) -> datetime:
        """Read the rows that the batch names, then those that they lead to. Returns the time of all decisions (UTC)."""
        states = {each: ledger.screening_state for each, ledger in self.ledgers.items()}
        named = wanted(batch, {each: state.layout for each, state in states.items()})
        asked = _asked(batch, {each: (state.screening, state.layout) for each, state in states.items()})
        await self._opening.floors.want(asked, named)
        buyers = await self._lock_buyers(connection, batch, named)
        found = await db.read(connection, named, of=self.of)
        self._take_in(found)
        leads = self._leads_of(found, batch)
        leads.taken = await self._floors_lost(asked, named, found)
        if leads:
            more = await db.read(connection, leads, of=self.of)
            self._take_in(more)
            if leads.taken:
                await self._floors_lost(asked, leads, more)
        self._lay_floors(asked, found.now)
        if buyers:
            await self._count(connection, buyers)
        return found.now

    async def look_unlocked(self, connection: OfficeConnection, batch: Sequence[Pending]) -> datetime:
        """As `look`, together with the screenings themselves, without a lock.

        Raises NeedsLock if the screenings are not known well enough, Overtaken if they changed between the two reads.
        """
        if any(isinstance(pending.command, _ONE_AFTER_THE_OTHER) for pending in batch):
            raise NeedsLock
        screening_ids = screenings_of(batch)
        layouts = {each: layout for each in screening_ids if (layout := self._opening.layout_without_lock(each))}
        if len(layouts) < len(screening_ids):
            raise NeedsLock
        named = wanted(batch, layouts)
        known = {each: (screening, layouts[each]) for each in layouts if (screening := self._opening.known(each))}
        asked = _asked(batch, known)
        if asked:
            await self._opening.floors.want(asked, named)
        found = await db.read(connection, named, screening_ids, of=self.of)
        for row in found.screenings:
            screening_id = row.facts.id
            ledger = self.ledgers[screening_id] = await self._opening.open(row)
            screening_state = ledger.screening_state
            if screening_state.layout is not layouts[screening_id] or screening_state.screening.counts_buyers:
                raise NeedsLock
            if screening_state.screening.orphan_rule is not known[screening_id][0].orphan_rule:
                raise NeedsLock
        self._take_in(found)
        leads = self._leads_of(found, batch)
        if asked:
            leads.taken = await self._floors_lost(asked, named, found)
        if leads:
            more = await db.read(connection, leads, screening_ids, of=self.of)
            if more.screenings != found.screenings:
                raise Overtaken
            self._take_in(more)
            if leads.taken:
                await self._floors_lost(asked, leads, more)
        if asked:
            self._lay_floors(asked, found.now)
        return found.now

    async def _floors_lost(self, asked: Mapping[int, Layout], wanted: Wanted, found: Found) -> set[tuple[int]]:
        """Take in what is taken in the screenings that are asked for. Returns those of which all has to be read."""
        states = {each: self.ledgers[each].screening_state for each in asked if each in self.ledgers}
        return {(each,) for each in await self._opening.floors.take_in(states, asked, wanted, found)}

    def _lay_floors(self, asked: Mapping[int, Layout], now: datetime) -> None:
        for screening_id in asked:
            if ledger := self.ledgers.get(screening_id):
                if ledger.screening_state.floor is None:
                    raise Overtaken
                self._opening.floors.lay(ledger.screening_state, now)

    async def _lock_buyers(
        self, connection: OfficeConnection, batch: Sequence[Pending], named: Wanted
    ) -> dict[int, frozenset[int]]:
        """Which users are one buyer, for commands that a limit counts. Empty if there is no such limit."""
        counted = [
            (ledger.screening_state, pending.asker_id)
            for pending in batch
            if (ledger := self.ledgers.get(pending.screening_id)) and ledger.screening_state.screening.counts_buyers
        ]
        asker_ids = {asker_id for _, asker_id in counted if asker_id is not None}
        if not asker_ids:
            return {}
        buyers = await limits.lock_buyers(connection, asker_ids)
        for screening_state, asker_id in counted:
            if self._opening.limits_need_email:
                screening_state.nameless = buyers.nameless
            if asker_id is not None:
                named.users.update((screening_state.screening.id, member) for member in buyers.same[asker_id])
        return buyers.same

    async def _count(self, connection: OfficeConnection, buyers: dict[int, frozenset[int]]) -> None:
        """Read what the buyers have in all screenings, as far as a limit counts it. Users who are one buyer share one
        count.
        """
        limits_here = [ledger.screening_state.screening.limits for ledger in self.ledgers.values()]
        members = {member for group in buyers.values() for member in group}
        counts = {group: Usage() for group in buyers.values()}
        usage = {member: count for group, count in counts.items() for member in group}
        counts_days = any(each.bookings_per_user_per_day is not None for each in limits_here)
        if counts_days or any(each.max_active_reservations_per_user is not None for each in limits_here):
            for hold in await limits.holds_of(connection, members):
                usage[hold.user_id].holds[hold.id] = hold.expires_at
                if hold.is_paying:
                    usage[hold.user_id].paying.add(hold.id)
        if counts_days:
            for booking in await limits.bookings_of(connection, members):
                usage[booking.user_id].bookings[booking.id] = booking.created_at
        for ledger in self.ledgers.values():
            ledger.screening_state.usage = usage
            ledger.screening_state.same_buyer = buyers

    def _take_in(self, found: Found) -> None:
        for row in found.keys:
            told = Answer(row.body, row.user_id, row.created_at, row.created, row.location)
            self.keys.add(row.owner_id, row.key, KnownKey(row.screening_id, row.fingerprint, told))
        for reservation, claims in (*found.reservations, *found.run_out, *found.due, *found.later_reservations):
            state = self.ledgers[reservation.screening_id].screening_state
            state.reservations[reservation.id] = reservation_of(reservation)
            self._take_in_claims(claims)
        for address, network, (reservation, claims) in found.held_from:
            state = self.ledgers[reservation.screening_id].screening_state
            state.reservations[reservation.id] = reservation_of(reservation)
            state.held_from[reservation.id] = HeldFrom(address, network)
            self._take_in_claims(claims)
        for last in (*found.kept_seats, *found.kept_there):
            before = timedelta(milliseconds=last.counted_ms)
            kept = KeptSeat(last.reservation_id, before, last.began_at, last.ended_at)
            self.ledgers[last.screening_id].screening_state.kept_seats[last.address, last.seat_id] = kept
        for booking, claims in (*found.bookings, *found.later_bookings):
            state = self.ledgers[booking.screening_id].screening_state
            state.bookings[booking.id] = booking_of(booking)
            self._take_in_claims(claims)
        for payment in (*found.payments, *found.payments_behind, *found.payments_for):
            self.ledgers[payment.screening_id].screening_state.payments[payment.id] = payment_of(payment)
        for booking_id, payment in found.shared_payments:
            state = self.ledgers[payment.screening_id].screening_state
            state.payments[payment.id] = payment_of(payment)
            state.shared_payments.add((booking_id, payment.id))
        for transfer in (*found.transfers, *found.offers):
            self.ledgers[transfer.screening_id].screening_state.transfers[transfer.id] = transfer_of(transfer)
        for lapse in chain(found.lapses, found.all_lapses):
            lapses = self.ledgers[lapse.screening_id].screening_state.lapses
            lapses.setdefault((lapse.user_id, lapse.seat_id), []).append(Lapse(lapse.first_held_at, lapse.ended_at))
        self._take_in_claims(found.seats)
        self._take_in_claims(found.users)

    def _take_in_claims(self, rows: Iterable[ClaimRow]) -> None:
        for row in rows:
            self.ledgers[row.screening_id].screening_state.claims[row.seat_id] = claim_of(row)

    def _leads_of(self, found: Found, batch: Sequence[Pending]) -> Wanted:
        """The reservations and bookings that the rows lead to: holds that ran out or are to be blocked, and everything
        that a caller has.
        """
        leads = Wanted()
        self._want_late(leads, found.now, batch)
        new = [each for each in batch if not self._is_known(each.key)]
        askers = {(each.screening_id, each.asker_id) for each in new}
        askers |= {(each.screening_id, each.command.owner_id) for each in new if isinstance(each.command, Exchange)}
        may_pay = {each.screening_id for each in new if isinstance(each.command, BeginBuying | Exchange)}
        blocking = {each.screening_id for each in batch if isinstance(each.command, Block) and each.command.when_free}
        for screening_id, ledger in self.ledgers.items():
            screening_state = ledger.screening_state
            for claim in screening_state.claims.values():
                is_an_askers = (screening_id, claim.user_id) in askers
                if claim.booking_id and is_an_askers and claim.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, claim.booking_id))
                elif claim.status is ClaimStatus.HELD and (
                    is_an_askers or not claim.is_live(found.now) or screening_id in blocking or claim.will_be_blocked
                ):
                    leads.reservations.add((screening_id, reservation_of_hold(claim)))
                    if is_an_askers and screening_id in may_pay:  # then they are told that they are paying already
                        leads.payments_for.add((screening_id, reservation_of_hold(claim)))
            leads.reservations -= {(screening_id, known) for known in screening_state.reservations}
            for reservation in screening_state.reservations.values():
                if reservation.booking_id and reservation.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, reservation.booking_id))
                elif reservation.status is ReservationStatus.PAYING and not screening_state.open_payment(
                    reservation.id
                ):
                    leads.payments_for.add((screening_id, reservation.id))
            for payment in screening_state.payments.values():
                if payment.booking_id and payment.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, payment.booking_id))
            for transfer in screening_state.transfers.values():
                if transfer.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, transfer.booking_id))
                    leads.payments_behind.add((screening_id, transfer.booking_id))
        return leads

    def _want_late(self, leads: Wanted, now: datetime, batch: Sequence[Pending]) -> None:
        """Want what is looked at where holds ran out and are to be confirmed or extended all the same."""
        for pending in batch:
            command = pending.command
            if isinstance(command, GOING_ON) and (ledger := self.ledgers.get(pending.screening_id)):
                reservation = ledger.screening_state.reservations.get(command.reservation_id)
                if reservation and reservation.status_at(now) is ReservationStatus.EXPIRED:
                    leads.late.add((pending.screening_id, reservation.id))
                    if isinstance(command, Extend) and command.address is not None:
                        address = command.address.address
                        leads.kept_seats.update((pending.screening_id, address, each) for each in reservation.prices)

    def _is_known(self, key: Key | None) -> bool:
        return key is not None and key in self.keys


def _asked(batch: Sequence[Pending], known: Mapping[int, tuple[Screening, Layout]]) -> dict[int, Layout]:
    """The screenings of which a command of the batch asks what is free in the whole house, with their layouts."""
    asked: dict[int, Layout] = {}
    for pending in batch:
        if (its := known.get(pending.screening_id)) and asks(pending.command, its[0]):
            asked[pending.screening_id] = its[1]
    return asked
