"""Bearer tokens: JWTs that Usher signs itself (HS256) and believes only in exactly the form that it issues."""

import base64
import hmac
import re
from datetime import datetime
from time import time
from typing import Any, Final

import jwt
import orjson

from app.domain.people import Person, Role
from app.domain.refusals import Unauthenticated

LONGEST_TOKEN: Final = 8 * 1024
_REMEMBERED: Final = 20_000
_CLOCKS_DIFFER_SECONDS: Final = 10
_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_USER_ID: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_NEEDED: Final = ["exp", "iat", "sub", "jti"]


class Tokens:
    """Issues tokens and says whose a token is.

    A token that was believed is remembered until it ends, so that a busy caller is not verified again and again.
    """

    def __init__(self, secret: str, *, previous: str | None = None, guest_seconds: int) -> None:
        self.guest_seconds = guest_seconds
        self._secret = secret.encode()
        self._believed_secrets = [secret.encode()] + ([previous.encode()] if previous else [])
        self._longest_life = guest_seconds
        self._remembered: dict[bytes, tuple[Person, int]] = {}
        self._ended: set[int] = set()

    def guest_token(self, user_id: int, issued_at: datetime, jti: str) -> str:
        """A guest's token. The same arguments give the same bytes at any time: a replayed answer carries it again."""
        return self._signed(Person(user_id, is_guest=True), issued_at, jti, self.guest_seconds)

    def person(self, token: bytes) -> Person:
        """Whose token this is. Raises Unauthenticated unless it is one of ours, complete and not over."""
        person, ends_at = self._remembered.get(token) or self._verified(token)
        if ends_at <= time():
            self._remembered.pop(token, None)
            raise Unauthenticated("The token has run out. Get a new one.")
        if person.id in self._ended:
            raise Unauthenticated("The token's owner is no longer here.")
        return person

    def end(self, user_id: int) -> None:
        """Believe no token of this user any more: the account was deleted."""
        self._ended.add(user_id)

    def _signed(self, person: Person, issued_at: datetime, jti: str, seconds: int) -> str:
        """By hand, because it lies on the way of every first hold: four times as fast as PyJWT, which verifies it."""
        issued = int(issued_at.timestamp())
        claims = {
            "sub": str(person.id),
            "role": person.role,
            "guest": person.is_guest,
            "typ": "access",
            "iat": issued,
            "exp": issued + seconds,
            "jti": jti,
        }
        signed = _HEADER + b"." + _base64(orjson.dumps(claims))
        return (signed + b"." + _base64(hmac.digest(self._secret, signed, "sha256"))).decode()

    def _verified(self, token: bytes) -> tuple[Person, int]:
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated("The token is far longer than any token of this service.")
        for secret in self._believed_secrets:
            claims = _claims(token, secret)
            if claims is not None:
                believed = self._person_in(claims), claims["exp"]
                self._remember(token, believed)
                return believed
        raise Unauthenticated("The token is not one of this service, or it has run out. Get a new one.")

    def _person_in(self, claims: dict[str, Any]) -> Person:
        """Who the claims speak of; they are signed, but perhaps by another version of Usher, or for another purpose."""
        match claims:
            case {
                "sub": str(sub),
                "role": str(role),
                "guest": bool(guest),
                "typ": "access",
                "iat": int(),
                "exp": int(),
            }:
                lives = claims["exp"] - claims["iat"]
                if _USER_ID.fullmatch(sub) and role in set(Role) and 0 < lives <= self._longest_life:
                    return Person(int(sub), Role(role), guest)
        raise Unauthenticated("The token is not one that this service issues. Get a new one.")

    def _remember(self, token: bytes, believed: tuple[Person, int]) -> None:
        if len(self._remembered) >= _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = believed


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
