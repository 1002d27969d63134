"""Work that takes long is done beside the event loop: others are served meanwhile."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = 2_000
"""What is made of so many seats, or of so many other things, takes milliseconds."""

_ONLY_OURS: Final = 2
"""`thing`, and the argument of getrefcount."""
_IN_THE_LIST: Final = 4
"""The list, the argument of `_has_another`, and both of these."""
_MOMENT_SECONDS: Final = 0.02


async def beside(how_many: int, make: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What `make` gives; made in a thread if it is made of many things. Nobody may change them meanwhile."""
    if how_many <= AT_ONCE:
        return make(*args, **named)
    return await asyncio.to_thread(make, *args, **named)


def take_apart(things: list[Any]) -> None:
    """Free these, and what only they refer to, one by one. The list is empty then.

    A large value is freed in one go, and takes the interpreter for as long, in whatever thread. Here others get it in
    between. What somebody else has too stays as it is; a thread that has just made one of these gets a moment to let
    go of it.
    """
    end = time.monotonic() + _MOMENT_SECONDS
    while any(_has_another(thing) for thing in things) and time.monotonic() < end:
        time.sleep(_MOMENT_SECONDS / 20)
    while things:
        thing = things.pop()
        if gc.is_tracked(thing) and sys.getrefcount(thing) <= _ONLY_OURS:
            things += gc.get_referents(thing)


def _has_another(thing: Any) -> bool:
    return gc.is_tracked(thing) and sys.getrefcount(thing) > _IN_THE_LIST
