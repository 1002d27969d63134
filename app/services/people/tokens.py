"""Bearer tokens: JWTs that Usher signs itself (HS256). Only the exact form that it issues is valid."""

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import time
from typing import Any, Final
from uuid import UUID

import jwt
import orjson
from cachetools import FIFOCache

from app.domain.people.people import Person, Role
from app.domain.refusals import Unauthenticated
from app.schemas.problems import reasons
from app.services.people.revocations import Origin
from app.settings import LONGEST_ACCESS_TOKEN_SECONDS, LONGEST_GUEST_TOKEN_SECONDS

LONGEST_TOKEN: Final = 1024
"""Ours have some 350 bytes, and a longer one takes longer to refuse."""
_REMEMBERED: Final = 20_000
_CLOCKS_DIFFER_SECONDS: Final = 10
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_USER_ID: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_SESSION_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NEEDED: Final = ["exp", "iat", "sub", "jti"]


@dataclass(frozen=True, slots=True)
class Believed:
    """A valid token: the user, where it comes from, and when it expires (seconds since 1970)."""

    person: Person
    origin: Origin
    ends_at: int


class Tokens:
    """Issues tokens, and verifies them.

    A valid token is remembered until it expires, so that a busy caller's is not verified again and again.
    """

    def __init__(
        self,
        secret: str,
        *,
        previous: Sequence[str] = (),
        guest_seconds: int,
        access_seconds: int = 900,
        is_over: Callable[[Origin], bool] = lambda _: False,
    ) -> None:
        """The seconds are those of new tokens: each token is valid for as long as it was signed for.

        Tokens of `previous` secrets are believed, too. `is_over` says whether the origin of a token was ended before
        the token expires.
        """
        self.guest_seconds = guest_seconds
        self.access_seconds = access_seconds
        self._secret = secret.encode()
        self._believed_secrets = [each.encode() for each in (secret, *previous)]
        self._is_over = is_over
        self._remembered: FIFOCache[bytes, Believed] = FIFOCache(_REMEMBERED)

    def guest_token(self, user_id: int, issued_at: datetime, jti: str) -> str:
        """The token of a guest. The same arguments always give the same bytes: a replayed answer has the same token."""
        return self._signed(Person(user_id, is_guest=True), Origin(user_id), issued_at, jti, self.guest_seconds)

    def access_token(self, person: Person, origin: Origin, issued_at: datetime, jti: str) -> str:
        """The token of a user with a session; it is valid for `access_seconds`."""
        return self._signed(person, origin, issued_at, jti, self.access_seconds)

    def person(self, token: bytes) -> Person:
        """The user of a token. Raises Unauthenticated if the token is not valid."""
        return self.believed(token).person

    def believed(self, token: bytes) -> Believed:
        """What a token says. Raises Unauthenticated if it is not valid: expired, ended, altered or not issued here."""
        believed = self._remembered.get(token) or self._verified(token)
        if believed.ends_at <= time():
            self._remembered.pop(token, None)
            raise Unauthenticated(reasons.TOKEN_EXPIRED)
        if self._is_over(believed.origin):
            raise Unauthenticated(reasons.SESSION_ENDED)
        return believed

    def unexpired(self, token: bytes) -> Believed:
        """As `believed`, also of a token whose session has ended since."""
        believed = self._remembered.get(token) or self._verified(token)
        if believed.ends_at <= time():
            raise Unauthenticated(reasons.TOKEN_EXPIRED)
        return believed

    def _signed(self, person: Person, origin: Origin, issued_at: datetime, jti: str, seconds: int) -> str:
        """Made by hand, because every first hold makes one: four times as fast as PyJWT, which verifies it."""
        issued = int(issued_at.timestamp())
        claims = {
            "sub": str(person.id),
            "role": person.role,
            "guest": person.is_guest,
            "typ": "access",
            "iat": issued,
            "exp": issued + seconds,
            "jti": jti,
            "era": origin.era,
        }
        if origin.session_id is not None:
            claims["sid"] = origin.session_id.hex
        signed = _HEADER + b"." + _base64(orjson.dumps(claims))
        return (signed + b"." + _base64(hmac.digest(self._secret, signed, "sha256"))).decode()

    def _verified(self, token: bytes) -> Believed:
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated(reasons.TOKEN_TOO_LONG)
        for secret in self._believed_secrets:
            claims = _claims(token, secret)
            if claims is not None:
                believed = self._remembered[token] = self._believed_of(claims)
                return believed
        raise Unauthenticated(reasons.TOKEN_INVALID)

    def _believed_of(self, claims: dict[str, Any]) -> Believed:
        """Who the claims speak of; they are signed, but perhaps by another version of Usher, or for another purpose."""
        match claims:
            case {
                "sub": str(sub),
                "role": str(role),
                "guest": bool(guest),
                "typ": "access",
                "iat": int(issued_at),
                "exp": int(ends_at),
            }:
                longest = LONGEST_GUEST_TOKEN_SECONDS if guest else LONGEST_ACCESS_TOKEN_SECONDS
                if _USER_ID.fullmatch(sub) and role in set(Role) and 0 < ends_at - issued_at <= longest:
                    person = Person(int(sub), Role(role), guest)
                    return Believed(person, _origin(person.id, claims), ends_at)
        raise Unauthenticated(reasons.TOKEN_INVALID)


def _origin(user_id: int, claims: dict[str, Any]) -> Origin:
    """Where the token comes from. Raises Unauthenticated when that is written in another way than ours."""
    match claims.get("era", 0), claims.get("sid"):
        case int(era), None:
            return Origin(user_id, era)
        case int(era), str(sid) if _SESSION_ID.fullmatch(sid):
            return Origin(user_id, era, UUID(sid))
    raise Unauthenticated(reasons.TOKEN_INVALID)


def _claims(token: bytes, secret: bytes) -> dict[str, Any] | None:
    """The claims of a token signed with this secret, complete and valid now; None for every other."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret, algorithms=["HS256"], leeway=_CLOCKS_DIFFER_SECONDS, options={"require": _NEEDED}
        )
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError):
        return None
    return claims


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
