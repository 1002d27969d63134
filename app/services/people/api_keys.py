"""API keys, with which programs authenticate. A key is shown once and stored as a hash; it acts as a user of its own.

A verified key is remembered for a minute; its last use is stored as often.
"""

import asyncio
import secrets
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from cachetools import FIFOCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import accounts, api_keys
from app.db.people.api_keys import ApiKey
from app.domain.people.people import KeyScope, Person, Role
from app.domain.refusals import Forbidden, NotFound, Unauthenticated
from app.schemas.format.pages import Page, after_id, id_cursor, page_of
from app.schemas.problems import reasons
from app.services.people.revocations import Origin, Revocations
from app.services.running.single_flight import SingleFlight

PREFIX: Final = b"usher_"
BELIEVED_SECONDS: Final = 60.0
_SECRET_BYTES: Final = 32
_SHOWN: Final = len(PREFIX) + 6
_LONGEST: Final = 128
_REMEMBERED: Final = 10_000

_Believed = tuple[Person, Origin, float]


class ApiKeys:
    """One per process."""

    def __init__(self, engine: AsyncEngine, revocations: Revocations) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._revocations = revocations
        # Each with its end: a TTLCache would take 0.8 to 2 µs more for each call that comes with a key (*measured*).
        self._believed: FIFOCache[bytes, _Believed] = FIFOCache(_REMEMBERED)
        self._verified = SingleFlight(self._verify)

    async def make(self, admin: Person, name: str, role: Role, scopes: Collection[KeyScope]) -> tuple[ApiKey, str]:
        """Create a key, and return it with its text, which is not stored.

        Raises Forbidden if the caller is an API key and would create one with scopes that it does not have.
        """
        if not all(admin.may(scope) for scope in scopes):
            raise Forbidden(reasons.SCOPES_EXCEEDED)
        key = PREFIX.decode() + secrets.token_urlsafe(_SECRET_BYTES)
        async with self._engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
            user_id = await accounts.insert_machine(connection, role)
            listed = [scope for scope in KeyScope if scope in scopes]
            digest = _digest(key.encode())
            key_id = await api_keys.insert(connection, user_id, name, listed, key[:_SHOWN], digest, admin.id)
        return await self.one(key_id), key

    async def newest(self, cursor: str | None, limit: int) -> Page[ApiKey]:
        """A page of keys that are not revoked, newest first."""
        async with self._engine.connect() as connection:
            found = await api_keys.newest(connection, after_id(cursor) if cursor else None, limit + 1)
        return page_of(found, limit, lambda last: id_cursor(last.id))

    async def one(self, key_id: int) -> ApiKey:
        """A key. Raises NotFound, also if it was revoked."""
        async with self._engine.connect() as connection:
            found = await api_keys.one(connection, key_id)
        if found is None:
            raise NotFound("API key")
        return found

    async def revoke(self, key_id: int) -> None:
        """Revoke a key: in this process at once, in others within a second. Again changes nothing. Raises NotFound."""
        async with self._engine.connect() as connection:
            era = await api_keys.revoke(connection, key_id)
            if era is None and not await api_keys.existed(connection, key_id):
                raise NotFound("API key")
        if era is not None:
            self._revocations.began(era)

    def known(self, key: bytes) -> Person | None:
        """The user of this key, if it was verified within the last minute; else None."""
        believed = self._believed.get(_digest(key))
        if believed is None:
            return None
        person, origin, until = believed
        return None if until <= asyncio.get_running_loop().time() or self._revocations.is_over(origin) else person

    async def person(self, key: bytes) -> Person:
        """The user of this key. Raises Unauthenticated if it is not valid, or was revoked."""
        person = self.known(key)
        if person is None and len(key) <= _LONGEST:
            person = await self._verified.ask(_digest(key))
        if person is None:
            raise Unauthenticated(reasons.API_KEY_INVALID)
        return person

    async def _verify(self, digest: bytes) -> Person | None:
        async with self._engine.connect() as connection:
            machine = await api_keys.machine(connection, digest)
            if machine is None:
                self._believed.pop(digest, None)
                return None
            await api_keys.was_used(connection, machine.key_id)
        scopes = frozenset(KeyScope(scope) for scope in machine.scopes)
        person = Person(machine.user_id, Role(machine.role), scopes=scopes)
        until = asyncio.get_running_loop().time() + BELIEVED_SECONDS
        self._believed[digest] = person, Origin(machine.user_id, machine.era), until
        return person


def _digest(key: bytes) -> bytes:
    """The hash of a key. 32 random bytes need no slow hash: nobody can try them all."""
    return sha256(key).digest()
