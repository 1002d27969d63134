"""Listeners, and the messages for them: the same at every door (SSE and WebSocket)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Ending(Enum):
    """Why a listener is disconnected."""

    TOO_SLOW = "did not keep up"
    TOKEN_ENDED = "the token has ended"  # noqa: S105 - no secret
    STOPPING = "Usher is stopping"


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message as JSON. `version` None: the listener's version stays as it is."""

    type: str
    version: int | None
    json: bytes
    _forms: dict[object, bytes] = field(default_factory=dict)

    def in_form(self, form: Callable[["Message"], bytes]) -> bytes:
        """As a door sends it, made once for all listeners of this door."""
        made = self._forms.get(form)
        if made is None:
            made = self._forms[form] = form(self)
        return made


class Listener(Protocol):
    """Somebody who watches a screening. The methods return at once and raise nothing."""

    door: str
    """Where it came in: `websocket` or `sse`."""
    user_id: int | None
    version: int
    """Up to which everything was told."""

    def tell(self, message: Message) -> None:
        """Send this message, after those before it."""
        ...

    def end(self, why: Ending) -> None:
        """Disconnect. Nothing is sent afterwards."""
        ...

    async def check(self) -> None:
        """Disconnect if the token is not valid any more."""
        ...
