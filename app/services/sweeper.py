"""The sweeper: expires holds that have run out, announces their seats, and deletes old keys and events.

Nothing waits for it: a hold that has run out does not count, swept or not. Every process has one, and one of them at a
time, which holds a lease in PostgreSQL, asks for all: a question about all screenings goes to every node of a
PostgreSQL that has many. It asks which holds end until it asks again, and expires each when its time is over.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.box_office import sweeping
from app.db.box_office.sweeping import Ending
from app.db.cluster.asking import on_sale_lately
from app.db.errors import is_of_a_node
from app.db.people import emails, sessions
from app.domain.box_office.commands import Expire
from app.domain.refusals import Refusal
from app.outages import Outage, Watch
from app.services.box_office.office import BoxOffice
from app.services.closing import Closing
from app.services.running.loops import every
from app.services.running.measures import Measures

AT_ONCE: Final = 100
"""The most holds that are expired at once, so that buyers do not wait long."""

RESTS: Final = 2.0
"""While buyers wait, it rests for so many times as long as it swept: seats that ran out are theirs already."""

LOOK_SECONDS: Final = 2.0
"""So often it asks, when holds last longer than that: then every end is known before it comes. One that a screening has
made shorter is expired a second late at most: none is shorter than a second."""

LOOK_OFTEN_SECONDS: Final = 0.5
"""So often, when RESERVATION_TIMEOUT is shorter."""

AHEAD_SECONDS: Final = 0.2
"""What ends so soon after the next look is known, too, should that be late."""

PATIENCE_SECONDS: Final = 0.25

LEASE_SECONDS: Final = 3.0
"""After a crash another process asks within five seconds."""

SHORTEST_SECONDS: Final = 0.02

TROUBLE_SECONDS: Final = 4.0
"""A screening in which nothing could be expired rests for so long: no other one waits for it."""

NODES_AT_ONCE: Final = 4

TIDY_SECONDS: Final = 60.0

SOME: Final = Outage("holds that ran out cannot be expired in some screenings", "holds are expired in all screenings")


class Sweeper:
    """One per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        box_office: BoxOffice,
        closing: Closing,
        keys_hours: int,
        events_hours: int,
        hold_seconds: int,
        measures: Measures | None = None,
    ) -> None:
        """`hold_seconds`: how long a hold usually lasts."""
        self._look_seconds = LOOK_SECONDS if hold_seconds > LOOK_SECONDS else LOOK_OFTEN_SECONDS
        self._measures = measures or Measures()
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._box_office = box_office
        self._closing = closing
        self._keys_hours = keys_hours
        self._events_hours = events_hours
        self._me = uuid4()
        self._has_lease = False
        self._expiring: dict[int, asyncio.Task[None]] = {}
        self._troubled: dict[int, float] = {}
        """Until when a screening rests, in the time of the event loop."""
        self._watch = Watch()

    async def run(self) -> None:
        """Sweep whenever holds run out, until cancelled."""
        try:
            with self._watch:
                await every(self._look_seconds, self._look, "sweep")
        finally:
            for task in self._expiring.values():
                task.cancel()
            await self._give_up_lease()

    async def keep_tidy(self) -> None:
        """Delete old rows from time to time, until cancelled.

        It is a loop of its own, so that sweeping never waits for it.
        """
        await every(TIDY_SECONDS, self._tidy_for_all, "clean up")

    async def sweep(self) -> int:
        """Expire all holds that have run out, and return how many. Ask whoever may have the lease.

        What fails in one screening keeps no other one waiting. Raises what the first of those raised.
        """
        count = 0
        failed: dict[int, BaseException] = {}
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            run_out = await self._ending(0.0, but=failed)
            failed |= await self._expire_now(run_out)
            count += sum(each.screening_id not in failed for each in run_out)
            if len(run_out) < AT_ONCE:
                break
            if self._box_office.has_waiting:
                await asyncio.sleep(min(RESTS * (loop.time() - began), LOOK_SECONDS))
        for error in failed.values():
            raise error
        return count

    async def tidy(self) -> None:
        """Continue interrupted closings; delete what is too old: keys, events, addresses, sessions, past emails.

        Each of these is tried, whatever becomes of the others. Raises what the first that failed raised.
        """
        failed: Exception | None = None
        for part in (
            self._closing.finish_all,
            self._forget_keys,
            self._forget_events,
            self._forget_addresses,
            self._forget_people,
        ):
            try:
                await part()
            except Exception as error:  # noqa: BLE001 - it is raised at the end
                failed = failed or error
        if failed is not None:
            raise failed

    async def _look(self) -> float:
        """Ask what ends soon, and expire it when it does. Returns the seconds until it is time to ask again."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._engine.connect() as connection:
            self._has_lease = await sweeping.take_lease(connection, self._me, LEASE_SECONDS)
        if not self._has_lease:
            return LOOK_SECONDS
        ending = await self._ending(self._look_seconds + AHEAD_SECONDS, but=self._resting(began))
        await self._expire_in_time(ending, loop.time())
        if len(ending) < AT_ONCE:
            return max(began + self._look_seconds - loop.time(), SHORTEST_SECONDS)
        rest = RESTS * (loop.time() - began) if self._box_office.has_waiting else 0.0
        return min(max(rest, SHORTEST_SECONDS), LOOK_SECONDS)

    async def _expire_in_time(self, ending: Sequence[Ending], asked_at: float) -> None:
        """Expire these holds, the soonest first, each when its time is over; `seconds` count from the answer."""
        loop = asyncio.get_running_loop()
        rest = list(ending)
        while rest:
            await asyncio.sleep(asked_at + rest[0].seconds - loop.time())
            horizon = loop.time() - asked_at + SHORTEST_SECONDS
            due = [each for each in rest if each.seconds <= horizon]
            del rest[: len(due)]
            await asyncio.sleep(max(asked_at + due[-1].seconds - loop.time(), 0.0))
            ended_at = asked_at + due[0].seconds
            for screening_id, holds in _by_screening(due).items():
                self._begin(screening_id, holds, ended_at)
        # Whoever keeps one screening locked does not hold up the next look.
        if self._expiring:
            await asyncio.wait(list(self._expiring.values()), timeout=PATIENCE_SECONDS)

    def _begin(self, screening_id: int, holds: tuple[UUID, ...], ended_at: float) -> None:
        """Expire holds in the background; in one screening one after the other. The first ended then (loop's time)."""
        before = self._expiring.get(screening_id)
        task = asyncio.create_task(self._expire(screening_id, holds, before, ended_at))
        self._expiring[screening_id] = task
        task.add_done_callback(lambda done: self._ended(screening_id, done))

    def _ended(self, screening_id: int, done: "asyncio.Task[None]") -> None:
        if self._expiring.get(screening_id) is done:
            del self._expiring[screening_id]

    async def _expire(
        self, screening_id: int, holds: tuple[UUID, ...], before: "asyncio.Task[None] | None", ended_at: float
    ) -> None:
        if before is not None:
            await asyncio.wait((before,))
        try:
            await self._box_office.ask(screening_id, Expire(holds))
        except Exception as error:  # noqa: BLE001 - it is said, and tried again
            self._troubled[screening_id] = asyncio.get_running_loop().time() + TROUBLE_SECONDS
            self._watch.meet(SOME, getattr(error, "why", None) or type(error).__name__)
        else:
            self._measures.holds_expired += len(holds)
            self._measures.sweeper_seconds.add(max(asyncio.get_running_loop().time() - ended_at, 0.0))
            self._troubled.pop(screening_id, None)
            if not self._troubled:
                self._watch.all_is_well()

    async def _expire_now(self, run_out: Iterable[Ending]) -> dict[int, BaseException]:
        """Expire these, all screenings at once. Returns in which of them that failed, and how."""
        holds = _by_screening(run_out)
        asked = (self._box_office.ask(each, Expire(its)) for each, its in holds.items())
        told = await asyncio.gather(*asked, return_exceptions=True)
        return {each: answer for each, answer in zip(holds, told, strict=True) if isinstance(answer, BaseException)}

    def _resting(self, now: float) -> list[int]:
        """The screenings that failed lately, or are at it yet."""
        self._troubled = {each: until for each, until in self._troubled.items() if until > now}
        return [*self._troubled, *self._expiring]

    async def _ending(self, seconds: float, but: Collection[int]) -> list[Ending]:
        """What ends within these seconds, the soonest first, but in these screenings.

        With a node away that cannot be asked at once: then each screening is asked, and those of the node are left out.
        """
        try:
            async with self._engine.connect() as connection:
                return await sweeping.ending(connection, seconds, AT_ONCE, but)
        except SQLAlchemyError as error:
            if not is_of_a_node(error):
                raise
        async with self._engine.connect() as connection:
            left = [each for each in await on_sale_lately(connection) if each not in but]
        found: list[Ending] = []

        async def ask_some() -> None:
            while left:
                found.extend(await self._ending_in(left.pop(), seconds))

        await asyncio.gather(*(ask_some() for _ in range(NODES_AT_ONCE)))
        return sorted(found, key=lambda each: each.seconds)[:AT_ONCE]

    async def _ending_in(self, screening_id: int, seconds: float) -> list[Ending]:
        try:
            async with self._engine.connect() as connection:
                return await sweeping.ending_in(connection, screening_id, seconds, AT_ONCE)
        except SQLAlchemyError as error:
            if not is_of_a_node(error):
                raise
            self._watch.meet(SOME, type(error).__name__)
            return []

    async def _tidy_for_all(self) -> float | None:
        """Tidy up, if it is this process that does. Returns when to look again whether it is."""
        if not self._has_lease:
            return LOOK_SECONDS
        await self.tidy()
        return None

    async def _forget_keys(self) -> None:
        async with self._engine.connect() as connection:
            await sweeping.forget_keys(connection, self._keys_hours)

    async def _forget_events(self) -> None:
        async with self._engine.connect() as connection:
            await sweeping.forget_events(connection, self._events_hours)

    async def _forget_addresses(self) -> None:
        async with self._engine.connect() as connection:
            await sweeping.forget_addresses(connection)

    async def _forget_people(self) -> None:
        async with self._engine.connect() as connection:
            await sessions.forget(connection)
            await emails.forget(connection)

    async def _give_up_lease(self) -> None:
        """Another process need not wait until it is over. If PostgreSQL is away, it does."""
        if not self._has_lease:
            return
        self._has_lease = False
        try:
            async with asyncio.timeout(1.0), self._engine.connect() as connection:
                await sweeping.give_up_lease(connection, self._me)
        except (SQLAlchemyError, OSError, TimeoutError, Refusal):
            pass


def _by_screening(run_out: Iterable[Ending]) -> dict[int, tuple[UUID, ...]]:
    holds: dict[int, list[UUID]] = {}
    for each in run_out:
        holds.setdefault(each.screening_id, []).append(each.id)
    return {screening_id: tuple(reservation_ids) for screening_id, reservation_ids in holds.items()}
