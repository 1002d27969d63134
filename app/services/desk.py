"""The desk: the stories of taking seats and giving them back. Each sends one command to the box office.

The desk knows what the box office need not: whether the caller becomes a guest, which screening is meant, what was
paid, which seats are free.
"""

from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from cachetools import FIFOCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import bookings, reservations
from app.db.box_office import idempotency_keys
from app.db.ids import new_id
from app.db.screenings import Defaults
from app.domain.box_office.addresses import Address
from app.domain.box_office.commands import (
    AcceptTransfer,
    BeginBuying,
    BeginPaying,
    Block,
    Book,
    Cancel,
    Check,
    Command,
    Confirm,
    Exchange,
    Extend,
    Find,
    Hold,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
)
from app.domain.idempotency import Key
from app.domain.money import Money, total
from app.domain.people.people import Person
from app.domain.refusals import Busy, Flawed, NotFound, Refusal, ScreeningRequired, SeatsUnavailable, UnknownSeats
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from app.services.cashier import Cashier
from app.services.house.catalogue import CANDIDATES, Catalogue
from app.services.people.people import Buyer, People
from app.services.people.tokens import Tokens
from app.services.pictures import Pictures
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.seat_map import SeatMap

PLACES_KEPT: Final = 100_000

_FOR_GUESTS: Final = (Hold, Toggle, Book, BeginBuying, AcceptTransfer)
"""Commands by which callers without a token become guests."""


class CallContext(NamedTuple):
    """What comes with every call: its idempotency key, if it has one, and the request id for log lines."""

    key: Key | None = None
    request_id: str | None = None


class Meant(NamedTuple):
    """What the caller says about the screening: its id, or only its theater's, or nothing."""

    screening_id: int | None = None
    theater_id: int | None = None


