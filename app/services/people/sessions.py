"""Sessions: a short-lived access token with each, and a refresh token that is good for one use.

A refresh token that comes twice was copied, by whoever came first or second: the session ends, for both. Two uses at
once are no exception: one of them gets tokens, the other ends the session.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.people import sessions
from app.domain.people import Person, Role
from app.domain.refusals import Unauthenticated
from app.schemas.problems import reasons
from app.services.people.revocations import Origin, Revocations
from app.services.people.tokens import Tokens

PREFIX: Final = "refresh_"
_ID_BYTES: Final = 16
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Welcome:
    """Somebody with a session: the token that shows it, for how long (in seconds), and the one that gets the next."""

    person: Person
    access_token: str
    refresh_token: str
    expires_in: int


class Sessions:
    """Opens, renews and ends them."""

    def __init__(self, engine: AsyncEngine, tokens: Tokens, revocations: Revocations, refresh_seconds: int) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._tokens = tokens
        self._revocations = revocations
        self._refresh_seconds = refresh_seconds

    async def open(self, connection: AsyncConnection, person: Person, era: int) -> Welcome:
        """A session for somebody who has shown who they are, and who was in this era then."""
        session_id, secret = uuid4(), secrets.token_bytes(_SECRET_BYTES)
        await sessions.insert(connection, session_id, person.id, era, _hash(secret), self._refresh_seconds)
        return self._welcome(person, era, session_id, secret)

    async def refresh(self, refresh_token: str) -> Welcome:
        """New tokens for a refresh token.

        Raises Unauthenticated when it is not good any more; its session has then ended.
        """
        session_id, old = _read(refresh_token)
        new = secrets.token_bytes(_SECRET_BYTES)
        async with self._engine.connect() as connection:
            renewed = await sessions.rotate(connection, session_id, _hash(old), _hash(new), self._refresh_seconds)
        if renewed is None:
            await self._end(session_id)
            raise Unauthenticated(reasons.REFRESH_TOKEN_USED)
        person = Person(renewed.user_id, Role(renewed.role), renewed.is_guest)
        return self._welcome(person, renewed.era, session_id, new)

    async def end(self, refresh_token: str) -> None:
        """End the session of a refresh token; again changes nothing. Raises Unauthenticated when it looks like none."""
        session_id, _ = _read(refresh_token)
        await self._end(session_id)

    async def _end(self, session_id: UUID) -> None:
        async with self._engine.connect() as connection:
            if await sessions.end(connection, session_id):
                self._revocations.ended(session_id)

    def _welcome(self, person: Person, era: int, session_id: UUID, secret: bytes) -> Welcome:
        origin = Origin(person.id, era, session_id)
        access = self._tokens.access_token(person, origin, datetime.now(UTC), uuid4().hex)
        refresh = PREFIX + base64.urlsafe_b64encode(session_id.bytes + secret).decode()
        return Welcome(person, access, refresh, self._tokens.access_seconds)


def _read(refresh_token: str) -> tuple[UUID, bytes]:
    """The session that a token names, and its secret. Raises Unauthenticated when it has not the form of one."""
    try:
        content = base64.b64decode(refresh_token.removeprefix(PREFIX).encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not refresh_token.startswith(PREFIX) or len(content) != _ID_BYTES + _SECRET_BYTES:
        raise Unauthenticated(reasons.REFRESH_TOKEN_INVALID)
    return UUID(bytes=content[:_ID_BYTES]), content[_ID_BYTES:]


def _hash(secret: bytes) -> bytes:
    """32 random bytes need no slow hash: nobody can try them all."""
    return sha256(secret).digest()
