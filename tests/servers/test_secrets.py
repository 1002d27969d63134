"""Secrets change as docs/operations.md says, while people buy: nobody is signed out, and nothing is refused."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from tests.conftest import JWT_SECRET, OpenApp
from tests.forking import Forker
from tests.patience import PATIENCE_SECONDS
from tests.places import Place
from tests.proxies.test_proxies import free_port, serving, until_it_listens
from tests.races.buyers import Buyer, somebody
from tests.servers.encrypted import PASSWORD, ROLE, Encrypted

NEW_SECRET = JWT_SECRET[::-1]
NEW_PASSWORD = "another long password"

OLD, NEW = {"jwt_secret": JWT_SECRET}, {"jwt_secret": NEW_SECRET}
ROUNDS = [OLD, OLD | {"jwt_secret_previous": (NEW_SECRET,)}, NEW | {"jwt_secret_previous": (JWT_SECRET,)}, NEW]


async def statuses(buyer: Buyer) -> int:
    return (await buyer.ask("GET", "/me")).status_code


@pytest.mark.parametrize("before", [0, 1])
async def test_in_each_round_both_kinds_of_instances_believe_whoever_comes_from_the_other(
    open_app: OpenApp, before: int
) -> None:
    """While a round goes on, some instances have its settings, and some those of the round before."""
    instances = [await open_app(**settings) for settings in ROUNDS[before : before + 2]]
    buyers = [await somebody(instance) for instance in instances]

    for buyer in buyers:
        for instance in instances:
            assert await statuses(Buyer(instance, buyer.token)) == 200


async def test_without_the_first_round_some_would_be_signed_out_and_after_the_last_the_old_one_is_nobodys(
    open_app: OpenApp,
) -> None:
    old, both, new = [await open_app(**settings) for settings in (OLD, ROUNDS[2], NEW)]
    theirs, ours = await somebody(old), await somebody(new)

    assert await statuses(Buyer(old, ours.token)) == 401
    assert await statuses(Buyer(both, theirs.token)) == await statuses(Buyer(both, ours.token)) == 200
    assert await statuses(Buyer(new, theirs.token)) == 401


# --- the password of PostgreSQL


@pytest.fixture
async def admin(tls: Encrypted) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Who may give passwords. The role has its own again at the end."""
    admin = await asyncpg.connect(host=str(tls.directory), port=tls.port, user=ROLE, database="postgres")
    yield admin
    await admin.execute(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")
    await admin.execute("DROP ROLE IF EXISTS usher_2")
    await admin.close()


def environment(url: str, place: Place, port: int) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "REDIS_URL": place.redis_url,
        "JWT_SECRET": JWT_SECRET,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RATE_LIMITS": "off",
        "LOG_REQUESTS": "off",
        "WEB_CONCURRENCY": "1",
    }


async def hold(port: int, label: str) -> int:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as http:
        return (await http.post("/screenings/1/reservations", json={"seats": [label]})).status_code


async def test_a_new_password_of_the_role_stops_nobody_who_is_connected_and_new_processes_take_over(
    tls: Encrypted, place: Place, forker: Forker, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ports = free_port(), free_port()
    new = tls.url().replace(quote(PASSWORD, safe=""), quote(NEW_PASSWORD))
    with ExitStack() as stack:
        first = stack.enter_context(serving(forker, **environment(tls.url(), place, ports[0])))
        await until_it_listens(ports[0], first)
        assert await hold(ports[0], "C1") == 201
        await admin.execute(f"ALTER ROLE {ROLE} PASSWORD '{NEW_PASSWORD}'")
        assert await hold(ports[0], "C2") == 201
        second = stack.enter_context(serving(forker, **environment(new, place, ports[1])))
        await until_it_listens(ports[1], second)
        assert [await hold(port, label) for port, label in ((ports[0], "C3"), (ports[1], "C4"))] == [201, 201]
        assert await hold(ports[1], "C1") == 409
        first.terminate()
        assert first.wait(60) == 0
        assert await hold(ports[1], "C5") == 201


async def test_the_old_password_ends_a_start_with_a_line_that_shows_none(
    tls: Encrypted, place: Place, forker: Forker, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(f"ALTER ROLE {ROLE} PASSWORD '{NEW_PASSWORD}'")

    process = forker.start("serve", environment=os.environ | environment(tls.url(), place, free_port()))
    said, complained = await asyncio.to_thread(process.communicate)

    [line] = complained.splitlines()
    assert (process.returncode, said) == (1, "")
    assert "ALTER ROLE" in json.loads(line)["message"]
    assert quote(PASSWORD, safe="") not in line
    assert PASSWORD not in line
