"""Rate limits: who asks too often is told when to come again; who does not, never notices."""

from ipaddress import ip_network
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.adapters.embedded import EmbeddedServers
from app.adapters.rate_counter import RedisRateCounter
from app.domain.people.rates import Bucket, Policy
from app.services.callers.proxies import Proxies
from app.services.ports import Away
from tests.conftest import OpenApp

NOBODY_THERE = "redis://127.0.0.1:1"
LIMITED = {"rate_limits": True, "rate_login": "2/minute", "rate_reading": "3/hour", "rate_taking": "2/hour"}

TRUSTING = Proxies([ip_network("10.0.0.0/8")])


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
    counter = RedisRateCounter("redis://127.0.0.1:1", 1.0)

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
        (("10.0.0.1", 1), b"198.51.100.1:5678", "198.51.100.1"),
        (("10.0.0.1", 1), b"[2001:db8:1:2::3]:5678, 10.0.0.2:80", "2001:db8:1:2::/64"),
        (("10.0.0.1", 1), b"[2001:db8:1:2::3]", "2001:db8:1:2::/64"),
        (("10.0.0.1", 1), b"2001:db8:1:2::3", "2001:db8:1:2::/64"),
        (("10.0.0.1", 1), b"", "10.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 1), None, "2001:db8:1:2::/64"),
        (("::ffff:203.0.113.9", 1), None, "203.0.113.9"),
        (None, b"198.51.100.1", "198.51.100.1"),
        (None, None, "local"),
    ],
)
def test_a_forwarded_address_is_believed_only_from_trusted_proxies(
    peer: Any, forwarded: bytes | None, meant: str
) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded)]

    assert TRUSTING.client_of(peer, headers) == meant


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        # Two proxies, each of which adds a line of its own.
        ([(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"10.0.0.2")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"198.51.100.1")], "198.51.100.1"),
        ([(b"forwarded", b"for=198.51.100.1;proto=https;by=10.0.0.1")], "198.51.100.1"),
        ([(b"forwarded", b'proto=http; For="[2001:db8:1:2::3]:4711", for=10.0.0.2')], "2001:db8:1:2::/64"),
        ([(b"forwarded", b"for=6.6.6.6"), (b"forwarded", b"for=198.51.100.1:99")], "198.51.100.1"),
        ([(b"forwarded", b"for=_hidden, for=10.0.0.2")], "10.0.0.2"),
        ([(b"forwarded", b"by=198.51.100.1")], "10.0.0.1"),
        ([(b"forwarded", b"for=6.6.6.6"), (b"x-forwarded-for", b"198.51.100.1")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"6.6.6.6," * 1000 + b"10.0.0.2")], "6.6.6.6"),
    ],
)
def test_proxies_forward_in_many_ways(headers: list[tuple[bytes, bytes]], meant: str) -> None:
    assert TRUSTING.client_of(("10.0.0.1", 1), headers) == meant


def test_a_proxy_that_is_not_trusted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    proxies = Proxies([ip_network("10.0.0.0/8")])

    proxies.client_of(("10.0.0.1", 1), [(b"x-forwarded-for", b"198.51.100.1")])
    proxies.client_of(("192.0.2.7", 1), [(b"host", b"x")])
    assert not caplog.records
    for header in (b"x-forwarded-for", b"forwarded"):
        proxies.client_of(("192.0.2.7", 1), [(header, b"198.51.100.1")])

    [said] = caplog.messages
    assert said.startswith("192.0.2.7 forwards requests and is not in TRUSTED_PROXIES")
    assert said.endswith("set TRUSTED_PROXIES=192.0.2.7")


async def test_an_origin_that_may_not_call_is_told_in_a_problem(open_app: OpenApp) -> None:
    client = await open_app(cors_origins="https://tickets.example.org")
    asking = {"access-control-request-method": "POST", "x-request-id": "mine"}

    foreign = await client.options("/screenings/1/reservations", headers=asking | {"origin": "https://elsewhere.org"})
    ours = await client.options(
        "/screenings/1/reservations", headers=asking | {"origin": "https://tickets.example.org"}
    )

    assert foreign.headers["content-type"] == "application/problem+json"
    assert foreign.json() | {"title": ""} == {
        "type": "/problems/bad-request",
        "title": "",
        "status": 400,
        "detail": "Disallowed CORS origin. CORS_ORIGINS has the origins whose pages may call.",
        "instance": "/screenings/1/reservations",
        "code": "bad-request",
        "request_id": "mine",
    }
    assert "access-control-allow-origin" not in foreign.headers
    assert ours.status_code == 200
    for answer in (foreign, ours):
        assert answer.headers["x-request-id"] == "mine"
        assert "Origin" in answer.headers["vary"]


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
