"""What has ended before its tokens expire: sessions, and all tokens of a user from before a new era.

Tokens are verified without asking PostgreSQL. So each process remembers what has ended, and asks twice a second what
other processes have ended. What it has ended itself, it knows at once.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import accounts, sessions
from app.db.people.accounts import Era
from app.services.running.loops import every

LOOK_SECONDS: Final = 0.5
OVERLAP_SECONDS: Final = 60.0
"""A transaction may commit this long after the time that it wrote."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a token or key comes from: the user, their era at the time, and the session, if there is one."""

    user_id: int
    era: int = 0
    session_id: UUID | None = None


class Revocations:
    """One per process."""

    def __init__(self, engine: AsyncEngine, *, longest_seconds: float, session_token_seconds: float) -> None:
        """No token is valid longer than `longest_seconds`, and none of a session longer than
        `session_token_seconds`.
        """
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._eras_kept = longest_seconds + OVERLAP_SECONDS
        self._sessions_kept = session_token_seconds + OVERLAP_SECONDS
        # No caches: what is forgotten too early would be believed again. Both are in the order in which they were
        # learned, with the loop's time of that.
        self._eras: dict[int, tuple[float, Era]] = {}
        self._sessions: dict[UUID, float] = {}
        self._looked_at: float | None = None

    def is_over(self, origin: Origin) -> bool:
        """Whether the session has ended, or the user has begun a new era that does not spare it."""
        if origin.session_id in self._sessions:
            return True
        known = self._eras.get(origin.user_id)
        if known is None or origin.era >= known[1].era:
            return False
        _, era = known
        return origin.session_id is None or origin.session_id != era.spared_session_id

    def began(self, era: Era) -> None:
        """Remember that a user has begun an era."""
        known = self._eras.get(era.user_id)
        if known is None or known[1].era < era.era:
            self._eras.pop(era.user_id, None)
            self._eras[era.user_id] = asyncio.get_running_loop().time(), era

    def ended(self, session_id: UUID) -> None:
        """Remember that a session has ended."""
        self._sessions.setdefault(session_id, asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await every(LOOK_SECONDS, self.look, "read revocations")

    async def look(self) -> None:
        """Read what has ended since the last time; the first time, all that still matters.

        Raises what PostgreSQL raises.
        """
        now = asyncio.get_running_loop().time()
        since = float("inf") if self._looked_at is None else now - self._looked_at + OVERLAP_SECONDS
        async with self._engine.connect() as connection:
            eras = await accounts.eras_of_the_last(connection, min(since, self._eras_kept))
            ended = await sessions.ended_in_the_last(connection, min(since, self._sessions_kept))
        for era in eras:
            self.began(era)
        for session_id in ended:
            self.ended(session_id)
        self._looked_at = now
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Forget the sessions and eras whose last token has expired by itself."""
        while self._sessions and self._sessions[session_id := next(iter(self._sessions))] < now - self._sessions_kept:
            del self._sessions[session_id]
        while self._eras and self._eras[user_id := next(iter(self._eras))][0] < now - self._eras_kept:
            del self._eras[user_id]
