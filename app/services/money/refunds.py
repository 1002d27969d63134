"""Carries out refunds that were asked for, with growing pauses, until the provider has said yes."""

import asyncio
import contextlib
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.money import refunds
from app.db.money.refunds import DueRefund
from app.services.loops import every
from app.services.measures import Measures
from app.services.money.asking import Asking, key_of

LOOK_SECONDS: Final = 1.0
COUNT_SECONDS: Final = 15.0
AT_ONCE: Final = 500
SIDE_BY_SIDE: Final = 4


class Refunds:
    """One per process. Any process carries out what another has asked for."""

    def __init__(self, engine: AsyncEngine, asking: Asking, measures: Measures) -> None:
        self._engine = engine
        self._at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._asking = asking
        self._wanted = asyncio.Event()
        self._still_open = 0
        measures.watch("usher_outbox_backlog", lambda: [(("refunds",), float(self._still_open))])

    def wake(self) -> None:
        """There is something to give back."""
        self._wanted.set()

    async def run(self) -> None:
        """Give back whatever is due, until cancelled."""
        await every(0.0, self._look, "give money back")

    async def _look(self) -> float | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wanted.wait()
        self._wanted.clear()
        try:
            await self.carry_out()
        except Exception:
            await asyncio.sleep(LOOK_SECONDS)
            raise
        return None

    async def watch(self) -> None:
        """Count what is still to be given back, for those who watch it, until cancelled."""
        await every(COUNT_SECONDS, self.count, "count refunds")

    async def count(self) -> None:
        """Count once. Raises what PostgreSQL raises."""
        async with self._at_once.connect() as connection:
            self._still_open = await refunds.still_open(connection)

    async def carry_out(self) -> None:
        """Try all refunds that are due. One that fails keeps no other one waiting.

        Raises what the first of those raised.
        """
        while True:
            async with self._at_once.connect() as connection:
                due = await refunds.due(connection, AT_ONCE)
                mine = [
                    each
                    for screening_id, refund_ids in due.items()
                    for each in await refunds.claim(connection, screening_id, refund_ids)
                ]
            await self._try_all(mine)
            if sum(map(len, due.values())) < AT_ONCE:
                return

    async def _try_all(self, mine: list[DueRefund]) -> None:
        failed: list[Exception] = []

        async def try_some() -> None:
            while mine:
                try:
                    await self._try(mine.pop(0))
                except Exception as error:  # noqa: BLE001 - it is raised at the end
                    failed.append(error)

        await asyncio.gather(*(try_some() for _ in range(min(SIDE_BY_SIDE, len(mine)))))
        for error in failed:
            raise error

    async def _try(self, refund: DueRefund) -> None:
        key = key_of(refund.screening_id, refund.id)
        if not await self._asking.refund(refund.provider, refund.reference, refund.amount, key):
            return
        async with self._engine.begin() as connection:
            await refunds.done(connection, refund.screening_id, refund.id)
