"""One batch: look at the clock and its rows, decide command by command, write. A refusal touches nobody else in it.

With rivals about, its screenings are locked first and all is one transaction, in that order, in view. Without, looking
is one statement and writing another, which finds out whether anybody came between to the rows that were decided about:
then nothing is written. Whoever came between to others only had the versions first: then ours are as much higher.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import asyncpg

from app.db.bookings import booking_of
from app.db.box_office import buyers as limits
from app.db.box_office import reading as db
from app.db.box_office import rows_written as table
from app.db.box_office import writing
from app.db.box_office.reading import Found, Wanted
from app.db.box_office.rows_read import ClaimRow, claim_of
from app.db.box_office.writing import Writes
from app.db.connections import LOST, OfficeConnection
from app.db.reservations import reservation_of
from app.domain.box_office.commands import Block, Close, ReleaseAll, Toggle, Unblock
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import Decision, Usage
from app.domain.box_office.taking import reservation_of as reservation_of_hold
from app.domain.claims import ClaimStatus
from app.domain.idempotency import Key
from app.domain.refusals import KeyReused, NotFound, Refusal, SeatsUnavailable, UnknownSeats
from app.services.box_office.answers import Answer, answer
from app.services.box_office.commits import CommitBroke, Served, Shifts, Unclear, commit, roll_back
from app.services.box_office.ledger import Ledger
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Latecomers, Pending, screenings_of, wanted

log = logging.getLogger(__name__)

_LOOK_FURTHER: Final = (Toggle, ReleaseAll, Block, Unblock, Close)
"""Commands that are decided by more than the rows that they change: by all that somebody holds, by a seat that is in no
reservation. All others change a reservation or a booking, whose version shows whether it is as it was read, and make
claims where there are none, which the primary key sees to."""


@dataclass(slots=True)
class KnownKey:
    """What is stored under a key."""

    screening_id: int
    fingerprint: bytes
    answer: Answer
    is_stored: bool = True


class Overtaken(Exception):
    """What was read is not so any more, and nothing was written."""


class NeedsLock(Exception):
    """This batch cannot be served without a lock; nothing was written."""


async def serve(connection: OfficeConnection, batch: list[Pending], opening: Opening, latecomers: Latecomers) -> Served:
    """One transaction for the whole batch. Whoever came for the same screenings while it waited for them joins it.

    Raises asyncpg's errors when nothing of it happened, and CommitBroke when that is not known.
    """
    await connection.execute("BEGIN")
    try:
        books = _Books(opening)
        batch += latecomers(await books.open_locked(connection, batch))
        now = await books.look(connection, batch)
        answers = books.decide(batch, now)
        for writes in books.writes(now).by_statement():
            await writing.write(connection, writes)
    except BaseException:
        await roll_back(connection)
        raise
    try:
        await asyncio.shield(commit(connection))
    except Unclear as unclear:
        raise books.commit_broke(batch, answers, now) from unclear
    return books.served(batch, answers)


async def serve_unlocked(connection: OfficeConnection, batch: Sequence[Pending], opening: Opening) -> Served:
    """As `serve`, with one statement that reads and one that writes.

    Raises Overtaken or NeedsLock when it is to be served with a lock instead.
    """
    books = _Books(opening)
    now = await books.look_unlocked(connection, batch)
    answers = books.decide(batch, now)
    match books.writes(now).by_statement():
        case []:
            return books.served(batch, answers)
        case [writes]:
            try:
                shifts = await asyncio.shield(writing.write(connection, writes))
            except LOST as lost:
                raise books.commit_broke(batch, answers, now) from lost
            except asyncpg.IntegrityConstraintViolationError as overtaken:
                raise Overtaken from overtaken
            return books.served(batch, answers, books.by_screening(shifts))
        case _:
            raise NeedsLock


_NONE: Final[Shifts] = {}
_TELLS_MAP_VERSION: Final = (SeatsUnavailable, UnknownSeats)


class _Books:
    """The houses and keys of one batch."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._ledgers: dict[int, Ledger] = {}
        self._keys: dict[tuple[int, str], KnownKey] = {}
        self._stored: list[tuple[Key, KnownKey]] = []
        self._replayed: set[tuple[int, int, str]] = set()

    async def open_locked(self, connection: OfficeConnection, batch: Sequence[Pending]) -> Collection[int]:
        """Lock the screenings. From here on nobody else changes them until the transaction ends. Returns their ids."""
        for row in await db.lock(connection, screenings_of(batch)):
            self._ledgers[row.facts.id] = await self._opening.open(row)
        return self._ledgers.keys()

    async def look(self, connection: OfficeConnection, batch: Sequence[Pending]) -> datetime:
        """Read what the batch names, and once more what that leads to. Returns the time for all of its decisions."""
        named = wanted(batch, {each: ledger.screening_state.layout for each, ledger in self._ledgers.items()})
        buyers = await self._lock_buyers(connection, batch, named)
        found = await db.read(connection, named)
        self._take_in(found)
        if leads := self._leads_of(found, batch):
            self._take_in(await db.read(connection, leads))
        if buyers:
            await self._count(connection, buyers)
        return found.now

    async def look_unlocked(self, connection: OfficeConnection, batch: Sequence[Pending]) -> datetime:
        """As `look`, with the screenings themselves: nobody is kept from changing them.

        Raises NeedsLock when they are not known well enough, Overtaken when they changed between the readings.
        """
        screening_ids = screenings_of(batch)
        layouts = {each: layout for each in screening_ids if (layout := self._opening.layout_without_lock(each))}
        if len(layouts) < len(screening_ids):
            raise NeedsLock
        found = await db.read(connection, wanted(batch, layouts), screening_ids)
        for row in found.screenings:
            screening_id = row.facts.id
            ledger = self._ledgers[screening_id] = await self._opening.open(row)
            screening_state = ledger.screening_state
            if screening_state.layout is not layouts[screening_id] or screening_state.screening.counts_buyers:
                raise NeedsLock
        self._take_in(found)
        if leads := self._leads_of(found, batch):
            more = await db.read(connection, leads, screening_ids)
            if more.screenings != found.screenings:
                raise Overtaken
            self._take_in(more)
        return found.now

    async def _lock_buyers(
        self, connection: OfficeConnection, batch: Sequence[Pending], named: Wanted
    ) -> dict[int, frozenset[int]]:
        """Who is one buyer with whom, for those commands that a limit counts; nobody where there is no such limit."""
        counted = [
            (ledger.screening_state, pending.asker_id)
            for pending in batch
            if (ledger := self._ledgers.get(pending.screening_id)) and ledger.screening_state.screening.counts_buyers
        ]
        asker_ids = {asker_id for _, asker_id in counted if asker_id is not None}
        if not asker_ids:
            return {}
        buyers = await limits.lock_buyers(connection, asker_ids)
        for screening_state, asker_id in counted:
            if asker_id is not None:
                named.users.update((screening_state.screening.id, member) for member in buyers[asker_id])
        return buyers

    async def _count(self, connection: OfficeConnection, buyers: dict[int, frozenset[int]]) -> None:
        """What the buyers have in all screenings; users who are one buyer share one count."""
        members = {member for group in buyers.values() for member in group}
        counts = {group: Usage() for group in buyers.values()}
        usage = {member: count for group, count in counts.items() for member in group}
        for hold in await limits.holds_of(connection, members):
            usage[hold.user_id].holds[hold.id] = hold.expires_at
        for booking in await limits.bookings_of(connection, members):
            usage[booking.user_id].bookings[booking.id] = booking.created_at
        for ledger in self._ledgers.values():
            ledger.screening_state.usage = usage
            ledger.screening_state.same_buyer = buyers

    def decide(self, batch: Sequence[Pending], now: datetime) -> list[Answer | Exception]:
        """Command by command, in the order of arrival; each sees what the ones before it changed."""
        return [self._answer_to(pending, now) for pending in batch]

    def writes(self, now: datetime) -> Writes:
        """The rows that differ from what was read, and the keys."""
        writes = Writes(now)
        for ledger in self._ledgers.values():
            ledger.write_to(writes)
        for key, known in self._stored:
            told = known.answer
            writes.rows(table.KEYS_MADE).append(
                {
                    "screening_id": known.screening_id,
                    "owner_id": key.owner_id,
                    "key": key.value,
                    "fingerprint": key.fingerprint,
                    "user_id": told.user_id,
                    "created": told.created,
                    "location": told.location,
                    "body": told.head.decode(),
                    "version": told.version,
                    "tail": told.tail.decode(),
                    "ordinal": self._ledgers[known.screening_id].ordinal,
                }
            )
        for screening_id, owner_id, value in self._replayed:
            writes.rows(table.KEYS_REPLAYED).append(
                {"screening_id": screening_id, "owner_id": owner_id, "key": value, "replayed_at": now}
            )
        return writes

    def by_screening(self, shifts: Sequence[int]) -> Shifts:
        """The shifts that were found in writing."""
        return {each: shifts[ledger.ordinal - 1] for each, ledger in self._ledgers.items() if ledger.ordinal}

    def served(self, batch: Sequence[Pending], answers: Sequence[Answer | Exception], shifts: Shifts = _NONE) -> Served:
        """What came of it, once it is written, with the versions that were written."""
        if any(shifts.values()):
            answers = [
                told.later(shifts.get(pending.screening_id, 0)) if isinstance(told, Answer) else told
                for pending, told in zip(batch, answers, strict=True)
            ]
            for screening_id, shift in shifts.items():
                self._ledgers[screening_id].move(shift)
        served = Served(list(answers))
        for pending, told in zip(batch, answers, strict=True):
            if isinstance(told, Answer):
                served.map_versions[pending.screening_id] = self._ledgers[pending.screening_id].map_version
            elif isinstance(told, _TELLS_MAP_VERSION):
                told.map_version = self._ledgers[pending.screening_id].map_version
        for screening_id in served.map_versions:
            if (ledger := self._ledgers[screening_id]).has_changed:
                served.news[screening_id] = ledger.news()
        return served

    def commit_broke(
        self, batch: Sequence[Pending], answers: Sequence[Answer | Exception], now: datetime
    ) -> CommitBroke:
        """For a connection that was lost while this was being written."""
        proofs = [proof for ledger in self._ledgers.values() if (proof := ledger.proof(now))]
        return CommitBroke(sorted(self._ledgers), proofs, partial(self.served, batch, answers))

    def _answer_to(self, pending: Pending, now: datetime) -> Answer | Exception:
        """What an asker is told. What fails after the house changed fails the batch, and then the guilty one alone."""
        try:
            if replay := self._replay(pending):
                return replay
            ledger = self._ledger_of(pending)
            decision = decide(ledger.screening_state, pending.command, now)
        except Refusal as refusal:
            return refusal.with_traceback(None)  # it would lead here, and from here to the refusal: a circle to collect
        except Exception as unforeseen:  # a mistake of ours in one decision is no reason to fail the others
            log.exception("unhandled exception in a decision", extra={"request_id": pending.request_id})
            return unforeseen
        return self._enter(pending, ledger, decision, now)

    def _replay(self, pending: Pending) -> Answer | None:
        key = pending.key
        known = self._keys.get((key.owner_id, key.value)) if key else None
        if key is None or known is None:
            return None
        if known.fingerprint != key.fingerprint:
            raise KeyReused
        if known.is_stored:
            self._replayed.add((known.screening_id, key.owner_id, key.value))
        told = known.answer
        return replace(told, replayed=True)

    def _is_known(self, key: Key | None) -> bool:
        return key is not None and (key.owner_id, key.value) in self._keys

    def _ledger_of(self, pending: Pending) -> Ledger:
        ledger = self._ledgers.get(pending.screening_id)
        if ledger is None:
            raise NotFound("screening")
        return ledger

    def _enter(self, pending: Pending, ledger: Ledger, decision: Decision, now: datetime) -> Answer:
        if isinstance(pending.command, _LOOK_FURTHER):
            ledger.must_be_as_read = True
        ledger.enter(decision, now, pending.asker_id, pending.request_id)
        told = answer(decision.outcome, ledger.screening_state, pending.asker_id or 0, now)
        if told.version is not None and told.version <= ledger.version_before:
            told = told.settled()  # it tells what was so before this batch: no version that we hand out
        if key := pending.key:
            known = KnownKey(pending.screening_id, key.fingerprint, told, is_stored=False)
            self._keys[key.owner_id, key.value] = known
            self._stored.append((key, known))
        return told

    def _take_in(self, found: Found) -> None:
        for row in found.keys:
            told = Answer(row.body, row.user_id, row.created_at, row.created, row.location)
            self._keys[row.owner_id, row.key] = KnownKey(row.screening_id, row.fingerprint, told)
        for reservation, claims in found.reservations:
            state = self._ledgers[reservation.screening_id].screening_state
            state.reservations[reservation.id] = reservation_of(reservation)
            self._take_in_claims(claims)
        for booking, claims in found.bookings:
            state = self._ledgers[booking.screening_id].screening_state
            state.bookings[booking.id] = booking_of(booking)
            self._take_in_claims(claims)
        self._take_in_claims(found.seats)
        self._take_in_claims(found.users)

    def _take_in_claims(self, rows: Iterable[ClaimRow]) -> None:
        for row in rows:
            self._ledgers[row.screening_id].screening_state.claims[row.seat_id] = claim_of(row)

    def _leads_of(self, found: Found, batch: Sequence[Pending]) -> Wanted:
        """Reservations and bookings that the rows lead to: holds that ran out, and whatever an asker has."""
        leads = Wanted()
        askers = {(pending.screening_id, pending.asker_id) for pending in batch if not self._is_known(pending.key)}
        for screening_id, ledger in self._ledgers.items():
            screening_state = ledger.screening_state
            for claim in screening_state.claims.values():
                is_an_askers = (screening_id, claim.user_id) in askers
                if claim.booking_id and is_an_askers and claim.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, claim.booking_id))
                elif claim.status is ClaimStatus.HELD and (is_an_askers or not claim.is_live(found.now)):
                    leads.reservations.add((screening_id, reservation_of_hold(claim)))
            leads.reservations -= {(screening_id, known) for known in screening_state.reservations}
            for reservation in screening_state.reservations.values():
                if reservation.booking_id and reservation.booking_id not in screening_state.bookings:
                    leads.bookings.add((screening_id, reservation.booking_id))
        return leads
