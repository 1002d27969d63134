"""Carries out refunds that were asked for, with growing pauses, until the provider has said yes."""

import asyncio
import contextlib
import logging
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.money import refunds
from app.db.money.refunds import DueRefund
from app.services.money.asking import ANSWERS_WITHIN_SECONDS, Asking, ids_in, key_of
from app.services.money.provider import RefundStatus
from app.services.running.loops import every
from app.services.running.measures import Measures

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
COUNT_SECONDS: Final = 15.0
AT_ONCE: Final = 500
SIDE_BY_SIDE: Final = 4

PORTION: Final = 5
"""So many refunds are tried one after the other by whoever has claimed them."""

CLAIMED_SECONDS: Final = (PORTION + 1) * ANSWERS_WITHIN_SECONDS
"""No other process tries them before. After a crash they wait for so long."""


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
        failed: list[Exception] = []
        while True:
            async with self._at_once.connect() as connection:
                due = await refunds.due(connection, AT_ONCE)
            portions = [
                (screening_id, refund_ids[start : start + PORTION])
                for screening_id, refund_ids in due.items()
                for start in range(0, len(refund_ids), PORTION)
            ]
            failed += await self._try_all(portions)
            if failed or sum(map(len, due.values())) < AT_ONCE:
                break
        for error in failed:
            raise error

    async def hear(self, provider: str, key: str) -> None:
        """The provider has news of a refund: ask how it stands, and enter that.

        What was given back and did not arrive is given back again. Raises ProviderAway: it does not answer.
        """
        if (ids := ids_in(key)) is None:
            return
        async with self._at_once.connect() as connection:
            known = await refunds.standing(connection, *ids)
        if known is None or known.provider != provider:
            return
        status = await self._asking.refund_stands(provider, known.reference, key)
        if status is RefundStatus.FAILED:
            async with self._engine.begin() as connection:
                is_news = await refunds.not_done(connection, *ids, known)
            if is_news and known.is_done:
                log.error("refund %s of payment %s did not arrive: it is tried again", key, known.payment_id)
        elif status is RefundStatus.DONE and not known.is_done:
            async with self._engine.begin() as connection:
                await refunds.done(connection, *ids, known.tries)

    async def _try_all(self, portions: list[tuple[int, list[UUID]]]) -> list[Exception]:
        failed: list[Exception] = []

        async def try_some() -> None:
            while portions:
                screening_id, refund_ids = portions.pop(0)
                try:
                    async with self._at_once.connect() as connection:
                        mine = await refunds.claim(connection, screening_id, refund_ids, CLAIMED_SECONDS)
                except Exception as error:  # noqa: BLE001 - it is raised at the end
                    failed.append(error)
                    continue
                for each in mine:
                    try:
                        await self._try(each)
                    except Exception as error:  # noqa: BLE001 - it is raised at the end
                        failed.append(error)

        await asyncio.gather(*(try_some() for _ in range(min(SIDE_BY_SIDE, len(portions)))))
        return failed

    async def _try(self, refund: DueRefund) -> None:
        key = key_of(refund.screening_id, refund.id)
        is_back = await self._asking.refund(refund.provider, refund.reference, refund.amount, key)
        async with self._engine.begin() as connection:
            if is_back:
                await refunds.done(connection, refund.screening_id, refund.id, refund.tries)
            else:
                await refunds.again(connection, refund)
