"""Announces changes after the COMMIT and before the caller gets the answer: who hears "yes" reads a map that has it.

Batches that were committed while Redis was being told are announced together, in order: first the map versions, so that
no map is stale, then the news for listeners.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from app.outages import Seldom
from app.services.news import News, news_json
from app.services.ports import AvailabilityCache, Away, Tracing

log = logging.getLogger(__name__)


class _Announcement(NamedTuple):
    map_versions: Mapping[int, int]
    news: Mapping[int, News]
    then: Callable[[], None]
    mark: object


class Announcer:
    """One per process. `announce` never blocks and never fails.

    The maps of this process take in the news first (`take_in`). If Redis cannot be told, `warn` makes all processes
    distrust it; listeners notice what they miss.
    """

    def __init__(
        self,
        cache: AvailabilityCache,
        warn: Callable[[], Awaitable[None]],
        take_in: Callable[[int, News, int], None],
        tracing: Tracing | None = None,
    ) -> None:
        self._cache = cache
        self._warn = warn
        self._take_in = take_in
        self._tracing = tracing
        self._mistakes = Seldom()
        self._waiting: list[_Announcement] = []
        self._arrival = asyncio.Event()
        self._has_ended = False

    def announce(
        self, map_versions: Mapping[int, int], then: Callable[[], None], news: Mapping[int, News] | None = None
    ) -> None:
        """Announce the map versions of screenings, and their news, then call `then`.

        If there are none, or the loop has ended, `then` is called at once.
        """
        for screening_id, one in (news or {}).items():
            self._take_in(screening_id, one, map_versions[screening_id])
        if self._has_ended or not (map_versions or self._waiting):
            then()
            return
        mark = None if self._tracing is None else self._tracing.current()
        self._waiting.append(_Announcement(map_versions, news or {}, then, mark))
        self._arrival.set()

    async def tell(self, map_versions: Mapping[int, int], news: Mapping[int, News] | None = None) -> None:
        """As `announce`, for callers that wait until it is done."""
        told = asyncio.Event()
        self.announce(map_versions, told.set, news)
        await told.wait()

    async def run(self) -> None:
        """Announce until cancelled. Then release whoever still waits: their commit stands."""
        announced: list[_Announcement] = []
        self._has_ended = False
        try:
            while True:
                await self._arrival.wait()
                self._arrival.clear()
                announced, self._waiting = self._waiting, []
                if self._tracing is None:
                    await self._tell(announced)
                else:
                    with self._tracing.part("announce", [each.mark for each in announced]):
                        await self._tell(announced)
                _call_back(announced)
        finally:
            self._has_ended = True
            _call_back(announced)
            _call_back(self._waiting)

    async def _tell(self, announced: Sequence[_Announcement]) -> None:
        latest: dict[int, int] = {}
        news: list[tuple[int, bytes]] = []
        try:
            for each in announced:
                for screening_id, map_version in each.map_versions.items():
                    latest[screening_id] = max(map_version, latest.get(screening_id, map_version))
                news += [(screening_id, news_json(one)) for screening_id, one in each.news.items()]
            await self._cache.move(latest, news)
        except Away:
            await self._warn()
        except Exception as error:  # a mistake of ours must not keep anybody waiting whose commit stands
            if self._mistakes.is_due(type(error)):
                log.exception("could not announce changes")
            await self._warn()


def _call_back(announced: list[_Announcement]) -> None:
    while announced:
        announced.pop(0).then()
