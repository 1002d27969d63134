"""Reads availability: never older than an acknowledged write, and fast while everybody reads at once.

Redis knows the map version of each screening. If this process has a map of that version in memory, it is sent as it
is; its maps follow what this process changes. Otherwise one reader asks PostgreSQL for the changes since, or reads all
facts from Redis or PostgreSQL, while the others wait. If Redis is not reachable, PostgreSQL answers.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.seat_maps import occupancy as db
from app.domain.money import Money
from app.domain.refusals import NotFound
from app.domain.seat_maps.occupancy import Occupancy
from app.domain.seats import Layout
from app.schemas.availability import SeatTexts
from app.services.layouts import Layouts, Whole, share
from app.services.news import News
from app.services.ports import AvailabilityCache, Away
from app.services.running.beside import beside
from app.services.running.measures import Measures
from app.services.running.single_flight import SingleFlight
from app.services.seat_maps.clock import Clock
from app.services.seat_maps.facts import facts_from, facts_json
from app.services.seat_maps.seat_map import SeatMap

log = logging.getLogger(__name__)

MAPS_KEPT: Final = 256
SEATS_KEPT: Final = 1_000_000
"""Of all maps together. A map that was asked for in full takes about 0.7 KB a seat (*measured*, half of them held). The
newest stays, however large it is."""

CHANGES_AT_MOST: Final = 1_000
"""A map that is further behind is read anew."""

TEXTS_KEPT: Final = 32
_BYTES_OF_A_CLAIM: Final = 25
"""In Redis, about."""

_FROM_MEMORY: Final = ("memory",)
_FROM_REDIS: Final = ("redis",)
_FROM_CHANGES: Final = ("changes",)
_FROM_POSTGRESQL: Final = ("postgresql",)

_AtPrices: TypeAlias = tuple[Whole, frozenset[tuple[str, Money]]]


@dataclass(slots=True, eq=False)
class _Round:
    """Readers who share one question to Redis: which map version are these screenings in?

    No SingleFlight: that shares a question about one key, and here one question is about all keys.
    """

    screening_ids: set[int] = field(default_factory=set)
    map_versions: dict[int, int | None] | None = None


class Availability:
    """One per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        cache: AvailabilityCache,
        layouts: Layouts,
        clock: Clock,
        *,
        measures: Measures | None = None,
        maps_kept: int = MAPS_KEPT,
        seats_kept: int = SEATS_KEPT,
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reads = (measures or Measures()).cache_reads
        self._cache = cache
        self._layouts = layouts
        self._clock = clock
        self._maps_kept = maps_kept
        self._maps: LRUCache[int, SeatMap] = LRUCache(seats_kept, lambda each: share(each.texts.layout, seats_kept))
        self._texts: LRUCache[_AtPrices, SeatTexts] = LRUCache(TEXTS_KEPT)
        self._texts_made = SingleFlight(self._make_texts)
        self._from_postgresql = SingleFlight(self._read_map)
        self._from_redis = SingleFlight(self._read_kept)
        self._up_to_date = SingleFlight(self._bring_up_to_date)
        self._round = _Round()
        self._asking = asyncio.Lock()

    async def of(self, screening_id: int) -> SeatMap:
        """The current map of a screening, without user ids.

        Raises NotFound if the screening does not exist.
        """
        try:
            map_version = await self._map_version_of(screening_id)
        except Away:
            seat_map = await self._up_to_date.ask(screening_id)
        else:
            seat_map = self._at_hand(screening_id, map_version) or await self._rebuilt(screening_id, map_version)
        return seat_map.as_of(self._clock.now())

    async def at_least(self, screening_id: int, map_version: int) -> SeatMap:
        """As `of`, in this map version or a later one. Redis need not be asked."""
        seat_map = self._at_hand(screening_id, map_version) or await self._rebuilt(screening_id, map_version)
        return seat_map.as_of(self._clock.now())

    async def counts(self, screening_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """How many seats of each of these screenings have which status. Redis is asked once for all of them.

        Raises NotFound if one of them does not exist.
        """
        if not screening_ids:
            return {}
        try:
            map_versions = await self._cache.map_versions(list(screening_ids))
        except Away:
            return {screening_id: dict((await self.of(screening_id)).counts) for screening_id in screening_ids}
        found: dict[int, dict[str, int]] = {}
        for screening_id, map_version in zip(screening_ids, map_versions, strict=True):
            seat_map = self._at_hand(screening_id, map_version) or await self._rebuilt(screening_id, map_version)
            found[screening_id] = dict(seat_map.as_of(self._clock.now()).counts)
        return found

    def take_in(self, screening_id: int, news: News, map_version: int) -> None:
        """This process has changed a screening: its map in memory takes in the news, if it was current."""
        if (seat_map := self._maps.get(screening_id)) is None:
            return
        try:
            seat_map.take_in(news, map_version)
        except Exception:  # a mistake of ours must not keep anybody waiting whose commit stands
            log.exception("a cached map could not be updated; it is read again")
            del self._maps[screening_id]

    async def with_owners(self, screening_id: int) -> SeatMap:
        """The map of a screening with user ids, always from PostgreSQL, for one user's own view.

        Raises NotFound if the screening does not exist.
        """
        return await self._map_of(await self._read(screening_id))

    async def _map_version_of(self, screening_id: int) -> int | None:
        """The map version that Redis knows. Readers who come while Redis is being asked share the next question."""
        mine = self._round
        mine.screening_ids.add(screening_id)
        async with self._asking:
            if mine.map_versions is None:
                if self._round is mine:
                    self._round = _Round()
                asked = list(mine.screening_ids)
                mine.map_versions = dict(zip(asked, await self._cache.map_versions(asked), strict=True))
        return mine.map_versions[screening_id]

    def _at_hand(self, screening_id: int, map_version: int | None) -> SeatMap | None:
        seat_map = self._maps.get(screening_id)
        if seat_map is None or map_version is None or seat_map.map_version < map_version:
            return None
        self._reads[_FROM_MEMORY] += 1
        return seat_map

    async def _rebuilt(self, screening_id: int, map_version: int | None) -> SeatMap:
        """The map in this version or a later one; None: nobody knows the version, and it is read from PostgreSQL."""
        if map_version is None:
            return await self._from_postgresql.ask(screening_id)

        def at_hand() -> SeatMap | None:
            return self._at_hand(screening_id, map_version)

        if screening_id not in self._maps:
            kept = await self._from_redis.ask((screening_id, map_version), at_hand)
            if kept is not None:
                return kept
        return await self._up_to_date.ask(screening_id, at_hand)

    async def _read_kept(self, wanted: tuple[int, int]) -> SeatMap | None:
        """From Redis, if what it keeps of a screening is of this map version or a later one."""
        screening_id, map_version = wanted
        with suppress(Away):
            if kept := await self._cache.facts(screening_id):
                facts = await beside(len(kept) // _BYTES_OF_A_CLAIM, facts_from, kept)
                if facts.map_version >= map_version:
                    self._reads[_FROM_REDIS] += 1
                    return self._keep_at_hand(await self._map_of(facts))
        return None

    async def _bring_up_to_date(self, screening_id: int) -> SeatMap:
        """The map at hand takes in what changed since it was true; without one, or if that is too much, it is read."""
        if (seat_map := self._maps.get(screening_id)) is not None:
            after = seat_map.version
            async with self._engine.connect() as connection:
                changed = await db.changed(connection, screening_id, after, CHANGES_AT_MOST)
            if changed is not None:
                self._reads[_FROM_CHANGES] += 1
                map_version, version, changes = changed
                self.take_in(screening_id, News(after, version, changes), map_version)
                if (up_to_date := self._at_hand(screening_id, map_version)) is not None:
                    return up_to_date
        return await self._from_postgresql.ask(screening_id)

    async def _read_map(self, screening_id: int) -> SeatMap:
        """Read from PostgreSQL, and let Redis and this process know."""
        doubts = self._cache.doubts()
        facts = await self._read(screening_id)
        self._reads[_FROM_POSTGRESQL] += 1
        with suppress(Away):
            kept = await beside(len(facts.claims), facts_json, facts)
            await self._cache.keep(screening_id, facts.map_version, kept, doubts)
        return self._keep_at_hand(await self._map_of(facts))

    async def _read(self, screening_id: int) -> Occupancy:
        async with self._engine.connect() as connection:
            asked_at = time.monotonic()
            found = await db.read(connection, screening_id)
        if found is None:
            raise NotFound("screening")
        occupancy, at = found
        self._clock.learn(at, asked_at)
        return occupancy

    async def _map_of(self, occupancy: Occupancy) -> SeatMap:
        layout = await self._layouts.at(occupancy.theater_id, occupancy.layout_revision)
        texts = await self._texts_of(layout, occupancy.prices)
        return await beside(len(occupancy.claims), SeatMap, occupancy, texts, self._clock.now())

    async def _texts_of(self, layout: Layout, prices: Mapping[str, Money]) -> SeatTexts:
        """The texts that all screenings of a house at the same prices share."""
        whole = Whole.of(layout)
        key = (whole, frozenset(prices.items()))

        def at_hand() -> SeatTexts | None:
            known: SeatTexts | None = self._texts.get(key)
            return known

        return at_hand() or await self._texts_made.ask(key, at_hand)

    async def _make_texts(self, key: _AtPrices) -> SeatTexts:
        whole, prices = key
        texts = await beside(len(whole.layout.seats), SeatTexts, whole.layout, dict(prices))
        self._texts[key] = texts
        return texts

    def _keep_at_hand(self, seat_map: SeatMap) -> SeatMap:
        screening_id = seat_map.screening_id
        at_hand = self._maps.get(screening_id)
        if at_hand is not None and at_hand.map_version > seat_map.map_version:
            return at_hand
        self._maps[screening_id] = seat_map
        if len(self._maps) > self._maps_kept:
            self._maps.popitem()
        return seat_map
