"""Whoever watches a screening, and what they are told: at every door of the service alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Ending(Enum):
    """Why a listener is let go."""

    TOO_SLOW = "did not keep up"
    TOKEN_ENDED = "the token has ended"  # noqa: S105 - no secret
    STOPPING = "Usher is stopping"


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What is told, as JSON. `version` None: it does not move the listener."""

    type: str
    version: int | None
    json: bytes
    _forms: dict[object, bytes] = field(default_factory=dict)

    def in_form(self, form: Callable[["Message"], bytes]) -> bytes:
        """As a door sends it, made once for all its listeners."""
        made = self._forms.get(form)
        if made is None:
            made = self._forms[form] = form(self)
        return made


class Listener(Protocol):
    """Somebody who watches a screening. The calls return at once and raise nothing."""

    user_id: int | None
    version: int
    """Up to which everything was told."""

    def tell(self, message: Message) -> None:
        """Send this, after what was told before."""
        ...

    def end(self, why: Ending) -> None:
        """Let go. Nothing is told afterwards."""
        ...

    async def check(self) -> None:
        """Is the token still good? Let go when it is not."""
        ...
