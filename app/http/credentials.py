"""Who a listener is, for as long as the connection lasts: tokens end, and keys are revoked, while somebody watches."""

import time
from datetime import UTC, datetime
from typing import Final

from app.dependencies import person_of
from app.domain.people import KeyScope, Person
from app.domain.refusals import Forbidden, Unauthenticated
from app.resources import Resources
from app.schemas.live import token_expiring_json
from app.services.live.listeners import Message
from app.services.people.api_keys import PREFIX as API_KEY_PREFIX

TOLD_SECONDS: Final = 30.0
"""So long before its end a listener is told that the token ends."""


class Credential:
    """A token or an API key that was believed."""

    def __init__(self, resources: Resources, token: bytes, person: Person) -> None:
        self.person = person
        self._resources = resources
        self._token = token
        self._was_told = False

    async def warning(self) -> Message | None:
        """What the listener must be told about the token now, if anything. Raises Unauthenticated when it is over."""
        person = await person_of(self._resources, self._token)
        if person.id != self.person.id:
            raise Unauthenticated
        if self._was_told or self._token.startswith(API_KEY_PREFIX):
            return None
        ends_at = self._resources.tokens.believed(self._token).ends_at
        if ends_at - time.time() > TOLD_SECONDS:
            return None
        self._was_told = True
        return Message("token_expiring", None, token_expiring_json(datetime.fromtimestamp(ends_at, UTC)))


async def credential(resources: Resources, token: bytes) -> Credential:
    """Raises Unauthenticated for a token that is not believed, Forbidden for an API key that may not read."""
    person = await person_of(resources, token)
    if not person.may(KeyScope.READ):
        raise Forbidden(f"This API key lacks the scope {KeyScope.READ}.")
    return Credential(resources, token, person)
