"""The stories of accounts: register, sign in, change the password, delete."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import bookings, reservations
from app.db.people import accounts
from app.db.people.accounts import Credentials
from app.domain.box_office.commands import ReleaseAll
from app.domain.people import usernames
from app.domain.people.people import Person, Role
from app.domain.refusals import Busy, Forbidden, NotFound, Unauthenticated, UsernameTaken
from app.schemas.format.faults import mistake
from app.schemas.problems import reasons
from app.services.box_office.office import BoxOffice
from app.services.people.joining import Joining, no_guest
from app.services.people.login_limits import LoginLimits
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
        limits: LoginLimits | None,
    ) -> None:
        """`limits` of passwords; None: there are none."""
        self._engine = engine
        self._passwords = passwords
        self._sessions = sessions
        self._revocations = revocations
        self._box_office = box_office
        self._joining = joining
        self._limits = limits

    async def register(
        self,
        username: str,
        email: str | None,
        password: str,
        caller: Person | None = None,
        guest_token: str | None = None,
    ) -> Person:
        """Create an account for a customer. If the caller is a guest, they become the account, with all that they have;
        so does the guest whose token is given. The tokens of the guest end: from now on the password opens the account.

        Raises UsernameTaken, Malformed for a token of no guest, and Busy if too many passwords are waiting.
        """
        if guest_token is not None:
            shown = Person(self._joining.welcome(guest_token).user_id, is_guest=True)
            if caller is not None and caller.is_guest and caller.id != shown.id:
                raise mistake(["body", "guest_token"], "guest_token", reasons.TWO_GUESTS)
            caller = shown
        key = usernames.key(username)
        async with self._engine.connect() as connection:
            if await accounts.credentials_of(connection, key):
                raise UsernameTaken
        kept = await self._passwords.hash(password)
        guest = caller if caller is not None and caller.is_guest else None
        era = None
        async with self._engine.begin() as connection:
            if guest is not None:
                era = await accounts.become_account(connection, guest.id, username, key, email, kept)
            if era is None:
                if guest_token is not None:
                    raise no_guest()
                return Person(await accounts.insert_account(connection, username, key, email, kept, Role.CUSTOMER))
        self._revocations.began(era)
        return Person(era.user_id)

    async def login(
        self, username: str, password: str, address: str, guest_token: str | None = None, request_id: str | None = None
    ) -> Welcome:
        """Open a session. What a guest has becomes the account's, if their token is given.

        Raises RateLimited, Busy, Unauthenticated, and Malformed for a token of no guest. Whether the user exists shows
        neither in the answer nor in the time that it takes.
        """
        guest = None if guest_token is None else self._joining.guest_of(guest_token)
        key = usernames.key(username)
        async with self._engine.connect() as connection:
            found = await accounts.credentials_of(connection, key)
        is_right, better = await self._try(key, address, password, found.password_hash if found else None)
        if found is None or found.password_hash is None or not is_right:
            raise Unauthenticated(reasons.LOGIN_WRONG)
        if guest is not None:
            await self._joining.take_along(guest, found.id, request_id)
        async with self._engine.begin() as connection:
            if better is not None:
                await accounts.rehash(connection, found.id, found.password_hash, better)
            return await self._sessions.open(connection, Person(found.id, Role(found.role)), found.era)

    async def change_password(
        self, person: Person, session_id: UUID | None, current: str, new: str, address: str
    ) -> None:
        """Change the password, and end all other sessions of the user.

        Raises Forbidden if `current` is wrong or the user has no password, RateLimited, and Busy.
        """
        found = await self._credentials(person)
        if found.password_hash is None:
            raise Forbidden(reasons.PASSWORD_MISSING)
        kept = found.password_hash
        if not (await self._try(_key_of(found), address, current, kept))[0]:
            raise Forbidden(reasons.PASSWORD_WRONG)
        hashed = await self._passwords.hash(new)
        async with self._engine.begin() as connection:
            era = await accounts.change_password(connection, person.id, kept, hashed, session_id)
        if era is None:
            raise Forbidden(reasons.PASSWORD_CHANGED)
        self._revocations.began(era)

    async def delete(self, person: Person, password: str | None, address: str, request_id: str | None = None) -> None:
        """Delete a user's personal data, end their sessions, and release what they hold. Bookings stay, without a name.

        A guest has no password and needs none. Raises Forbidden if it is wrong, Malformed if it is missing,
        RateLimited, and Busy.
        """
        found = await self._credentials(person)
        if found.password_hash is not None:
            if password is None:
                raise mistake(["body", "password"], "missing", "The password is needed to delete the account.")
            if not (await self._try(_key_of(found), address, password, found.password_hash))[0]:
                raise Forbidden(reasons.PASSWORD_WRONG)
        elif not found.is_guest:
            raise Forbidden(reasons.USER_OF_API_KEY)
        async with self._engine.begin() as connection:
            era = await accounts.delete(connection, person.id, found.password_hash)
            await bookings.forget_reasons(connection, person.id)
        if era is None:
            raise Forbidden(reasons.ACCOUNT_CHANGED)
        self._revocations.began(era)
        await self._release_everything(person, request_id)

    async def _try(self, account: str, address: str, password: str, kept: str | None) -> tuple[bool, str | None]:
        """As Passwords.verify, within the limits of the account and the address. Raises RateLimited too."""
        if self._limits is None:
            return await self._passwords.verify(password, kept)
        await self._limits.begin(account, address)
        try:
            is_right, better = await self._passwords.verify(password, kept)
        except Busy:
            await self._limits.take_back(account, address, was_right=False)
            raise
        if is_right:
            await self._limits.take_back(account, address, was_right=True)
        return is_right, better

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


def _key_of(found: Credentials) -> str:
    """Under which name the passwords of this account are counted: as for whoever signs in."""
    return usernames.key(found.username or "")