class Desk:
    """One per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        box_office: BoxOffice,
        availability: Availability,
        catalogue: Catalogue,
        people: People,
        tokens: Tokens,
        cashier: Cashier,
        defaults: Defaults,
        pictures: Pictures,
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._box_office = box_office
        self._availability = availability
        self._catalogue = catalogue
        self._people = people
        self._tokens = tokens
        self._cashier = cashier
        self._defaults = defaults
        self._pictures = pictures
        # By number: the hash of a UUID is made in Python, and a cache asks for it often (*measured*: 0.6 µs of a hold).
        self._places: FIFOCache[int, int] = FIFOCache(PLACES_KEPT)

    async def hold(
        self,
        meant: Meant,
        seats: SeatNames,
        buyer: Buyer,
        call: CallContext,
        email: str | None = None,
        wish: Wish | None = None,
    ) -> Answer:
        """Hold seats for a few minutes: all of them, or none; those that are named, or the best for a wish. A caller
        without a token becomes a guest.

        Raises what domain.holding.hold raises, NotFound, ScreeningRequired and Busy.
        """
        if email is not None and buyer.person is None:
            return await self._hold_with_email(meant, seats, email, call, buyer.address)
        screening_id = await self._screening(meant, seats, call)
        person = buyer.person or await self._people.guest_for(buyer)
        reservation_id = new_id()
        command = Hold(person, seats, reservation_id, buyer.address, wish)
        answer = await self._take(screening_id, command, call, buyer)
        self._places[reservation_id.int] = screening_id
        return self._for_guest(answer, buyer)

    async def _hold_with_email(
        self, meant: Meant, seats: SeatNames, email: str, call: CallContext, address: Address | None
    ) -> Answer:
        """Hold seats for a new guest with this email. If they get nothing, nobody remembers them."""
        guest = await self._people.guest_with(email)
        try:
            answer = await self.hold(meant, seats, Buyer(guest, address), call)
        except Busy:
            raise  # it may have happened
        except Refusal:
            await self._people.forget(guest)
            raise
        if answer.user_id != guest.id:
            await self._people.forget(guest)
        return self._for_guest(answer, Buyer())

    async def toggle(self, screening_id: int, seats: SeatNames, buyer: Buyer, call: CallContext) -> Answer:
        """Hold those of the seats that are available, release those that the buyer holds. Raises as `hold` does."""
        person = await self._people.guest_for(buyer)
        command = Toggle(person, seats, new_id(), buyer.address)
        answer = await self._take(screening_id, command, call, buyer)
        return self._for_guest(answer, buyer)

    async def release_all(self, screening_id: int, person: Person, call: CallContext) -> Answer:
        """Release everything that the person holds in the screening."""
        return await self._ask(screening_id, ReleaseAll(person), call)

    async def release(
        self, person: Person, reservation_id: UUID, call: CallContext, seat_id: int | None = None
    ) -> Answer:
        """Release a reservation of the person, or one seat of it. Staff may release everybody's."""
        screening_id = await self._place_of(person, reservation_id)
        return await self._ask(screening_id, Release(person, reservation_id, seat_id), call)

    async def extend(
        self, person: Person, reservation_id: UUID, call: CallContext, address: Address | None = None
    ) -> Answer:
        """Extend a reservation of the person."""
        screening_id = await self._place_of(person, reservation_id)
        return await self._take(screening_id, Extend(person, reservation_id, address), call)

    async def confirm(
        self,
        person: Person,
        reservation_id: UUID,
        call: CallContext,
        method: str | None = None,
        token: str | None = None,
        address: Address | None = None,
    ) -> Answer:
        """Pay and book a reservation of the person: a booking, or what is being paid for. `address`: as for a hold.

        Raises PaymentDeclined and PaymentsUnavailable too; the hold stays then. Raises Flawed for an unknown token.
        """
        is_certain = self._cashier.is_certain(method, token)
        screening_id = await self._place_of(person, reservation_id)
        if is_certain:
            booking_id = new_id()
            paid = self._cashier.reference(booking_id), self._cashier.provider
            return await self._take(screening_id, Confirm(person, reservation_id, booking_id, *paid), call)
        attempt = self._cashier.attempt(call.key)
        begun = await self._take(screening_id, BeginPaying(person, reservation_id, attempt, address), call)
        return await self._cashier.charge(screening_id, begun, method, token)

    async def confirm_seat(self, person: Person, seat_id: int, screening_id: int | None, call: CallContext) -> Answer:
        """As `confirm`, for the person's reservation with this seat: the one that is held.

        If none is, the one that ran out and may be taken again; if none may, the one that there is. Raises NotFound,
        and ScreeningRequired if it may be one of several screenings.
        """
        async with self._engine.connect() as connection:
            known = None
            if screening_id is None and call.key is not None:
                known = await idempotency_keys.screening_of(connection, call.key)
            with_seat = partial(reservations.with_seat, connection, person.id, seat_id, self._defaults)
            found = (known and await with_seat(known)) or await with_seat(screening_id)
        if not found:
            raise NotFound("reservation")
        meant = (
            [each for each in found if each.is_held]
            or [each for each in found if each.may_be_taken_again]
            or [each for each in found if each.is_to_come]
            or found
        )
        if len(meant) > 1:
            raise ScreeningRequired(tuple(each.screening for each in meant[:CANDIDATES]))
        return await self.confirm(person, meant[0].id, call)

    async def book(
        self,
        meant: Meant,
        seats: SeatNames,
        buyer: Buyer,
        call: CallContext,
        method: str | None = None,
        token: str | None = None,
        wish: Wish | None = None,
    ) -> Answer:
        """Pay and book seats directly, held by the buyer or by nobody. Raises as `hold` and `confirm` do."""
        is_certain = self._cashier.is_certain(method, token)
        screening_id = await self._screening(meant, seats, call)
        person = await self._people.guest_for(buyer)
        if is_certain:
            booking_id = new_id()
            reference, provider = self._cashier.reference(booking_id), self._cashier.provider
            command = Book(person, seats, booking_id, reference, wish, provider)
            return self._for_guest(await self._take(screening_id, command, call, buyer), buyer)
        attempt = self._cashier.attempt(call.key)
        buying = BeginBuying(person, seats, new_id(), attempt, wish, buyer.address)
        begun = await self._take(screening_id, buying, call, buyer)
        return self._for_guest(await self._cashier.charge(screening_id, begun, method, token), buyer)

    async def accept_transfer(self, screening_id: int, code_hash: bytes, buyer: Buyer, call: CallContext) -> Answer:
        """Take the seats that are offered under a code. Raises what domain.transferring.accept raises."""
        person = await self._people.guest_for(buyer)
        command = AcceptTransfer(person, code_hash, new_id())
        return self._for_guest(await self._take(screening_id, command, call, buyer), buyer)

    async def best_available(
        self, screening_id: int, wish: Wish, max_price_minor: int | None, request_id: str | None
    ) -> Answer:
        """What a hold with this wish would take now. Raises what that would raise."""
        try:
            return await self._ask(screening_id, Find(wish, max_price_minor), CallContext(None, request_id))
        except Flawed as flawed:
            errors = (replace(flaw, loc=flaw.loc[1:2], place="query") for flaw in flawed.errors)
            raise Flawed(tuple(errors)) from None

    async def check(self, screening_id: int, seats: SeatNames, buyer: Buyer, request_id: str | None) -> Answer:
        """Whether these seats could be held, and what they cost. Raises what holding them would raise."""
        command = Check(buyer.person, seats, buyer.address)
        return await self._take_seats(screening_id, command, CallContext(None, request_id), buyer)

    async def cost(self, screening_id: int, seats: SeatNames) -> Money:
        """What these seats cost now. Raises NotFound and UnknownSeats."""
        screening, layout = await self._catalogue.standing(screening_id)
        prices = (screening.price_of(seat.category) for seat in layout.find(seats))
        return total(prices, screening.currency)

    async def cancel(
        self,
        person: Person,
        booking_id: UUID,
        call: CallContext,
        seat_id: int | None = None,
        reason: str | None = None,
    ) -> Answer:
        """Cancel a booking, or one seat of it. Organizers may cancel everybody's. `reason`: why, for the house."""
        async with self._engine.connect() as connection:
            found = await bookings.one(connection, booking_id, None if person.runs_the_house else person.id)
        if found is None:
            raise NotFound("booking")
        answer = await self._ask(found[1], Cancel(person, booking_id, seat_id, reason), call)
        self._cashier.money_goes_back()
        return answer

    async def exchange(
        self,
        person: Person,
        booking_id: UUID,
        give: SeatNames,
        take: SeatNames,
        call: CallContext,
        method: str | None = None,
        token: str | None = None,
        wish: Wish | None = None,
    ) -> Answer:
        """Give seats of a booking and take as many others, named or the best for a wish: the booking, or what is being
        paid for. Organizers may exchange everybody's.

        Raises what domain.exchanging.exchange raises, PaymentDeclined and PaymentsUnavailable: then nothing changed.
        """
        is_certain = self._cashier.is_certain(method, token)
        async with self._engine.connect() as connection:
            found = await bookings.one(connection, booking_id, None if person.runs_the_house else person.id)
        if found is None:
            raise NotFound("booking")
        booking, screening_id = found
        payment = self._cashier.at_once() if is_certain else self._cashier.attempt(call.key)
        reservation_id = new_id()
        command = Exchange(person, booking.user_id, booking_id, give, take, reservation_id, payment, wish)
        try:
            answer = await self._take(screening_id, command, call)
        except Flawed as flawed:
            errors = (
                replace(flaw, loc=("take", *flaw.loc)) if "best_available" in flaw.loc else flaw
                for flaw in flawed.errors
            )
            raise Flawed(tuple(errors)) from None
        answer = await self._cashier.charge(screening_id, answer, method, token)
        self._cashier.money_goes_back()
        return answer

    async def block(
        self,
        screening_id: int,
        seats: SeatNames,
        reason: str | None,
        person: Person,
        call: CallContext,
        *,
        when_free: bool = False,
    ) -> Answer:
        """Block those of the seats that are available; `when_free`: those that are held as soon as their holds end."""
        return await self._take(screening_id, Block(person, seats, reason, when_free), call)

    async def unblock(self, screening_id: int, seats: SeatNames, person: Person, call: CallContext) -> Answer:
        """Unblock seats."""
        return await self._take(screening_id, Unblock(person, seats), call)

    async def _take(self, screening_id: int, command: Command, call: CallContext, buyer: Buyer | None = None) -> Answer:
        """As `_ask`, for commands that take seats: a refusal also says which seats are free.

        A guest who was written down before, and gets nothing, is forgotten.
        """
        came_alone = buyer is not None and buyer.person is None
        guest = command.buyer if came_alone and isinstance(command, _FOR_GUESTS) else None
        if guest is None or guest.is_new:
            return await self._take_seats(screening_id, command, call, buyer)
        try:
            answer = await self._take_seats(screening_id, command, call, buyer)
        except Busy:
            raise  # it may have happened
        except Refusal:
            await self._people.forget(guest)
            raise
        if answer.user_id != guest.id:
            await self._people.forget(guest)
        return answer

    async def _take_seats(
        self, screening_id: int, command: Command, call: CallContext, buyer: Buyer | None = None
    ) -> Answer:
        try:
            return await self._ask(screening_id, command, call)
        except SeatsUnavailable as refusal:
            refusal.came_without_token = buyer is not None and buyer.person is None
            taken = {seat.label for seat in refusal.seats}
            seat_map = await self._map(screening_id, refusal.map_version)
            free = await seat_map.nearest_labels(refusal.seats[0].seat_id)
            if refusal.wanted:
                refusal.suggestions = await self._suggestions(seat_map, refusal)
            refusal.available_seats = (
                free if taken.isdisjoint(free) else tuple(each for each in free if each not in taken)
            )
            raise
        except UnknownSeats as refusal:
            refusal.available_seats = await self._free_labels(screening_id, None, refusal.map_version)
            raise

    async def _suggestions(self, seat_map: SeatMap, refusal: SeatsUnavailable) -> tuple[tuple[str, ...], ...]:
        wanted, released = refusal.wanted, refusal.releases_reserved_places
        known = seat_map.known_suggestions(wanted, released=released)
        if known is not None:
            return known
        picture = await self._pictures.of(seat_map.texts.layout)
        return seat_map.suggestions(picture, wanted, released=released)

    async def _ask(self, screening_id: int, command: Command, call: CallContext) -> Answer:
        return await self._box_office.ask(screening_id, command, key=call.key, request_id=call.request_id)

    async def _free_labels(
        self, screening_id: int, near: int | None, map_version: int | None = None
    ) -> tuple[str, ...]:
        """What is free in a map version that is known, or in a later one; otherwise what is free now."""
        return await (await self._map(screening_id, map_version)).nearest_labels(near)

    async def _map(self, screening_id: int, map_version: int | None) -> SeatMap:
        """The map in a version that is known, or in a later one; otherwise of now."""
        if map_version is None:
            return await self._availability.of(screening_id)
        return await self._availability.at_least(screening_id, map_version)

    async def _free_labels_anywhere(self) -> tuple[str, ...]:
        """What GET /seats lists: seats of the next screening on sale, if there is one."""
        screening_id = await self._catalogue.next_on_sale()
        return () if screening_id is None else await self._free_labels(screening_id, near=None)

    async def _screening(self, meant: Meant, seats: SeatNames, call: CallContext) -> int:
        """The screening that is meant (docs/api.md, section 5); that of the first request, when its key comes again."""
        if meant.screening_id is not None:
            if meant.theater_id is not None:
                await self._catalogue.screening_of_theater(meant.theater_id, meant.screening_id)
            return meant.screening_id
        if call.key is not None:
            async with self._engine.connect() as connection:
                known = await idempotency_keys.screening_of(connection, call.key)
            if known is not None:
                return known
        if meant.theater_id is not None:
            return await self._catalogue.for_write(meant.theater_id)
        try:
            return await self._catalogue.for_seat_names(seats)
        except UnknownSeats as refusal:
            refusal.available_seats = await self._free_labels_anywhere()
            raise

    async def _place_of(self, person: Person, reservation_id: UUID) -> int:
        """The screening of a reservation: remembered if it was made here lately, looked up otherwise."""
        screening_id = self._places.get(reservation_id.int)
        if screening_id is None:
            async with self._engine.connect() as connection:
                screening_id = await reservations.screening_of(
                    connection, None if person.is_staff else person.id, reservation_id
                )
            if screening_id is None:
                raise NotFound("reservation")
            self._places[reservation_id.int] = screening_id
        return screening_id

    def _for_guest(self, answer: Answer, buyer: Buyer) -> Answer:
        """The answer to a newcomer carries their token; a replay carries the same one, to the byte."""
        if buyer.person is not None:
            return answer
        token_id = f"{answer.user_id:x}.{answer.at.timestamp() * 1_000_000:.0f}"
        token = self._tokens.guest_token(answer.user_id, answer.at, token_id)
        return answer.with_member("guest_token", token)
