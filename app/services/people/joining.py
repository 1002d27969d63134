"""A guest who signs in takes along what they have: holds, bookings, idempotency keys. Then their token is over.

All that comes along counts in the account's limits, and comes along even if that is too much.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import joining
from app.domain.refusals import Unauthenticated
from app.schemas.format.faults import Malformed, mistake
from app.schemas.problems import reasons
from app.services.news import News
from app.services.people.revocations import Origin, Revocations
from app.services.people.tokens import Tokens

Tell: TypeAlias = Callable[[Mapping[int, int], Mapping[int, News]], Awaitable[None]]
"""Tell the world the new map version of screenings and their news, and wait until that is done."""


class Joining:
    """One per process. Opens its own transactions."""

    def __init__(self, engine: AsyncEngine, tokens: Tokens, revocations: Revocations, tell: Tell) -> None:
        self._engine = engine
        self._tokens = tokens
        self._revocations = revocations
        self._tell = tell

    def guest_of(self, guest_token: str) -> Origin:
        """Whose token it is, ended or not. Raises Malformed if it is no guest's, or has expired."""
        try:
            shown = self._tokens.unexpired(guest_token.encode())
        except Unauthenticated:
            raise no_guest() from None
        if not shown.person.is_guest:
            raise no_guest()
        return shown.origin

    def welcome(self, guest_token: str) -> Origin:
        """As `guest_of`, for a token that must still be good for something."""
        origin = self.guest_of(guest_token)
        if self._revocations.is_over(origin):
            raise no_guest()
        return origin

    async def take_along(self, guest: Origin, account_id: int, request_id: str | None = None) -> None:
        """Make the account's all that the guest has, and end the guest's tokens. Again takes what came after that.

        Raises Malformed if they are no guest any more, or are part of another account.
        """
        if guest.user_id == account_id:
            return
        if self._revocations.is_over(guest):
            async with self._engine.connect() as connection:
                if await joining.account_of(connection, guest.user_id) != account_id:
                    raise no_guest()
        # The second look finds what a last call of the guest did at the same time.
        while await self._move(guest.user_id, account_id, request_id):
            pass

    async def _move(self, guest_id: int, account_id: int, request_id: str | None) -> bool:
        """Whether there was anything to take along, and perhaps more by now."""
        async with self._engine.begin() as connection:
            screening_ids = await joining.screenings_of(connection, guest_id)
            moved = await joining.move(connection, screening_ids, guest_id, account_id, request_id)
            # Last: the box office, too, locks users after screenings.
            era = await joining.join(connection, guest_id, account_id)
            if era is None:
                raise no_guest()
        self._revocations.began(era)
        news = {each.screening_id: News(each.version - 1, each.version, each.changes) for each in moved}
        await self._tell({each.screening_id: each.map_version for each in moved}, news)
        return bool(screening_ids)


def no_guest() -> Malformed:
    """The mistake of whoever sends as `guest_token` what is none."""
    return mistake(["body", "guest_token"], "guest_token", reasons.NO_GUEST_TOKEN)
