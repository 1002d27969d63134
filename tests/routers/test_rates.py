"""Rate limits: who asks too often is told when to come again; who does not, never notices."""

from ipaddress import ip_network
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.adapters.embedded import EmbeddedServers
from app.adapters.rate_counter import RedisRateCounter
from app.domain.rates import Bucket, Policy
from app.http.client_address import client_address
from app.services.ports import Away
from tests.conftest import OpenApp

NOBODY_THERE = "redis://127.0.0.1:1"
LIMITED = {"rate_limits": True, "rate_login": "2/minute", "rate_reading": "3/hour", "rate_taking": "2/hour"}


async def test_one_request_too_many_is_told_when_to_come_again(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED)

    answers = [await client.post("/auth/guest", json={"email": "ada@example.org"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"login";q=2;w=60'
    assert refused.headers["ratelimit"].startswith('"login";r=0;t=')


async def test_every_counted_answer_says_how_many_are_left(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED)

    answer = await client.get("/screenings")

    assert answer.headers["ratelimit-policy"] == '"reading";q=1;w=3600'
    assert answer.headers["ratelimit"].startswith('"reading";r=0;t=')


async def test_without_a_token_an_address_may_do_less_than_somebody_with_one(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED | {"rate_reading": "4/hour"})
    mine = await _as_guest(client)

    without = [await client.get("/screenings") for _ in range(3)]
    signed_in = [await client.get("/me", headers=mine) for _ in range(5)]

    assert [answer.status_code for answer in without] == [200, 200, 429]
    assert [answer.status_code for answer in signed_in] == [200, 200, 200, 200, 429]


async def test_a_user_is_counted_wherever_they_come_from(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED, trusted_proxies="127.0.0.1")
    mine = await _as_guest(client)

    answers = [await client.get("/me", headers=mine | _from(f"192.0.2.{number}")) for number in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_taking_and_reading_are_counted_apart(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED)
    mine = await _as_guest(client)

    taken = [await _hold(client, mine, f"A{number}") for number in range(1, 4)]
    read = await client.get("/me", headers=mine)

    assert [answer.status_code for answer in taken] == [201, 201, 429]
    assert read.status_code == 200


async def test_pages_and_health_are_not_counted(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED)

    answers = [await client.get(path) for path in ("/health", "/docs", "/openapi.json", "/problems/busy") * 20]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def test_without_a_counter_the_process_counts_for_itself(open_app: OpenApp) -> None:
    client = await open_app(**LIMITED, redis_url=NOBODY_THERE)

    answers = [await client.post("/auth/guest", json={"email": "ada@example.org"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 201, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["ratelimit"].startswith('"login";r=0;t=')


async def test_an_office_behind_one_address_goes_on(open_app: OpenApp) -> None:
    client = await open_app(rate_limits=True)
    tokens = [(await client.post("/auth/guest", json={"email": f"{each}@example.org"})).json() for each in range(5)]

    for _ in range(40):
        tokens = [
            (await client.post("/auth/refresh", json={"refresh_token": each["refresh_token"]})).json()
            for each in tokens
        ]
    ended = [await client.post("/auth/logout", json={"refresh_token": each["refresh_token"]}) for each in tokens]

    assert {answer.status_code for answer in ended} == {204}


async def test_switched_off_nobody_is_counted(open_app: OpenApp) -> None:
    client = await open_app(**{**LIMITED, "rate_limits": False})

    answers = [await client.post("/auth/guest", json={"email": "ada@example.org"}) for _ in range(4)]

    assert {answer.status_code for answer in answers} == {201}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def test_a_dead_counter_is_left_alone_for_a_moment(servers: EmbeddedServers) -> None:
    counter = RedisRateCounter("redis://127.0.0.1:1")

    for _ in range(2):
        with pytest.raises(Away):
            await counter.count(Policy(Bucket.LOGIN, 1, 60), "somebody")


@pytest.mark.parametrize(
    ("peer", "forwarded", "meant"),
    [
        (("203.0.113.9", 1), None, "203.0.113.9"),
        (("203.0.113.9", 1), b"198.51.100.1", "203.0.113.9"),  # not a proxy that is trusted
        (("10.0.0.1", 1), b"198.51.100.1", "198.51.100.1"),
        (("10.0.0.1", 1), b"6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),  # the first one is made up
        (("10.0.0.1", 1), b"not an address, 10.0.0.2", "10.0.0.2"),
        (("10.0.0.1", 1), None, "10.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 1), None, "2001:db8:1:2::/64"),
        (("::ffff:203.0.113.9", 1), None, "203.0.113.9"),
        (None, b"198.51.100.1", "198.51.100.1"),
        (None, None, "local"),
    ],
)
def test_a_forwarded_address_is_believed_only_from_trusted_proxies(
    peer: Any, forwarded: bytes | None, meant: str
) -> None:
    assert client_address(peer, forwarded, [ip_network("10.0.0.0/8")]) == meant


async def test_front_ends_of_other_origins_read_what_they_need(open_app: OpenApp) -> None:
    client = await open_app(cors_origins="https://tickets.example.org")
    theirs = {"origin": "https://tickets.example.org"}

    answer = await client.get("/screenings", headers=theirs)
    asked_before = await client.options(
        "/screenings/1/reservations",
        headers=theirs
        | {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,idempotency-key",
        },
    )
    foreign = await client.get("/screenings", headers={"origin": "https://elsewhere.example.org"})

    assert answer.headers["access-control-allow-origin"] == "https://tickets.example.org"
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"etag", "location", "link", "retry-after", "ratelimit", "idempotent-replayed", "x-request-id"}
    assert asked_before.status_code == 200
    assert "POST" in asked_before.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in foreign.headers


async def _as_guest(client: AsyncClient) -> dict[str, str]:
    answer = await client.post("/auth/guest", json={"email": "ada@example.org"})
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def _from(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


async def _hold(client: AsyncClient, headers: dict[str, str], seat: str) -> Response:
    return await client.post("/screenings/1/reservations", json={"seat": seat}, headers=headers)
