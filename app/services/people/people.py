"""The stories of people: somebody comes as a guest, somebody asks who they are."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.db.people.users import Account
from app.domain.people import Person
from app.domain.refusals import Unauthenticated
from app.schemas.problems import reasons
from app.services.people.guests import Guests
from app.services.people.sessions import Sessions, Welcome


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whoever wants seats. `person` None: nobody knows them yet, and they become a guest with their first seat."""

    person: Person | None = None


class People:
    """What can be asked about people. Opens its own transactions."""

    def __init__(self, engine: AsyncEngine, sessions: Sessions) -> None:
        self._engine = engine
        self._sessions = sessions
        self._guests = Guests(engine)

    async def new_guest(self, email: str | None = None) -> Welcome:
        """Make a guest who stays, with a session. An email opens nothing that an earlier guest with it did."""
        async with self._engine.begin() as connection:
            user_id = await users.insert_guest(connection, email)
            return await self._sessions.open(connection, Person(user_id, is_guest=True), era=0)

    async def guest_for(self, buyer: Buyer, email: str | None = None) -> Person:
        """The buyer, or a new guest in their place, for a call that takes seats.

        The guest is durable with the commit of the seats that follows, not before.
        """
        return buyer.person or await self._guests.welcome(email)

    async def me(self, person: Person) -> Account:
        """Who the caller is and what they have. Raises Unauthenticated when the user is no longer there."""
        async with self._engine.connect() as connection:
            account = await users.account(connection, person.id)
        if account is None:
            raise Unauthenticated(reasons.USER_GONE)
        return account
