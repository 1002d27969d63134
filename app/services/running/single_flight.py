"""One query at a time for each key: callers that come while it runs share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Round(Generic[V]):
    """The queries of one key, numbered. It exists as long as somebody waits."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked = 0
        self.answered = 0
        self.answer: V


class SingleFlight(Generic[K, V]):
    """Runs a query once for all callers that need it. No answer is older than the call."""

    def __init__(self, answer: Callable[[K], Awaitable[V]]) -> None:
        self._answer = answer
        self._rounds: WeakValueDictionary[K, _Round[V]] = WeakValueDictionary()

    async def ask(self, key: K, at_hand: Callable[[], V | None] | None = None) -> V:
        """The answer for a key, from a query that began after this call. Raises what the query raises.

        With `at_hand` the caller recognizes a good answer whenever the query began (because it has a version): they
        share what `at_hand` finds when their turn comes, and query only if that is None.
        """
        round_ = self._rounds.setdefault(key, _Round())
        asked_before = round_.asked
        async with round_.lock:
            if at_hand is not None:
                found = at_hand()
                if found is not None:
                    return found
            elif round_.answered > asked_before:
                return round_.answer
            round_.asked += 1
            number = round_.asked
            round_.answer = await self._answer(key)
            round_.answered = number
            return round_.answer
