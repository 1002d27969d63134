"""One batch: look at the clock and its rows, decide command by command, write. A refusal touches nobody else in it.

With rivals about, its screenings are locked first and all is one transaction, in that order, in view. Without, looking
is one statement and writing another, which finds out whether anybody came between: then nothing is written.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import asyncpg

from app.db import houses as db
from app.db import limits, writing
from app.db.bookings import booking_of
from app.db.connections import LOST, Counter
from app.db.houses import Found, Proof, Row, Wanted
from app.db.reservations import reservation_of
from app.db.writing import Writes
from app.domain.claims import Claim, ClaimStatus
from app.domain.commands import (
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
from app.domain.decide import decide
from app.domain.house import Decision
from app.domain.idempotency import Key
from app.domain.limits import Usage
from app.domain.refusals import KeyReused, NotFound, Refusal, SeatsUnavailable, UnknownSeats
from app.domain.seats import Layout
from app.domain.taking import reservation_of as reservation_of_hold
from app.services.answers import Answer, answer
from app.services.houses import Houses
from app.services.ledger import Ledger
from app.services.news import News

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Asked:
    """A command that waits for its answer. `deadline` is in the event loop's time."""

    screening_id: int
    command: Command
    key: Key | None
    request_id: str | None
    deadline: float
    answer: asyncio.Future[Answer]
    asker_id: int | None = field(init=False)
    """Whose command it is; nobody's when time asks."""

    def __post_init__(self) -> None:
        match self.command:
            case Expire():
                self.asker_id = None
            case Close(by):
                self.asker_id = by.id if by else None
            case Block(by) | Unblock(by):
                self.asker_id = by.id
            case command:
                self.asker_id = command.buyer.id


Latecomers = Callable[[Collection[int]], list[Asked]]
"""Whoever waits with a command for one of these screenings, and waits no more: they are served now."""


@dataclass(slots=True)
class KnownKey:
    """What is stored under a key."""

    screening_id: int
    fingerprint: bytes
    answer: Answer
    is_stored: bool = True


@dataclass(slots=True)
class Served:
    """What came of a batch: an answer or a reason for each command; the state of each screening that somebody got an
    answer from; and the news of those that changed.

    A repeat changes nothing, and its screening is told all the same: whoever did it first may have died before telling.
    """

    answers: list[Answer | Exception]
    states: dict[int, int] = field(default_factory=dict)
    news: dict[int, News] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class CommitBroke(Exception):
    """The connection was lost during COMMIT: it may have happened. `proof` is an event that is there if it did."""

    served: Served
    proof: Proof | None


class Overtaken(Exception):
    """What was read is not so any more, and nothing was written."""


class NeedsLock(Exception):
    """This batch cannot be served without a lock; nothing was written."""


async def happened(connection: Counter, broke: CommitBroke) -> bool:
    """Had a broken COMMIT happened? If not, it never will: whoever still has it to say finds the screenings edited."""
    if broke.proof is None:
        return False
    async with connection.transaction():
        await db.lock(connection, sorted(broke.served.states))
        if await db.is_written(connection, broke.proof):
            return True
        await db.fence(connection, sorted(broke.served.states))
        return False


async def serve(connection: Counter, batch: list[Asked], houses: Houses, latecomers: Latecomers) -> Served:
    """One transaction for the whole batch. Whoever came for the same screenings while it waited for them joins it.

    Raises asyncpg's errors when nothing of it happened, and CommitBroke when that is not known.
    """
    await connection.execute("BEGIN")
    try:
        counter = _Counter(houses)
        batch += latecomers(await counter.open_locked(connection, batch))
        now = await counter.look(connection, batch)
        served = counter.decide(batch, now)
        for writes in counter.writes(now).by_statement():
            await writing.write(connection, writes)
    except BaseException:
        await _roll_back(connection)
        raise
    try:
        await asyncio.shield(_commit(connection))
    except Unclear as unclear:
        raise CommitBroke(served, counter.proof(now)) from unclear
    return served


