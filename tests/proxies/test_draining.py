"""Two instances behind a balancer with the configuration of ops/: one is stopped while people buy, and nobody notices.

What a balancer cannot know to be safe it does not send twice: that a caller does, with the same key, as after any 5xx.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import pytest

from app.settings import Settings
from tests.forking import Forked, Forker
from tests.patience import PATIENCE_SECONDS, until_true
from tests.proxies.test_proxies import free_port, haproxy, nginx, serving, until_it_listens

BUYERS: Final = 8
TRIES: Final = 3
"""So often a caller sends the same again."""
ENOUGH: Final = 100
"""So many answers before one is stopped, and as many after it has ended."""


@dataclass(slots=True)
class Pair:
    """Two instances: the processes, and the port of the balancer before them."""

    one: Forked
    port: int
    wrong: Counter[str] = field(default_factory=Counter)
    """What went wrong at first, by what it was."""
    answered: int = 0


@pytest.fixture(params=["nginx", "haproxy"])
async def pair(
    request: pytest.FixtureRequest, settings: Settings, forker: Forker, tmp_path: Path
) -> AsyncIterator[Pair]:
    """Two instances that sell the same house."""
    front, ports = free_port(), [free_port(), free_port()]
    own = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "HOST": "127.0.0.1",
        "LOG_REQUESTS": "off",
        "RATE_LIMITS": "off",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with ExitStack() as stack:
        instances = []
        for port in ports:
            instances.append(stack.enter_context(serving(forker, **own, PORT=str(port))))
            await until_it_listens(port, instances[-1])
        balancer = {"nginx": nginx, "haproxy": haproxy}[request.param]
        await until_it_listens(front, stack.enter_context(balancer(tmp_path, front, *ports)))
        yield Pair(instances[0], front)


async def buy(pair: Pair, label: str, goes_on: Callable[[], bool]) -> None:
    """Hold a seat and give it back, again and again, and look at the map."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{pair.port}", timeout=PATIENCE_SECONDS) as http:

        async def ask(method: str, path: str, body: object = None) -> httpx.Response:
            told = {"Idempotency-Key": str(uuid4())} if method != "GET" else {}
            for again in range(TRIES):
                try:
                    answer = await http.request(method, path, json=body, headers=told)
                except httpx.TransportError as error:
                    what = type(error).__name__
                else:
                    pair.answered += 1
                    if answer.status_code < 500:
                        return answer
                    what = str(answer.status_code)
                pair.wrong[f"{what} to {method}, {'again' if again else 'at first'}"] += 1
            raise AssertionError(pair.wrong)

        guest = await ask("POST", "/auth/guest", {"email": f"{label}@example.org"})
        http.headers["Authorization"] = f"Bearer {guest.json()['access_token']}"
        while goes_on():
            held = await ask("POST", "/screenings/1/reservations", {"seats": [label]})
            assert held.status_code == 201, held.text
            seats = (await ask("GET", "/screenings/1/seats/me")).json()["seats"]
            assert [seat["label"] for seat in seats if seat["is_mine"]] == [label]
            assert (await ask("DELETE", f"/reservations/{held.json()['id']}")).status_code == 200


async def test_one_of_two_is_stopped_while_people_buy_and_nobody_notices(pair: Pair) -> None:
    is_over = False
    async with asyncio.TaskGroup() as buyers:
        for number in range(1, BUYERS + 1):
            buyers.create_task(buy(pair, f"A{number}", lambda: not is_over))
        await until_true(lambda: pair.answered > ENOUGH)
        pair.one.send_signal(signal.SIGTERM)
        await until_true(lambda: pair.one.poll() is not None)
        stopped = pair.answered
        await until_true(lambda: pair.answered > stopped + ENOUGH)
        is_over = True

    assert pair.one.returncode == 0
    assert not [what for what in pair.wrong if what.endswith("again")], pair.wrong
