"""Passwords: argon2id with OWASP's parameters, in a few threads of its own, with a bounded queue.

A flood of logins keeps only these threads busy. If the queue is full, callers get a 503.
"""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.domain.refusals import Busy
from app.schemas.problems import reasons

T = TypeVar("T")

THREADS: Final = 2
_NICE: Final = 10
SCHEME: Final = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))

# Whoever does not exist has this hash, of these parameters: to look for them takes as long as for one who does.
NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$28KT7EcStPyLZXvpcvHydA$pF2ilq0qZzjXKnRDMhu24B33ZQnEs+7Dk1tKXOp+TJ0"


class Passwords:
    """One per process."""

    def __init__(self, queue_max: int) -> None:
        self._queue_max = queue_max
        self._waiting = 0
        self._threads = ThreadPoolExecutor(THREADS, "passwords", initializer=_let_others_go_first)

    async def hash(self, password: str) -> str:
        """The hash of a password. Raises Busy if too many passwords are waiting."""
        return await self._in_a_thread(lambda: SCHEME.hash(normal(password)))

    async def verify(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether it is this password; and a new hash to store, if the old one has outdated parameters, else None.

        If `kept` is None the password is wrong, but it takes as long to find out. Raises Busy if too many are waiting.
        """
        is_right, better = await self._in_a_thread(lambda: SCHEME.verify_and_update(normal(password), kept or NOBODYS))
        return (is_right, better) if kept is not None else (False, None)

    def close(self) -> None:
        """Begin nothing more. Running work ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_a_thread(self, work: Callable[[], T]) -> T:
        """If the caller goes away, the work is done to its end, and counts as waiting until then."""
        if self._waiting >= self._queue_max:
            raise Busy(reasons.TOO_MANY_PASSWORDS)
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        done.add_done_callback(self._one_less)
        return await asyncio.shield(done)

    def _one_less(self, _: object) -> None:
        self._waiting -= 1


def _let_others_go_first() -> None:
    """Lower the priority of this thread (Linux): a flood of logins must not slow down those who take seats."""
    if sys.platform == "linux":
        this = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, this, max(_NICE, os.getpriority(os.PRIO_PROCESS, this)))


def normal(password: str) -> str:
    """The same bytes for the same password from every keyboard (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
