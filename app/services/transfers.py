"""Transfers: codes of seats that are offered to others, who has one, and what becomes of that.

A code is made from the id of its transfer and a secret of the installation. So a retry with the same idempotency key is
told the same code, and so is a giver who looks at what they offer, though nothing that is stored has it: neither the
transfer nor the answer under the key.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import bookings
from app.db import transfers as db
from app.db.ids import new_id
from app.db.transfers import FoundTransfer, ListedTransfer
from app.domain.box_office.commands import OfferTransfer, WithdrawTransfer
from app.domain.people.people import Person
from app.domain.refusals import NotFound
from app.domain.seats import SeatNames
from app.domain.transfer_codes import TransferCode, code_from, read_code
from app.domain.transfers import TransferSide, TransferStatus
from app.schemas.format.pages import after_uuid, page_of, uuid_cursor
from app.schemas.reservations import Json
from app.schemas.transfers import listed_transfer_out, transfer_json
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from app.services.desk import CallContext, Desk
from app.services.house.catalogue import Catalogue
from app.services.people.people import Buyer

_PERSON: Final = b"usher transfer"


class Codes:
    """Makes codes. All processes have the same secret; `previous` ones have made codes that may be told again."""

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        self._keys = [blake2b(each.encode(), digest_size=32, person=_PERSON).digest() for each in (secret, *previous)]

    def new(self, screening_id: int, transfer_id: UUID) -> TransferCode:
        """The code of a new transfer."""
        return _made(self._keys[0], screening_id, transfer_id)

    def again(self, screening_id: int, transfer_id: UUID, code_hash: bytes) -> TransferCode | None:
        """The code of a transfer, from what is stored of it. None: the secret that made it is forgotten."""
        made = (_made(key, screening_id, transfer_id) for key in self._keys)
        return next((code for code in made if code.hash == code_hash), None)


def _made(key: bytes, screening_id: int, transfer_id: UUID) -> TransferCode:
    named = b"%d.%b" % (screening_id, transfer_id.bytes)
    return code_from(blake2b(named, digest_size=32, key=key).digest(), screening_id)


class Transfers:
    """One per process."""

    def __init__(
        self, engine: AsyncEngine, box_office: BoxOffice, desk: Desk, catalogue: Catalogue, codes: Codes
    ) -> None:
        self._at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._one_moment = engine.execution_options(isolation_level="REPEATABLE READ")
        self._box_office = box_office
        self._desk = desk
        self._catalogue = catalogue
        self._codes = codes

    async def offer(self, person: Person, booking_id: UUID, seats: SeatNames | None, call: CallContext) -> Answer:
        """Offer seats of a booking of the person, or all of them. The answer has the code.

        Raises what domain.transferring.offer raises.
        """
        async with self._at_once.connect() as connection:
            found = await bookings.one(connection, booking_id, person.id)
        if found is None:
            raise NotFound("booking")
        screening_id, transfer_id = found[1], new_id()
        code = self._codes.new(screening_id, transfer_id)
        command = OfferTransfer(person, booking_id, seats, transfer_id, code.hash)
        told = await self._box_office.ask(screening_id, command, key=call.key, request_id=call.request_id)
        return self._with_code(told, screening_id)

    async def one(self, code: str) -> bytes:
        """What is offered under a code. Raises NotFound."""
        said, found = await self._found(code)
        listed, layout = await self._catalogue.listed(said.screening_id)
        return transfer_json(found.transfer, found.booking, listed, layout, found.now)

    async def newest(
        self, person: Person, side: TransferSide, screening_id: int | None, cursor: str | None, limit: int
    ) -> tuple[list[Json], str | None]:
        """A page of the person's transfers, as giver or as taker, newest first, and the cursor of the next page.

        Givers are told the codes of what may be accepted now.
        """
        async with self._one_moment.connect() as connection:
            found = await db.newest(
                connection,
                side,
                person.id,
                screening_id=screening_id,
                before=after_uuid(cursor) if cursor else None,
                at_most=limit + 1,
            )
        page = page_of(found, limit, lambda last: uuid_cursor(last.transfer.id))
        return [await self._written(each, side) for each in page.items], page.next_cursor

    async def withdraw(self, person: Person, code: str, call: CallContext) -> Answer:
        """Withdraw an offer of the person. Raises what domain.transferring.withdraw raises."""
        said, _ = await self._found(code)
        command = WithdrawTransfer(person, said.hash)
        return await self._box_office.ask(said.screening_id, command, key=call.key, request_id=call.request_id)

    async def accept(self, buyer: Buyer, code: str, call: CallContext) -> Answer:
        """Take what is offered. A caller without a token becomes a guest.

        Raises NotFound, and what domain.transferring.accept raises.
        """
        said, _ = await self._found(code)
        return await self._desk.accept_transfer(said.screening_id, said.hash, buyer, call)

    async def _found(self, code: str) -> tuple[TransferCode, FoundTransfer]:
        """What a code says, and its transfer. Raises NotFound: who guesses gets no further."""
        said = read_code(code)
        if said is not None:
            async with self._one_moment.connect() as connection:
                found = await db.with_code(connection, said.screening_id, said.hash)
            if found is not None:
                return said, found
        raise NotFound("transfer")

    async def _written(self, found: ListedTransfer, side: TransferSide) -> Json:
        listed, layout = await self._catalogue.listed(found.screening_id)
        transfer, booking = found.transfer, found.booking
        out = listed_transfer_out(transfer, booking, listed.screening, layout, found.now, side)
        if side is TransferSide.GIVER and out["status"] is TransferStatus.OFFERED:
            code = self._codes.again(found.screening_id, transfer.id, transfer.code_hash)
            out["code"] = None if code is None else str(code)
        return out

    def _with_code(self, told: Answer, screening_id: int) -> Answer:
        """The answer to an offer: what is stored says what its code is made from."""
        transfer_id, _, code_hash = (told.location or "").partition(".")
        code = self._codes.again(screening_id, UUID(transfer_id), bytes.fromhex(code_hash))
        if code is None:
            raise NotFound("transfer")
        head = b'{"code":%b,%b' % (orjson.dumps(str(code)), told.head.removeprefix(b"{"))
        return replace(told, head=head, location=f"/api/v1/transfers/{code}")
