"""One batch: read the clock and the rows, decide command by command, write. A refusal affects no other command.

If another process changes the same seats, the screenings are locked first, and all is one transaction. Otherwise one
statement reads and another writes, and the second checks that the rows of the decisions have not changed: if they have,
nothing is written. If only other seats have changed, the versions are raised by as many changes.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from typing import Final, Self

import asyncpg

from app.db.box_office import rows_written as table
from app.db.box_office import writing
from app.db.box_office.writing import Writes
from app.db.connections import LOST, OfficeConnection
from app.domain.box_office.commands import Block, Close, ReleaseAll, Settle, Toggle, Unblock
from app.domain.box_office.decide import decide
from app.domain.box_office.outcomes import Booked, Exchanged, GaveUp, Outcome, Paying
from app.domain.box_office.screening_state import Decision
from app.domain.idempotency import Key
from app.domain.refusals import NotFound, Refusal, SeatsUnavailable, UnknownSeats
from app.services.box_office.answers import Answer, answer
from app.services.box_office.books import Books, KnownKey, NeedsLock, Overtaken
from app.services.box_office.commits import CommitBroke, Served, Shifts, Unclear, commit, roll_back
from app.services.box_office.ledger import Ledger
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Latecomers, Pending
from app.services.running.beside import beside

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 0.01
"""After so long the rest of a batch is decided in the next turn of the loop: others are served meanwhile."""

_OF_THOUSANDS: Final = (Block, Unblock)
"""Commands that may name ten thousand seats."""

_LOOK_FURTHER: Final = (Toggle, ReleaseAll, Block, Unblock, Close)
"""Commands that are decided by more than the rows that they change: by all that somebody holds, by a seat that is in no
reservation. All others change a reservation or a booking, whose version shows whether it is as it was read, and make
claims where there are none, which the primary key sees to."""

_QUICKER: Final = (asyncpg.UniqueViolationError, asyncpg.NotNullViolationError)
"""What a write with the lock meets if a rival has used the same key, or has changed the status of a payment: what is
not as it was read becomes null."""


async def serve(connection: OfficeConnection, batch: list[Pending], opening: Opening, latecomers: Latecomers) -> Served:
    """Serve the batch in one transaction. Commands for the same screenings join it while it waits for locks.

    Raises asyncpg's errors if nothing was committed, and CommitBroke if that is not known; Overtaken, if somebody was
    quicker all the same: what changes no seat (a natural repeat with a key, a replay, word from a provider) needs no
    lock.
    """
    books = Books(opening, batch)
    await books.prepare(connection, batch)
    await connection.execute("BEGIN")
    try:
        batch += latecomers(await books.open_locked(connection, batch))
        decided = await _Decided.of(batch, books, await books.look(connection, batch))
        for writes in (await beside(decided.changes, decided.writes)).by_statement():
            await writing.write(connection, writes, of=books.of)
    except _QUICKER as quicker:
        await roll_back(connection)
        raise Overtaken from quicker
    except BaseException:
        await roll_back(connection)
        raise
    try:
        await asyncio.shield(commit(connection))
    except Unclear as unclear:
        raise decided.commit_broke() from unclear
    return decided.served()


async def serve_unlocked(connection: OfficeConnection, batch: Sequence[Pending], opening: Opening) -> Served:
    """As `serve`, with one statement that reads and one that writes.

    Raises Overtaken or NeedsLock if the batch must be served with a lock instead.
    """
    books = Books(opening, batch)
    decided = await _Decided.of(batch, books, await books.look_unlocked(connection, batch))
    match (await beside(decided.changes, decided.writes)).by_statement():
        case []:
            return decided.served()
        case [writes]:
            try:
                shifts = await asyncio.shield(writing.write(connection, writes, of=books.of))
            except LOST as lost:
                raise decided.commit_broke() from lost
            except asyncpg.IntegrityConstraintViolationError as overtaken:
                raise Overtaken from overtaken
            return decided.served(decided.by_screening(shifts))
        case _:
            raise NeedsLock


_NONE: Final[Shifts] = {}
_TELLS_MAP_VERSION: Final = (SeatsUnavailable, UnknownSeats)


class _Decided:
    """A batch whose commands are decided in order of arrival. Each decision sees the changes of those before it.

    The books have the changes. The answers are true once these are written.
    """

    @classmethod
    async def of(cls, batch: Sequence[Pending], books: Books, now: datetime) -> Self:
        """Decide all of them. `now` is the time of all decisions (UTC)."""
        decided, began = cls(batch, books, now), perf_counter()
        for pending in batch:
            if isinstance(pending.command, _OF_THOUSANDS):
                named = pending.command.seats
                told = await beside(len(named.ids) + len(named.labels), decided._answer_to, pending)
            else:
                told = decided._answer_to(pending)
            decided._answers.append(told)
            if perf_counter() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = perf_counter()
        return decided

    def __init__(self, batch: Sequence[Pending], books: Books, now: datetime) -> None:
        self._batch = batch
        self._ledgers = books.ledgers
        self._keys = books.keys
        self._now = now
        self._newcomers: list[int] = []
        self._stored: list[tuple[Key, KnownKey]] = []
        self._replayed: set[tuple[int, int, str]] = set()
        self._answers: list[Answer | Exception] = []

    @property
    def changes(self) -> int:
        """How many seats have changed, each as often as it did."""
        return sum(ledger.changes for ledger in self._ledgers.values())

    def writes(self) -> Writes:
        """The rows that differ from what was read, and the keys."""
        writes = Writes(self._now)
        for ledger in self._ledgers.values():
            ledger.write_to(writes)
        for newcomer_id in self._newcomers:
            writes.rows(table.GUESTS_MADE).append({"id": newcomer_id})
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
                {"screening_id": screening_id, "owner_id": owner_id, "key": value, "replayed_at": self._now}
            )
        return writes

    def by_screening(self, shifts: Sequence[int]) -> Shifts:
        """The shifts that the write has returned, by screening."""
        return {each: shifts[ledger.ordinal - 1] for each, ledger in self._ledgers.items() if ledger.ordinal}

    def served(self, shifts: Shifts = _NONE) -> Served:
        """The outcome of the batch after it was written, with the versions that were written."""
        answers = self._answers
        if any(shifts.values()):
            answers = [
                told.later(shifts.get(pending.screening_id, 0)) if isinstance(told, Answer) else told
                for pending, told in zip(self._batch, answers, strict=True)
            ]
            for screening_id, shift in shifts.items():
                self._ledgers[screening_id].move(shift)
        served = Served(answers)
        for pending, told in zip(self._batch, answers, strict=True):
            if isinstance(told, Answer):
                served.map_versions[pending.screening_id] = self._ledgers[pending.screening_id].map_version
            elif isinstance(told, _TELLS_MAP_VERSION):
                ledger = self._ledgers[pending.screening_id]
                told.map_version = ledger.map_version
                if isinstance(told, SeatsUnavailable):
                    told.releases_reserved_places = ledger.screening_state.screening.releases_reserved_places
        for screening_id in served.map_versions:
            if (ledger := self._ledgers[screening_id]).has_changed:
                served.news[screening_id] = ledger.news()
        for screening_id, ledger in self._ledgers.items():
            if (floor := ledger.screening_state.floor) is not None:
                served.floors[screening_id] = floor
        return served

    def commit_broke(self) -> CommitBroke:
        """The exception for a connection that was lost during the write."""
        proofs = [proof for ledger in self._ledgers.values() if (proof := ledger.proof(self._now))]
        return CommitBroke(sorted(self._ledgers), proofs, self.served)

    def _answer_to(self, pending: Pending) -> Answer | Exception:
        """The answer to a command.

        An exception after the state has changed fails the whole batch, then only this command.
        """
        try:
            if replay := self._replay(pending):
                return replay
            ledger = self._ledger_of(pending)
            decision = decide(ledger.screening_state, pending.command, self._now)
        except Refusal as refusal:
            return refusal.with_traceback(None)  # it would lead here, and from here to the refusal: a circle to collect
        except Exception as unforeseen:  # a mistake of ours in one decision is no reason to fail the others
            log.exception("unhandled exception in a decision", extra=pending.of_line)
            return unforeseen
        return self._enter(pending, ledger, decision)

    def _replay(self, pending: Pending) -> Answer | None:
        key = pending.key
        known = self._keys.stored_for(key, pending.screening_id) if key else None
        if key is None or known is None:
            return None
        if known.is_stored:
            self._replayed.add((known.screening_id, key.owner_id, key.value))
        return replace(known.answer, replayed=True)

    def _ledger_of(self, pending: Pending) -> Ledger:
        ledger = self._ledgers.get(pending.screening_id)
        if ledger is None:
            raise NotFound("screening")
        return ledger

    def _enter(self, pending: Pending, ledger: Ledger, decision: Decision) -> Answer:
        if decision.looked_further or isinstance(pending.command, _LOOK_FURTHER):
            ledger.must_be_as_read = True
        ledger.enter(decision, self._now, pending.asker_id, pending.request_id)
        if pending.is_newcomers and pending.asker_id is not None:
            self._newcomers.append(pending.asker_id)
        told = answer(decision.outcome, ledger.screening_state, pending.asker_id or 0, self._now)
        if told.version is not None and told.version <= ledger.version_before:
            told = told.settled()  # it tells what was so before this batch: no version that we hand out
        if key := self._key_for(pending, decision.outcome):
            known = KnownKey(pending.screening_id, key.fingerprint, told, is_stored=False)
            self._keys.add(key.owner_id, key.value, known)
            self._stored.append((key, known))
        return told

    def _key_for(self, pending: Pending, outcome: Outcome) -> Key | None:
        """The key under which an answer is stored. What is not decided yet is no answer; what was paid for later is
        stored under the key with which paying began, unless that was used meanwhile.
        """
        if isinstance(outcome, Paying | GaveUp):
            return None
        if not isinstance(pending.command, Settle):
            return pending.key
        plan = pending.command.payment.plan
        key = plan.key if plan else None
        is_new = (isinstance(outcome, Booked) and outcome.created) or isinstance(outcome, Exchanged)
        return key if is_new and key is not None and key not in self._keys else None
