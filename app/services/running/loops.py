"""What runs in the background as long as the process lives: one way to do it, and one policy when it goes wrong.

An outage is said once when it begins and once when it is over. A mistake of ours is logged with its traceback. Neither
ends a loop: only cancellation does. What waits for work and not for time (the office, the announcer, a broadcast) has a
loop of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

from app.db.errors import is_away, refusal_for
from app.domain.refusals import Refusal
from app.outages import POSTGRESQL, READ_ONLY, REDIS, UNWRITABLE, Outage, Seldom, Watch
from app.schemas.problems import reasons
from app.services.ports import Away, Unwritable

log = logging.getLogger(__name__)

Loop = Callable[[], Coroutine[Any, Any, None]]

PAUSE_SECONDS: Final = 0.2
"""Between the end of a loop that must not end and its beginning anew."""


async def every(seconds: float, story: Callable[[], Awaitable[float | None]], name: str) -> NoReturn:
    """Tell a story at once and then again and again, until cancelled.

    `seconds` pass between its end and its next beginning, or as many as it returns. `name` is what it does, for log
    lines: "could not {name}".
    """
    held_up = Outage(f"cannot {name} for now, will retry", f"can {name} again")
    mistakes = Seldom()
    with Watch() as watch:
        while True:
            pause: float | None = None
            try:
                pause = await story()
            except Exception as error:
                if outage := _outage(error, held_up):
                    watch.meet(*outage)
                elif mistakes.is_due(type(error)):
                    log.exception("could not %s", name)
            else:
                watch.all_is_well()
            await asyncio.sleep(seconds if pause is None else pause)


async def for_good(loop: Loop) -> NoReturn:
    """A loop that a mistake of ours broke begins anew: without it the process would live on and serve nobody."""
    mistakes = Seldom()
    while True:
        try:
            await loop()
        except Exception as error:
            if mistakes.is_due(type(error)):
                log.exception("unhandled exception in a background loop; it is started again")
        await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def running(loops: Collection[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """These run as long as the block lasts. What the block raises leaves it as it is, not as a group of exceptions."""
    raised: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(loop) for loop in loops}
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it goes on below
            raised = error
        finally:
            await _end(tasks)
    if raised is not None:
        raise raised


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until every one has ended: asyncio.wait_for, before Python 3.12, may swallow a cancellation (*seen*)."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=0.1)


def _outage(error: Exception, held_up: Outage) -> tuple[Outage, str] | None:
    """What is out, and why in a few words; None: nothing is, and the error is a mistake of ours.

    The text of an error may hold a statement with everything that was sent with it; its type does not.
    """
    kind = type(error.__cause__ or error).__name__
    if isinstance(error, Unwritable):
        return UNWRITABLE, error.state.advice
    if isinstance(error, Away):
        return REDIS, kind
    if is_away(error):
        return POSTGRESQL, kind
    refusal = error if isinstance(error, Refusal) else refusal_for(error)
    why = getattr(refusal, "why", kind)
    if why == reasons.DATABASE_READ_ONLY:
        return READ_ONLY, kind
    return None if refusal is None else (held_up, why)
