"""How long a test waits for something that must happen: one ceiling for all.

It is no measure of speed. A test goes on as soon as what it waits for is there; only one that waits for nothing ends
here, before its own limit of time (`timeout` in pyproject.toml). So it is generous: the machine may be busy with much
else.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 120.0

PATIENT: Final[dict[str, int]] = {
    "postgresql_silence_seconds": 30,
    "postgresql_connect_seconds": 15,
    "redis_timeout_seconds": 5,
    "lock_timeout_ms": 20_000,
    "statement_timeout_ms": 30_000,
    "command_deadline_seconds": 30,
}
"""Settings of a service in a test: its servers are there, however long their answers take."""
PATIENT_ENVIRONMENT: Final = {name.upper(): str(value) for name, value in PATIENT.items()}
"""The same for a process."""

_LOOK_SECONDS: Final = 0.005


def patience() -> asyncio.Timeout:
    """What is waited for in this block must come."""
    return asyncio.timeout(PATIENCE_SECONDS)


async def until_true(is_so: Callable[[], object]) -> None:
    """Wait until something is so of which no event tells."""
    async with patience():
        while not is_so():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_LOOK_SECONDS)


def wait_until(is_so: Callable[[], object]) -> None:
    """The same for a test without a loop."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "never so"
        time.sleep(_LOOK_SECONDS)
