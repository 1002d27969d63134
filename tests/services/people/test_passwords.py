"""Passwords: OWASP's parameters, never in the event loop's way, and a queue that has an end."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from app.domain.refusals import Busy
from app.services.people import passwords as module
from app.services.people.passwords import NOBODYS, SCHEME, THREADS, Passwords
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    opened = Passwords(queue_max=4)
    yield opened
    opened.close()


class Parked:
    """Stands in for argon2: hashes nothing until it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.at_once = 0
        self.most_at_once = 0
        self._count = threading.Lock()

    def hash(self, password: str) -> str:
        with self._count:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.may_go_on.wait(PATIENCE_SECONDS)
        with self._count:
            self.at_once -= 1
        return f"hash of {password}"


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> Parked:
    scheme = Parked()
    monkeypatch.setattr(module, "SCHEME", scheme)
    return scheme


async def test_a_password_is_its_own_and_no_other(passwords: Passwords) -> None:
    kept = await passwords.hash("a long sentence")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify("a long sentence", kept) == (True, None)
    assert await passwords.verify("another sentence", kept) == (False, None)


async def test_every_keyboard_writes_the_same_password(passwords: Passwords) -> None:
    kept = await passwords.hash("caf\u00e9 au lait")

    assert await passwords.verify("cafe\u0301 au lait", kept) == (True, None)


async def test_nobodys_password_takes_as_long_and_is_never_right(passwords: Passwords) -> None:
    assert not SCHEME.current_hasher.check_needs_rehash(NOBODYS)
    assert await passwords.verify("a nobody's password", None) == (False, None)


async def test_two_threads_work_and_the_loop_goes_on(passwords: Passwords, parked: Parked) -> None:
    hashing = [asyncio.create_task(passwords.hash(str(number))) for number in range(4)]
    await asyncio.wait(hashing, timeout=0)

    parked.may_go_on.set()

    assert await asyncio.gather(*hashing) == [f"hash of {number}" for number in range(4)]
    assert parked.most_at_once <= THREADS


async def test_whoever_finds_the_queue_full_is_told_to_come_again(passwords: Passwords, parked: Parked) -> None:
    hashing = [asyncio.create_task(passwords.hash(str(number))) for number in range(4)]
    await asyncio.wait(hashing, timeout=0)

    with pytest.raises(Busy):
        await passwords.hash("one more")

    parked.may_go_on.set()
    await asyncio.gather(*hashing)
    assert await passwords.hash("later") == "hash of later"


async def test_whoever_goes_away_still_counts_until_the_work_is_done(passwords: Passwords, parked: Parked) -> None:
    hashing = [asyncio.create_task(passwords.hash(str(number))) for number in range(4)]
    await asyncio.wait(hashing, timeout=0)
    for each in hashing:
        each.cancel()
    await asyncio.wait(hashing)

    with pytest.raises(Busy):
        await passwords.hash("one more")

    parked.may_go_on.set()