async def serve_unlocked(connection: Counter, batch: Sequence[Asked], houses: Houses) -> Served:
    """As `serve`, with one statement that reads and one that writes.

    Raises Overtaken or NeedsLock when it is to be served with a lock instead.
    """
    counter = _Counter(houses)
    now = await counter.look_unlocked(connection, batch)
    served = counter.decide(batch, now)
    match counter.writes(now).by_statement():
        case []:
            return served
        case [writes]:
            await _write_at_once(connection, writes, served, counter.proof(now))
            return served
        case _:
            raise NeedsLock


async def _write_at_once(connection: Counter, writes: Writes, served: Served, proof: Proof | None) -> None:
    """Write, which commits too."""
    try:
        await asyncio.shield(writing.write(connection, writes))
    except LOST as lost:
        raise CommitBroke(served, proof) from lost
    except asyncpg.IntegrityConstraintViolationError as overtaken:
        raise Overtaken from overtaken


class Unclear(Exception):
    """PostgreSQL did not say what became of a COMMIT."""


class _Counter:
    """The houses and keys of one batch."""

    def __init__(self, houses: Houses) -> None:
        self._houses = houses
        self._ledgers: dict[int, Ledger] = {}
        self._keys: dict[tuple[int, str], KnownKey] = {}
        self._stored: list[tuple[Key, KnownKey]] = []
        self._replayed: set[tuple[int, int, str]] = set()

    async def open_locked(self, connection: Counter, batch: Sequence[Asked]) -> Collection[int]:
        """Lock the screenings. From here on nobody else changes them until the transaction ends. Returns their ids."""
        for row in await db.lock(connection, _screenings_of(batch)):
            self._ledgers[row[0]] = await self._houses.open(row)
        return self._ledgers.keys()

    async def look(self, connection: Counter, batch: Sequence[Asked]) -> datetime:
        """Read what the batch names, and once more what that leads to. Returns the time for all of its decisions."""
        wanted = _wanted(batch, {each: ledger.house.layout for each, ledger in self._ledgers.items()})
        buyers = await self._lock_buyers(connection, batch, wanted)
        found = await db.read(connection, wanted)
        self._take_in(found)
        if leads := self._leads_of(found, batch):
            self._take_in(await db.read(connection, leads))
        if buyers:
            await self._count(connection, buyers)
        return found.now

    async def look_unlocked(self, connection: Counter, batch: Sequence[Asked]) -> datetime:
        """As `look`, with the screenings themselves: nobody is kept from changing them.

        Raises NeedsLock when they are not known well enough, Overtaken when they changed between the readings.
        """
        screening_ids = _screenings_of(batch)
        layouts = {each: layout for each in screening_ids if (layout := self._houses.layout_without_lock(each))}
        if len(layouts) < len(screening_ids):
            raise NeedsLock
        found = await db.read(connection, _wanted(batch, layouts), screening_ids)
        for row in found.screenings:
            ledger = self._ledgers[row[0]] = await self._houses.open(row)
            if ledger.house.layout is not layouts[row[0]] or ledger.house.screening.counts_buyers:
                raise NeedsLock
        self._take_in(found)
        if leads := self._leads_of(found, batch):
            more = await db.read(connection, leads, screening_ids)
            if more.screenings != found.screenings:
                raise Overtaken
            self._take_in(more)
        return found.now

    async def _lock_buyers(
        self, connection: Counter, batch: Sequence[Asked], wanted: Wanted
    ) -> dict[int, frozenset[int]]:
        """Who is one buyer with whom, for those commands that a limit counts; nobody where there is no such limit."""
        counted = [
            (ledger.house, asked.asker_id)
            for asked in batch
            if (ledger := self._ledgers.get(asked.screening_id)) and ledger.house.screening.counts_buyers
        ]
        asker_ids = {asker_id for _, asker_id in counted if asker_id is not None}
        if not asker_ids:
            return {}
        buyers = await limits.lock_buyers(connection, asker_ids)
        for house, asker_id in counted:
            if asker_id is not None:
                wanted.users.update((house.screening.id, member) for member in buyers[asker_id])
        return buyers

    async def _count(self, connection: Counter, buyers: dict[int, frozenset[int]]) -> None:
        """What the buyers have in all screenings; users who are one buyer share one count."""
        members = {member for group in buyers.values() for member in group}
        counts = {group: Usage() for group in buyers.values()}
        usage = {member: count for group, count in counts.items() for member in group}
        for user_id, reservation_id, expires_at in await limits.holds_of(connection, members):
            usage[user_id].holds[reservation_id] = expires_at
        for user_id, booking_id, created_at in await limits.bookings_of(connection, members):
            usage[user_id].bookings[booking_id] = created_at
        for ledger in self._ledgers.values():
            ledger.house.usage = usage
            ledger.house.same_buyer = buyers

    def decide(self, batch: Sequence[Asked], now: datetime) -> Served:
        """Command by command, in the order of arrival; each sees what the ones before it changed."""
        answers = [self._answer_to(asked, now) for asked in batch]
        for asked, refusal in zip(batch, answers, strict=True):
            if isinstance(refusal, SeatsUnavailable | UnknownSeats):
                refusal.state = self._ledgers[asked.screening_id].state
        answered = {asked.screening_id for asked, told in zip(batch, answers, strict=True) if isinstance(told, Answer)}
        told = {screening_id: ledger for screening_id, ledger in self._ledgers.items() if screening_id in answered}
        states = {each: ledger.state for each, ledger in told.items()}
        return Served(answers, states, {each: ledger.news() for each, ledger in told.items() if ledger.has_changed})

    def writes(self, now: datetime) -> Writes:
        """The rows that differ from what was read, and the keys."""
        writes = Writes()
        for ledger in self._ledgers.values():
            ledger.write_to(writes, now)
        for key, known in self._stored:
            told = known.answer
            writes.add(
                writing.KEYS_MADE,
                *(known.screening_id, key.owner_id, key.value, key.fingerprint),
                *(told.user_id, told.created, told.location, told.body.decode(), now),
            )
        for replayed in self._replayed:
            writes.add(writing.KEYS_REPLAYED, *replayed, now)
        return writes

    def proof(self, now: datetime) -> Proof | None:
        """What is written if the batch is, and only then; None when nothing changed."""
        changed = (each.house for each in self._ledgers.values() if each.has_changed)
        return next((Proof(house.screening.id, house.version, now) for house in changed), None)

    def _answer_to(self, asked: Asked, now: datetime) -> Answer | Exception:
        """What an asker is told. What fails after the house changed fails the batch, and then the guilty one alone."""
        try:
            if replay := self._replay(asked):
                return replay
            ledger = self._ledger_of(asked)
            decision = decide(ledger.house, asked.command, now)
        except Refusal as refusal:
            return refusal.with_traceback(None)  # it would lead here, and from here to the refusal: a circle to collect
        except Exception as unforeseen:  # a mistake of ours in one decision is no reason to fail the others
            log.exception("a decision failed", extra={"request_id": asked.request_id})
            return unforeseen
        return self._enter(asked, ledger, decision, now)

    def _replay(self, asked: Asked) -> Answer | None:
        key = asked.key
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

    def _ledger_of(self, asked: Asked) -> Ledger:
        ledger = self._ledgers.get(asked.screening_id)
        if ledger is None:
            raise NotFound("screening")
        return ledger

    def _enter(self, asked: Asked, ledger: Ledger, decision: Decision, now: datetime) -> Answer:
        ledger.enter(decision, now, asked.asker_id, asked.request_id)
        told = answer(decision.outcome, ledger.house, asked.asker_id or 0, now)
        if key := asked.key:
            known = KnownKey(asked.screening_id, key.fingerprint, told, is_stored=False)
            self._keys[key.owner_id, key.value] = known
            self._stored.append((key, known))
        return told

    def _take_in(self, found: Found) -> None:
        for owner_id, value, fingerprint, user_id, created, location, body, at, screening_id in found.keys:
            told = Answer(body, user_id, at, created, location)
            self._keys[owner_id, value] = KnownKey(screening_id, fingerprint, told)
        for row in found.reservations:
            house = self._ledgers[row[0]].house
            reservation = reservation_of(row[:10])
            house.reservations[reservation.id] = reservation
            self._take_in_claims(row[10])
        for row in found.bookings:
            booking = booking_of(row)
            self._ledgers[row[0]].house.bookings[booking.id] = booking
            self._take_in_claims(row[11])
        self._take_in_claims(found.claims)
        self._take_in_claims(found.claims_of_users)

    def _take_in_claims(self, rows: Iterable[Row]) -> None:
        for screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason in rows:
            self._ledgers[screening_id].house.claims[seat_id] = Claim(
                seat_id, ClaimStatus(status), user_id, reservation_id, booking_id, expires_at, reason
            )

    def _leads_of(self, found: Found, batch: Sequence[Asked]) -> Wanted:
        """Reservations and bookings that the rows lead to: holds that ran out, and whatever an asker has."""
        leads = Wanted()
        askers = {(asked.screening_id, asked.asker_id) for asked in batch if not self._is_known(asked.key)}
        for screening_id, ledger in self._ledgers.items():
            house = ledger.house
            for claim in house.claims.values():
                is_an_askers = (screening_id, claim.user_id) in askers
                if claim.booking_id and is_an_askers and claim.booking_id not in house.bookings:
                    leads.bookings.add((screening_id, claim.booking_id))
                elif claim.status is ClaimStatus.HELD and (is_an_askers or not claim.is_live(found.now)):
                    leads.reservations.add((screening_id, reservation_of_hold(claim)))
            leads.reservations -= {(screening_id, known) for known in house.reservations}
            for reservation in house.reservations.values():
                if reservation.booking_id and reservation.booking_id not in house.bookings:
                    leads.bookings.add((screening_id, reservation.booking_id))
        return leads


