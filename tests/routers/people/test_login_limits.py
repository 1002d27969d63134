"""Guessing passwords: it takes longer and longer, and nobody whose password is right is kept out by it."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.adapters import login_tries
from app.domain.people import logins
from app.domain.people.logins import CALM, GUESSED, GUESSED_AT, KNOWN, Pauses
from tests.conftest import OpenApp, resources_of
from tests.routers.members import PASSWORD, register
from tests.routers.visitors import Visitor

NOBODY_THERE = "redis://127.0.0.1:1"
MANY = {"rate_limits": True, "trusted_proxies": "127.0.0.1", "rate_login": "1000/minute"}
SLOWER = 600
HOME, HOTEL, ATTACKER = "192.0.2.1", "198.51.100.7", "203.0.113.66"


@pytest.fixture(autouse=True)
def _pauses_outlast_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second of a pause is ten minutes: whoever must wait is refused, however long the tests take."""
    for name in ("KNOWN", "GUESSED", "CALM"):
        longer = Pauses(tuple(each * SLOWER for each in getattr(logins, name).seconds))
        for module in (logins, login_tries):
            monkeypatch.setattr(module, name, longer)


@pytest.fixture(params=["with Valkey", "without"])
async def client(open_app: OpenApp, request: pytest.FixtureRequest) -> AsyncClient:
    """One process with limits, and Ada's account."""
    opened = await open_app(**MANY, **({"redis_url": NOBODY_THERE} if request.param == "without" else {}))
    await register(Visitor(opened))
    return opened


async def sign_in(client: AsyncClient, password: str, address: str = HOME, username: str = "ada") -> Response:
    wanted = {"username": username, "password": password}
    return await client.post("/auth/login", json=wanted, headers={"x-forwarded-for": address})


async def guess(client: AsyncClient, address: str, *, username: str = "ada") -> Response:
    return await sign_in(client, "a wrong guess", address, username)


async def test_one_address_waits_longer_and_longer(client: AsyncClient) -> None:
    answers = [await guess(client, ATTACKER) for _ in range(8)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert answers[-1].json()["code"] == "rate-limited"
    after = int(answers[-1].headers["retry-after"])
    assert SLOWER / 2 < after <= SLOWER
    assert answers[-1].json()["detail"] == f"Too many passwords were wrong. Try again in {after} seconds."
    assert answers[-1].headers["ratelimit"] == f'"login";r=0;t={after}'


async def test_many_guesses_at_once_are_no_way_around(client: AsyncClient) -> None:
    answers = await asyncio.gather(*(guess(client, ATTACKER) for _ in range(40)))

    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 35}


async def test_whoever_knows_the_password_comes_in_from_elsewhere(client: AsyncClient) -> None:
    for number in range(GUESSED_AT + 20):
        await guess(client, f"203.0.113.{number}")
    assert (await guess(client, ATTACKER)).status_code == 401
    assert (await guess(client, ATTACKER)).status_code == 429

    assert (await sign_in(client, PASSWORD, HOTEL)).status_code == 200


async def test_from_where_somebody_signs_in_they_are_not_kept_out_by_others_there(client: AsyncClient) -> None:
    assert (await sign_in(client, PASSWORD, HOME)).status_code == 200
    for number in range(GUESSED_AT + 1):
        await guess(client, f"203.0.113.{number}")

    wrong = [await guess(client, HOME) for _ in range(19)]

    assert {answer.status_code for answer in wrong} == {401}
    assert (await sign_in(client, PASSWORD, HOME)).status_code == 200


async def test_a_right_password_forgets_the_wrong_ones_from_there(client: AsyncClient) -> None:
    for _ in range(3):
        for _ in range(4):
            assert (await guess(client, HOME)).status_code == 401
        assert (await sign_in(client, PASSWORD, HOME)).status_code == 200


async def test_an_account_that_does_not_exist_looks_the_same(client: AsyncClient) -> None:
    answers = [await guess(client, ATTACKER, username="nobody") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_another_way_to_write_the_name_is_the_same_account(client: AsyncClient) -> None:
    answers = [
        await guess(client, ATTACKER, username=name) for name in ("ada", "ADA", " Ada", "\uff21da", "aDa", "ada")
    ]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


@pytest.mark.parametrize("redis", [{}, {"redis_url": NOBODY_THERE}])
async def test_one_password_for_many_accounts_is_counted_by_address(open_app: OpenApp, redis: Any) -> None:
    client = await open_app(**MANY | {"rate_login": "10/minute"}, **redis)
    await register(Visitor(client))

    answers = [await guess(client, ATTACKER, username=f"user{number}") for number in range(12)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert answers[-1].headers["ratelimit-policy"] == '"login";q=10;w=60'
    assert (await sign_in(client, PASSWORD, HOME)).status_code == 200


@pytest.mark.parametrize("redis", [{}, {"redis_url": NOBODY_THERE}])
async def test_right_passwords_cost_an_address_nothing(open_app: OpenApp, redis: Any) -> None:
    client = await open_app(**MANY | {"rate_login": "10/minute"}, **redis)
    await register(Visitor(client))

    answers = [await sign_in(client, PASSWORD, HOME) for _ in range(30)]

    assert {answer.status_code for answer in answers} == {200}


async def test_a_stolen_token_does_not_guess_the_password_faster(client: AsyncClient) -> None:
    tokens = (await sign_in(client, PASSWORD, HOTEL)).json()
    thief = {"authorization": f"Bearer {tokens['access_token']}", "x-forwarded-for": ATTACKER}
    change = {"current_password": "a wrong guess", "new_password": "another sentence"}

    changes = [await client.post("/me/password", json=change, headers=thief) for _ in range(5)]
    leaving = await client.request("DELETE", "/me", json={"password": "a wrong guess"}, headers=thief)

    assert [answer.status_code for answer in changes] == [403] * 5
    assert leaving.status_code == 429


async def test_who_is_sent_away_for_a_full_queue_has_tried_nothing(open_app: OpenApp) -> None:
    client = await open_app(**MANY)
    await register(Visitor(client))
    passwords = resources_of(client).passwords
    passwords._waiting, waiting = 64, passwords._waiting

    answers = [await guess(client, HOME) for _ in range(9)]
    passwords._waiting = waiting

    assert {answer.status_code for answer in answers} == {503}
    assert [(await guess(client, HOME)).status_code for _ in range(5)] == [401] * 5


async def test_two_processes_count_together(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(**MANY), await open_app(**MANY)
    await register(Visitor(here))

    answers = [await guess((here, elsewhere)[number % 2], ATTACKER) for number in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


def guesses_a_day(pauses: Any) -> int:
    """How many passwords one address tries in a day."""
    passed = tries = 0
    while passed < 86_400:
        tries += 1
        passed += pauses.after(tries)
    return tries


def test_the_first_pause_is_a_second_and_each_is_twice_the_one_before() -> None:
    assert [CALM.after(tries) for tries in range(1, 10)] == [0, 0, 0, 0, 1, 2, 4, 8, 16]


def test_what_a_day_of_guessing_gets() -> None:
    assert guesses_a_day(CALM) < 120
    assert guesses_a_day(GUESSED) < 120
    assert KNOWN.after(10_000) == 10
