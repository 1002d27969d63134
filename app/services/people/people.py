"""The stories of people: become a guest, and who am I."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.db.people.users import Account
from app.domain.people import Person
from app.domain.refusals import Forbidden, NotFound, Unauthenticated
from app.schemas.problems import reasons
from app.services.people.customers import NOBODYS_ID
from app.services.people.guests import Guests
from app.services.people.sessions import Sessions, Welcome


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who takes seats. `person` None: a caller without a token, who becomes a guest with their first seat."""

    person: Person | None = None


class People:
    """One per process. Opens its own transactions."""

    def __init__(self, engine: AsyncEngine, sessions: Sessions) -> None:
        self._engine = engine
        self._sessions = sessions
        self._guests = Guests(engine)

    async def new_guest(self, email: str | None = None) -> Welcome:
        """Create a guest with a session. It has no access to what an earlier guest with the same email has."""
        async with self._engine.begin() as connection:
            user_id = await users.insert_guest(connection, email)
            return await self._sessions.open(connection, Person(user_id, is_guest=True), era=0)

    async def guest_for(self, buyer: Buyer, email: str | None = None) -> Person:
        """The buyer, or a new guest, for a call that takes seats.

        A new guest is only durable with the commit of the seats.
        """
        return buyer.person or await self._guests.welcome(email)

    async def change_email(self, person: Person, email: str) -> Account:
        """Give the caller another email, and return their account.

        Raises Forbidden for the user of an API key, and Unauthenticated if the user does not exist any more.
        """
        if person.scopes is not None:
            raise Forbidden(reasons.USER_OF_API_KEY)
        async with self._engine.begin() as connection:
            await users.change_email(connection, person.id, email)
        return await self.me(person)

    async def me(self, person: Person) -> Account:
        """The caller's account, and what they have.

        Raises Unauthenticated if the user does not exist any more, NotFound for a customer who is not known yet.
        """
        if person.id == NOBODYS_ID:
            raise NotFound("customer")
        async with self._engine.connect() as connection:
            account = await users.account(connection, person.id)
        if account is None:
            raise Unauthenticated(reasons.USER_GONE)
        return account