def _screenings_of(batch: Sequence[Asked]) -> list[int]:
    return sorted({asked.screening_id for asked in batch})


def _wanted(batch: Sequence[Asked], layouts: Mapping[int, Layout]) -> Wanted:
    """The rows that the decisions of a batch may look at, as far as they are named."""
    wanted = Wanted()
    for asked in batch:
        if asked.key:
            wanted.keys.add((asked.key.owner_id, asked.key.value))
        if layout := layouts.get(asked.screening_id):
            _want(wanted, asked.screening_id, layout, asked.command)
    return wanted


def _want(wanted: Wanted, screening_id: int, layout: Layout, command: Command) -> None:
    match command:
        case Hold(seats=seats) | Book(seats=seats) | Toggle(seats=seats) | Block(seats=seats) | Unblock(seats=seats):
            try:
                wanted.seats.update((screening_id, seat.id) for seat in layout.find(seats))
            except UnknownSeats:
                return
            if isinstance(command, Toggle):
                wanted.users.add((screening_id, command.buyer.id))
        case ReleaseAll(buyer):
            wanted.users.add((screening_id, buyer.id))
        case Confirm() | Extend() | Release():
            wanted.reservations.add((screening_id, command.reservation_id))
        case Cancel():
            wanted.bookings.add((screening_id, command.booking_id))
        case Close():
            wanted.reservations.update((screening_id, each) for each in command.reservation_ids)
            wanted.bookings.update((screening_id, each) for each in command.booking_ids)
        case Expire(reservation_ids):
            wanted.reservations.update((screening_id, reservation_id) for reservation_id in reservation_ids)


async def _commit(connection: Counter) -> None:
    """Raises Unclear unless PostgreSQL said in so many words what became of it."""
    try:
        said = await connection.execute("COMMIT")
    except asyncpg.TransactionRollbackError:
        raise
    except Exception as broken:
        raise Unclear from broken
    if said != "COMMIT":
        raise asyncpg.TransactionRollbackError("the transaction had been rolled back")


async def _roll_back(connection: Counter) -> None:
    """Leave the connection clean, or not at all: hung up, PostgreSQL rolls back by itself."""
    try:
        await connection.execute("ROLLBACK")
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()
