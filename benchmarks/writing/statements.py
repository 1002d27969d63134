"""`python -m benchmarks.writing.statements`: writes down what the box office says to PostgreSQL, batch by batch.

The box office's own code runs, on a PostgreSQL that is played from memory: what it is asked is what is written down.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import app.db.box_office
from app.db.box_office import buyers, questions
from app.db.box_office.rows_read import KeyRow
from app.db.connections import OfficeConnection
from app.domain.box_office.addresses import Address
from app.domain.box_office.commands import (
    AcceptTransfer,
    AtOnce,
    Block,
    Book,
    Cancel,
    Close,
    Command,
    Confirm,
    Exchange,
    Expire,
    Extend,
    Hold,
    OfferTransfer,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
    WithdrawTransfer,
)
from app.domain.box_office.decide import decide
from app.domain.idempotency import Key
from app.domain.people.people import Person, Role
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from app.services.box_office.answers import Answer
from app.services.box_office.batch import serve, serve_unlocked
from app.services.box_office.commits import CommitBroke, happened
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Pending
from benchmarks.played import DEFAULTS, FACTS, OneLayout, Played
from benchmarks.writing.sql_format import laid_out

_PLACE: Final = Path(app.db.box_office.__file__)
FILES: Final = {
    False: _PLACE.with_name("statements.sql"),
    True: _PLACE.with_name("statements_per_screening.sql"),
}
"""One for each way of batching: by whether BATCH_PER_SCREENING is on."""

ABOUT: Final = """\
-- What the box office says to PostgreSQL. `make statements` writes this file from the code; a test compares the two.
--
-- A batch without a lock is one statement that reads and one that writes, which is a transaction by itself. Each batch
-- below is of one command: one of many commands reads and writes what all of them need, in as many statements.
-- A statement that writes has the time of the batch in $1, and in each other parameter all rows of one kind, as JSON.
"""
_ABOUT_ONE: Final = """\
-- What the box office says to PostgreSQL with BATCH_PER_SCREENING=on. `make statements` writes this file from the code;
-- a test compares the two. Each batch is of one screening, which is a parameter in every table of every statement: $1
-- in those that read, $2 in those that write, after the time of the batch. So a PostgreSQL of many nodes (Citus) knows
-- the node. There each part of a statement that writes is carried out by itself, in this order.
"""

_ANN, _BOB, _HOUSE = Person(1), Person(2), Person(3, Role.ORGANIZER)
_KEY: Final = Key(_ANN.id, "key", b"")
_WHAT: Final = {
    questions.LOCK: "locks the screenings",
    questions.LOCK_ONE: "locks the screening",
    buyers._BUYERS: "reads who is one buyer with whom",
    buyers._LOCK: "locks the buyers",
    buyers._HOLDS: "reads what they hold",
    buyers._BOOKINGS: "reads what they have booked",
    questions.WRITTEN: "was it written?",
    questions.FENCE: "if not, it never will be",
}


class Rehearsal:
    """Asks for one batch after the other, and notes what is said in each."""

    def __init__(self, *, per_screening: bool) -> None:
        self.said: dict[str, list[str]] = {}
        self._opening = Opening(OneLayout(), DEFAULTS, per_screening=per_screening)
        self._numbers = iter(range(1, 100))

    def new_id(self) -> UUID:
        return UUID(int=next(self._numbers))

    async def ask(
        self, about: str | None, played: Played, command: Command, key: Key | None = None, *, with_lock: bool = False
    ) -> Answer:
        """One command, a second later, in a batch of its own. What it changes is so from then on.

        `about` None: what is said is not noted.
        """
        connection = cast("OfficeConnection", played)
        pending = Pending(FACTS.id, command, key, None, 0.0, asyncio.get_running_loop().create_future())
        await self._opening.open(played.screening)  # what was never seen is locked
        played.now += timedelta(seconds=1)
        played.said = []
        if about is not None:
            self.said[about] = played.said
        if with_lock:
            served = await serve(connection, [pending], self._opening, lambda _: [])
        else:
            served = await serve_unlocked(connection, [pending], self._opening)
        [answer] = served.answers
        if not isinstance(answer, Answer):
            raise answer
        if not answer.replayed:
            played.state.apply(decide(played.state, command, played.now), played.now)
        return answer

    async def broken(self, about: str, played: Played, command: Command) -> None:
        """The connection breaks while this is written, and nothing of it is found."""
        played.breaks = True
        try:
            await self.ask(None, played, command)
        except CommitBroke as broke:
            played.said = self.said[about] = []
            await happened(cast("OfficeConnection", played), broke)


async def rehearse(*, per_screening: bool) -> dict[str, list[str]]:
    """What is said in each of the usual batches, by name."""

    def anew(**changes: Any) -> Played:
        return Played(**changes, per_screening=per_screening)

    rehearsal, played = Rehearsal(per_screening=per_screening), anew()
    await _holds(rehearsal, played)
    await _seats_of_the_house(rehearsal, played)
    await _bookings(rehearsal, played)
    await _transfers(rehearsal, anew())
    newcomer = Person(4, is_guest=True, is_new=not per_screening)
    await rehearsal.ask("hold, without a token", anew(), _hold(rehearsal, 1, newcomer))
    counted = replace(_hold(rehearsal, 1, newcomer), address=Address(b"address", b"network", 20))
    await rehearsal.ask("hold, without a token, where addresses are counted", anew(), counted)
    await rehearsal.ask("hold, after rivals were met", anew(), _hold(rehearsal, 1), with_lock=True)
    await _best_seats(rehearsal, anew())
    limited = anew(facts=FACTS._replace(max_active_reservations_per_user=3))
    await rehearsal.ask("hold, in a screening that limits each buyer", limited, _hold(rehearsal, 1), with_lock=True)
    await rehearsal.broken("the connection broke while a hold was written", anew(), _hold(rehearsal, 1))
    return rehearsal.said


def _hold(rehearsal: Rehearsal, number: int, person: Person = _ANN) -> Hold:
    return Hold(person, _seat(number), rehearsal.new_id())


def _seat(number: int) -> SeatNames:
    return SeatNames(ids=(number,))


async def _holds(rehearsal: Rehearsal, played: Played) -> None:
    ask, hold = rehearsal.ask, _hold(rehearsal, 1)
    await ask("hold", played, _hold(rehearsal, 2, _BOB))
    told = await ask("hold, with a key", played, hold, _KEY)
    played.keys.append(
        KeyRow(
            owner_id=_KEY.owner_id,
            key=_KEY.value,
            fingerprint=_KEY.fingerprint,
            user_id=told.user_id,
            created=told.created,
            location=told.location,
            body=told.body,
            created_at=told.at,
            screening_id=FACTS.id,
        )
    )
    await ask("replay: the same key again", played, hold, _KEY)
    await ask("extend", played, Extend(_ANN, hold.reservation_id))
    await ask("release", played, Release(_ANN, hold.reservation_id))
    await ask(None, played, _hold(rehearsal, 1))
    await ask("toggle: one more seat", played, Toggle(_ANN, _seat(3), rehearsal.new_id()))
    await ask("toggle: one seat less", played, Toggle(_ANN, _seat(3), rehearsal.new_id()))
    await ask("release all", played, ReleaseAll(_ANN))
    played.now += timedelta(hours=1)
    await ask("hold: a seat whose hold has run out", played, _hold(rehearsal, 2))
    played.now += timedelta(hours=1)
    await ask("expire: what the sweeper found", played, Expire(tuple(played.state.reservations)[-1:]))


async def _best_seats(rehearsal: Rehearsal, played: Played) -> None:
    """Once nothing is known of the screening, and once it is known how it was before."""

    def best() -> Hold:
        return Hold(_ANN, SeatNames(), rehearsal.new_id(), wish=Wish(2))

    await rehearsal.ask("hold: the best available, in a screening where nobody looked before", played, best())
    await rehearsal.ask("hold: the best available, where too much was missed", played, best())


async def _seats_of_the_house(rehearsal: Rehearsal, played: Played) -> None:
    await rehearsal.ask("block", played, Block(_HOUSE, _seat(6), "a broken light"))
    await rehearsal.ask("unblock", played, Unblock(_HOUSE, _seat(6)))


async def _bookings(rehearsal: Rehearsal, played: Played) -> None:
    ask, hold, key = rehearsal.ask, _hold(rehearsal, 4), Key(_ANN.id, "another", b"")
    await ask(None, played, hold)
    confirm = Confirm(_ANN, hold.reservation_id, rehearsal.new_id(), "paid")
    await ask("confirm, with a key", played, confirm, key)
    await ask("cancel", played, Cancel(_ANN, confirm.booking_id))
    book = Book(_ANN, _seat(5), rehearsal.new_id(), "paid")
    await ask("book: seats that nobody holds", played, book)
    charge = AtOnce(rehearsal.new_id(), "more")
    exchange = Exchange(_ANN, _ANN.id, book.booking_id, _seat(5), _seat(7), rehearsal.new_id(), charge)
    await ask("exchange", played, exchange)
    played.cancel()
    await ask("close: what stands in a cancelled screening", played, Close(_HOUSE, (), (book.booking_id,)))


async def _transfers(rehearsal: Rehearsal, played: Played) -> None:
    ask, book = rehearsal.ask, Book(_ANN, SeatNames(ids=(4, 5)), rehearsal.new_id(), "paid")
    await ask(None, played, book)
    offer = OfferTransfer(_ANN, book.booking_id, _seat(4), rehearsal.new_id(), b"a code")
    await ask("offer: one seat of a booking", played, offer, with_lock=True)
    await ask("withdraw an offer", played, WithdrawTransfer(_ANN, b"a code"), with_lock=True)
    offer = OfferTransfer(_ANN, book.booking_id, _seat(4), rehearsal.new_id(), b"another code")
    await ask(None, played, offer, with_lock=True)
    accept = AcceptTransfer(_BOB, b"another code", rehearsal.new_id())
    await ask("accept what is offered", played, accept, with_lock=True)


async def text(*, per_screening: bool = False) -> str:
    """The file, as the code has it. What was said before is not said again."""
    known: dict[str, str] = {}
    pieces = [_ABOUT_ONE if per_screening else ABOUT]
    for about, said in (await rehearse(per_screening=per_screening)).items():
        pieces.append(f"\n-- === {about} ===\n")
        has_read = False
        for statement in said:
            if statement in ("BEGIN", "COMMIT"):
                pieces.append(f"\n{statement};\n")
                continue
            what = "writes" if statement.startswith(("WITH", "INSERT")) else _WHAT.get(statement, "reads")
            if what == "reads" and has_read:
                what = "reads what that leads to"
            has_read = has_read or what == "reads"
            if (first := known.setdefault(statement, about)) != about:
                pieces.append(f'\n-- {what}, as in "{first}"\n')
            else:
                pieces.append(f"\n-- {what}\n{laid_out(statement)};\n")
    return "".join(pieces)


def main() -> None:
    """Write the files."""
    for per_screening, file in FILES.items():
        file.write_text(asyncio.run(text(per_screening=per_screening)))


if __name__ == "__main__":
    main()
