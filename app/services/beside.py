"""Work that takes long is done beside the event loop: others are served meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = 2_000
"""What is made of so many seats, or of so many other things, takes milliseconds."""


async def beside(how_many: int, make: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What `make` gives; made in a thread if it is made of many things. Nobody may change them meanwhile."""
    if how_many <= AT_ONCE:
        return make(*args, **named)
    return await asyncio.to_thread(make, *args, **named)
