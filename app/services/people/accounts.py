"""The stories of accounts: register, sign in, change the password, delete."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import reservations
from app.db.people import accounts
from app.db.people.accounts import Credentials
from app.domain import usernames
from app.domain.box_office.commands import ReleaseAll
from app.domain.people import Person, Role
from app.domain.refusals import Forbidden, NotFound, Unauthenticated, UsernameTaken
from app.schemas.format.faults import mistake
from app.schemas.problems import reasons
from app.services.box_office.office import BoxOffice
from app.services.people.joining import Joining, no_guest
from app.services.people.passwords import Passwords
from app.services.people.revocations import Revocations
from app.services.people.sessions import Sessions, Welcome


class Accounts:
    """One per process. Opens its own transactions, and holds no connection while a password is hashed."""

    def __init__(
        self,
        engine: AsyncEngine,
        passwords: Passwords,
        sessions: Sessions,
        revocations: Revocations,
        box_office: BoxOffice,
        joining: Joining,
    ) -> None:
        self._engine = engine
        self._passwords = passwords
        self._sessions = sessions
        self._revocations = revocations
        self._box_office = box_office
        self._joining = joining

    async def register(
        self,
        username: str,
        email: str | None,
        password: str,
        caller: Person | None = None,
        guest_token: str | None = None,
    ) -> Person:
        """Create an account for a customer. If the caller is a guest, they become the account, with all that they have;
        so does the guest whose token is given.

        Raises UsernameTaken, Malformed for a token of no guest, and Busy if too many passwords are waiting.
        """
        if guest_token is not None:
            guest = Person(self._joining.welcome(guest_token).user_id, is_guest=True)
            if caller is not None and caller.is_guest and caller.id != guest.id:
                raise mistake(["body", "guest_token"], "guest_token", reasons.TWO_GUESTS)
            caller = guest
        key = usernames.key(username)
        async with self._engine.connect() as connection:
            if await accounts.credentials_of(connection, key):
                raise UsernameTaken
        kept = await self._passwords.hash(password)
        async with self._engine.begin() as connection:
            if (
                caller is not None
                and caller.is_guest
                and await accounts.become_account(connection, caller.id, username, key, email, kept)
            ):
                return Person(caller.id)
            if guest_token is not None:
                raise no_guest()
            return Person(await accounts.insert_account(connection, username, key, email, kept, Role.CUSTOMER))

    async def login(
        self, username: str, password: str, guest_token: str | None = None, request_id: str | None = None
    ) -> Welcome:
        """Open a session. What a guest has becomes the account's, if their token is given.

        Raises Busy, Unauthenticated, and Malformed for a token of no guest. Whether the user exists shows neither in
        the answer nor in the time that it takes.
        """
        guest = None if guest_token is None else self._joining.guest_of(guest_token)
        async with self._engine.connect() as connection:
            found = await accounts.credentials_of(connection, usernames.key(username))
        is_right, better = await self._passwords.verify(password, found.password_hash if found else None)
        if found is None or found.password_hash is None or not is_right:
            raise Unauthenticated(reasons.LOGIN_WRONG)
        if guest is not None:
            await self._joining.take_along(guest, found.id, request_id)
        async with self._engine.begin() as connection:
            if better is not None:
                await accounts.rehash(connection, found.id, found.password_hash, better)
            return await self._sessions.open(connection, Person(found.id, Role(found.role)), found.era)

    async def change_password(self, person: Person, session_id: UUID | None, current: str, new: str) -> None:
        """Change the password, and end all other sessions of the user.

        Raises Forbidden if `current` is wrong or the user has no password, and Busy.
        """
        found = await self._credentials(person)
        if found.password_hash is None:
            raise Forbidden(reasons.PASSWORD_MISSING)
        kept = found.password_hash
        if not (await self._passwords.verify(current, kept))[0]:
            raise Forbidden(reasons.PASSWORD_WRONG)
        hashed = await self._passwords.hash(new)
        async with self._engine.begin() as connection:
            era = await accounts.change_password(connection, person.id, kept, hashed, session_id)
        if era is None:
            raise Forbidden(reasons.PASSWORD_CHANGED)
        self._revocations.began(era)

    async def delete(self, person: Person, password: str | None, request_id: str | None = None) -> None:
        """Delete a user's personal data, end their sessions, and release what they hold. Bookings stay, without a name.

        A guest has no password and needs none. Raises Forbidden if it is wrong, Malformed if it is missing, and Busy.
        """
        found = await self._credentials(person)
        if found.password_hash is not None:
            if password is None:
                raise mistake(["body", "password"], "missing", "The password is needed to delete the account.")
            if not (await self._passwords.verify(password, found.password_hash))[0]:
                raise Forbidden(reasons.PASSWORD_WRONG)
        elif not found.is_guest:
            raise Forbidden(reasons.USER_OF_API_KEY)
        async with self._engine.begin() as connection:
            era = await accounts.delete(connection, person.id, found.password_hash)
        if era is None:
            raise Forbidden(reasons.ACCOUNT_CHANGED)
        self._revocations.began(era)
        await self._release_everything(person, request_id)

    async def _credentials(self, person: Person) -> Credentials:
        async with self._engine.connect() as connection:
            found = await accounts.credentials(connection, person.id)
        if found is None:
            raise Unauthenticated(reasons.USER_GONE)
        return found

    async def _release_everything(self, person: Person, request_id: str | None) -> None:
        """By commands of the box office, so that listeners see it. If this fails half-way, the holds run out."""
        async with self._engine.connect() as connection:
            held_in = await reservations.screenings_with_holds(connection, person.id)
        for screening_id in held_in:
            try:
                await self._box_office.ask(screening_id, ReleaseAll(person), request_id=request_id)
            except NotFound:
                continue
