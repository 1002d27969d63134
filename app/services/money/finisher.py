"""The finisher: asks what became of payments that are not decided, until it is certain.

A process that died while it charged, a provider that did not answer, a payer who thinks: any process asks, each payment
by one at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.money import payments
from app.domain.box_office.commands import Said
from app.domain.payments import Payment
from app.services.money.asking import Asking
from app.services.running.loops import every

LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 100
SIDE_BY_SIDE: Final = 8
LONGEST_PAUSE_SECONDS: Final = 8.0

SettlePayment = Callable[[int, Payment, Said], Awaitable[object]]
"""Does what follows from what a provider says of a payment of a screening."""


class Finisher:
    """One per process."""

    def __init__(self, engine: AsyncEngine, asking: Asking, settle: SettlePayment) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._asking = asking
        self._settle = settle

    async def run(self) -> None:
        """Ask whenever it is time, until cancelled."""
        await every(LOOK_SECONDS, self.finish, "ask what became of payments")

    async def finish(self) -> None:
        """Ask for all payments whose time it is. One that fails keeps no other one waiting.

        Raises what the first of those raised.
        """
        async with self._engine.connect() as connection:
            due = await payments.due(connection, AT_ONCE)
        failed: list[Exception] = []

        async def finish_some() -> None:
            while due:
                screening_id, payment_id = due.pop(0)
                try:
                    async with self._engine.connect() as connection:
                        asked = await payments.claim(connection, screening_id, payment_id, LONGEST_PAUSE_SECONDS)
                    if asked is not None:
                        await self._finish(asked)
                except Exception as error:  # noqa: BLE001 - it is raised at the end
                    failed.append(error)

        await asyncio.gather(*(finish_some() for _ in range(min(SIDE_BY_SIDE, len(due)))))
        for error in failed:
            raise error

    async def _finish(self, asked: payments.Asked) -> None:
        said = await self._asking.find_out(asked.screening_id, asked.payment, asked.now)
        if said is not None:
            await self._settle(asked.screening_id, asked.payment, said)
