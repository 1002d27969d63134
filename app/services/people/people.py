"""The stories of people: become a guest, and who am I."""

from contextlib import suppress
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import screenings
from app.db.house import theaters
from app.db.people import emails, users
from app.db.people.users import Account
from app.db.screenings import Defaults
from app.domain.box_office.addresses import Address
from app.domain.box_office.limits import made_today
from app.domain.people.people import Person, Role
from app.domain.refusals import Forbidden, NotFound, Unauthenticated
from app.schemas.people.people import MeOut
from app.schemas.problems import reasons
from app.services.people.customers import NOBODYS_ID
from app.services.people.guests import Guests
from app.services.people.sessions import Sessions, Welcome


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who takes seats. `person` None: a caller without a token, who becomes a guest with their first seat.

    `address`: from where a caller without an account asks, if that is limited.
    """

    person: Person | None = None
    address: Address | None = None


class People:
    """One per process. Opens its own transactions."""

    def __init__(
        self, engine: AsyncEngine, sessions: Sessions, defaults: Defaults, *, guests_first: bool = False
    ) -> None:
        """`guests_first`: guests are written before what they take, in a transaction of their own."""
        self._engine = engine
        # What is read need not be of one moment, and one question that fails must not end the others.
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._defaults = defaults
        self._sessions = sessions
        self._guests = Guests(engine)
        self._guests_first = guests_first

    async def new_guest(self, email: str | None = None) -> Welcome:
        """Create a guest with a session. It has no access to what an earlier guest with the same email has."""
        async with self._engine.begin() as connection:
            user_id = await users.insert_guest(connection, email)
            return await self._sessions.open(connection, Person(user_id, is_guest=True), era=0)

    async def guest_for(self, buyer: Buyer) -> Person:
        """The buyer, or a new guest, for a call that takes seats. The guest is written down with what they take.

        Or before: then whoever gets nothing must be forgotten. Raises what PostgreSQL raises.
        """
        if buyer.person is not None:
            return buyer.person
        return await self._guests.written() if self._guests_first else self._guests.newcomer()

    async def guest_with(self, email: str) -> Person:
        """A new guest with an email, written down at once: limits have to find them by it."""
        async with self._engine.begin() as connection:
            return Person(await users.insert_guest(connection, email), is_guest=True)

    async def forget(self, guest: Person) -> None:
        """Delete a guest who was made for one call, and got nothing by it. One who has anything all the same stays."""
        with suppress(IntegrityError):
            async with self._engine.begin() as connection:
                await users.forget_guest(connection, guest.id)

    async def change_email(self, person: Person, email: str) -> MeOut:
        """Give the caller another email, and return their account.

        Raises Forbidden for the user of an API key, and Unauthenticated if the user does not exist any more.
        """
        if person.scopes is not None:
            raise Forbidden(reasons.USER_OF_API_KEY)
        async with self._engine.begin() as connection:
            await users.change_email(connection, person.id, email)
        return await self.me(person)

    async def me(self, person: Person, screening_id: int | None = None) -> MeOut:
        """The caller's account, and what they have. A booking is of today as long as it is today in its theater.

        With a screening, today is that of its theater; and if it limits bookings, those are counted that its limit
        counts. Raises Unauthenticated if the user does not exist any more, and NotFound, also for a customer who is
        not known yet.
        """
        if person.id == NOBODYS_ID:
            raise NotFound("customer")
        async with self._reading.connect() as connection:
            account = await users.account(connection, person.id)
            if account is None:
                raise Unauthenticated(reasons.USER_GONE)
            if screening_id is None:
                recent = await users.recent_bookings(connection, [account.id], account.now)
                today = sum(made_today([each.created_at], ZoneInfo(each.timezone), account.now) for each in recent)
            else:
                today = await self._counted_by(connection, account, screening_id)
        return MeOut(
            id=account.id,
            username=account.username,
            email=account.email,
            role=Role(account.role),
            is_guest=account.is_guest,
            active_reservations=account.active_reservations,
            bookings_today=today,
        )

    async def _counted_by(self, connection: AsyncConnection, account: Account, screening_id: int) -> int:
        """The bookings of today as the limit of this screening counts them; only the user's own if it has none."""
        listed = await screenings.one(connection, screening_id, self._defaults)
        theater = await theaters.one(connection, listed.screening.theater_id) if listed else None
        if listed is None or theater is None:
            raise NotFound("screening")
        is_limited = listed.screening.limits.bookings_per_user_per_day is not None
        members = await emails.same_buyer(connection, account.id) if is_limited else [account.id]
        recent = await users.recent_bookings(connection, members, account.now)
        return made_today((each.created_at for each in recent), ZoneInfo(theater.timezone), account.now)
