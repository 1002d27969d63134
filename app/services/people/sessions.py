"""Sessions: a short-lived access token, and a refresh token that can be used once.

If a refresh token is used twice, it was copied: the session ends for both users of it. That is so even if both use it
at the same time: one of them gets tokens, and the other ends the session.

The id of a session is in every access token, so it proves nothing. The first half of a refresh token's secret is the
same as long as the session lasts: whoever knows it had a token of the session, and may end it.
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
from app.db.people.sessions import TokenHashes
from app.domain.people.people import Person, Role
from app.domain.refusals import Unauthenticated
from app.schemas.problems import reasons
from app.services.people.revocations import Origin, Revocations
from app.services.people.tokens import Tokens

PREFIX: Final = "refresh_"
_ID_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_FAMILY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Welcome:
    """A user with new tokens: the access token, how long it is valid (seconds), and the refresh token."""

    person: Person
    access_token: str
    refresh_token: str
    expires_in: int


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(self, engine: AsyncEngine, tokens: Tokens, revocations: Revocations, refresh_seconds: int) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._tokens = tokens
        self._revocations = revocations
        self._refresh_seconds = refresh_seconds

    async def open(self, connection: AsyncConnection, person: Person, era: int) -> Welcome:
        """Open a session for a user who has just authenticated, in the era that they had then."""
        session_id, secret = uuid4(), secrets.token_bytes(_SECRET_BYTES)
        await sessions.insert(connection, session_id, person.id, era, _hashes(secret), self._refresh_seconds)
        return self._welcome(person, era, session_id, secret)

    async def refresh(self, refresh_token: str) -> Welcome:
        """New tokens for a refresh token.

        Raises Unauthenticated if it is not valid any more; if it was one of its session, that has ended then.
        """
        session_id, old = _read(refresh_token)
        new = old[:_FAMILY_BYTES] + secrets.token_bytes(_SECRET_BYTES - _FAMILY_BYTES)
        async with self._engine.connect() as connection:
            renewed = await sessions.rotate(connection, session_id, _hashes(old), _hashes(new), self._refresh_seconds)
        if renewed is None:
            await self._end(session_id, old)
            raise Unauthenticated(reasons.REFRESH_TOKEN_USED)
        person = Person(renewed.user_id, Role(renewed.role), renewed.is_guest)
        return self._welcome(person, renewed.era, session_id, new)

    async def end(self, refresh_token: str) -> None:
        """End the session of a refresh token, the newest or an earlier one.

        Again changes nothing, and neither does a token that no session had. Raises Unauthenticated if it does not have
        the form of one.
        """
        await self._end(*_read(refresh_token))

    async def _end(self, session_id: UUID, shown: bytes) -> None:
        async with self._engine.connect() as connection:
            if await sessions.end(connection, session_id, _hashes(shown)):
                self._revocations.ended(session_id)

    def _welcome(self, person: Person, era: int, session_id: UUID, secret: bytes) -> Welcome:
        origin = Origin(person.id, era, session_id)
        access = self._tokens.access_token(person, origin, datetime.now(UTC), uuid4().hex)
        refresh = PREFIX + base64.urlsafe_b64encode(session_id.bytes + secret).decode()
        return Welcome(person, access, refresh, self._tokens.access_seconds)


def _read(refresh_token: str) -> tuple[UUID, bytes]:
    """The session id and the secret in a refresh token. Raises Unauthenticated if it does not have the form of one."""
    try:
        content = base64.b64decode(refresh_token.removeprefix(PREFIX).encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not refresh_token.startswith(PREFIX) or len(content) != _ID_BYTES + _SECRET_BYTES:
        raise Unauthenticated(reasons.REFRESH_TOKEN_INVALID)
    return UUID(bytes=content[:_ID_BYTES]), content[_ID_BYTES:]


def _hashes(secret: bytes) -> TokenHashes:
    """The hashes of a secret. 16 random bytes need no slow hash: nobody can try them all."""
    return TokenHashes(sha256(secret).digest(), sha256(secret[:_FAMILY_BYTES]).digest())
