"""One question at a time for each key: who asks while it is being answered waits, and shares the next answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Round(Generic[V]):
    """The questions of one key, numbered as they are put; it lives as long as somebody waits."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked = 0
        self.answered = 0
        self.answer: V


class SingleFlight(Generic[K, V]):
    """Puts a question to PostgreSQL once for everybody who has it. No answer is older than the moment of asking."""

    def __init__(self, answer: Callable[[K], Awaitable[V]]) -> None:
        self._answer = answer
        self._rounds: WeakValueDictionary[K, _Round[V]] = WeakValueDictionary()

    async def ask(self, key: K) -> V:
        """The answer for a key, from a question that was put after this call. Raises what answering raises."""
        round_ = self._rounds.setdefault(key, _Round())
        asked_before = round_.asked
        async with round_.lock:
            if round_.answered <= asked_before:
                round_.asked += 1
                number = round_.asked
                round_.answer = await self._answer(key)
                round_.answered = number
            return round_.answer
