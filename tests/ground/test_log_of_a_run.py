"""What a whole run writes to its log and to those of its servers: enough to find a request, and no secret."""

import asyncio
import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.adapters.embedded.place import find_place
from tests.forking import Forker
from tests.ground.crowd import Listening
from tests.ground.test_serving import Serve, starting, url_of
from tests.patience import PATIENCE_SECONDS, wait_until

PASSWORD, WRONG_PASSWORD = "a-private-password-17", "a-wrong-password-18"
NAME, EMAIL, GUESTS_EMAIL = "somebody-private", "very-private@example.org", "also-private@example.org"
KEY = "0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11"
PAYMENT_TOKEN = "declined"
REFERENCE = "customer-4711"


@pytest.fixture
def serve(lived_in: Path, forker: Forker) -> Iterator[Serve]:
    """Start the program where Usher has run before."""
    with starting(lived_in, forker) as serve:
        yield serve


def call(url: str, body: Mapping[str, Any] | None = None, method: str | None = None, **headers: str) -> Any:
    """What is answered, whatever the status; None if that is no JSON."""
    content = None if body is None else orjson.dumps(body)
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": "application/json"}
    request = urllib.request.Request(url, content, sent, method=method)  # noqa: S310 (our own server)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own server)
            said = answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            said = refused.read()
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        return None


async def listen(url: str, token: str) -> None:
    """As a socket, with a token in the address."""
    async with connect(
        f"{url.replace('http', 'ws', 1)}/ws/screenings/1?token={token}", open_timeout=PATIENCE_SECONDS
    ) as connection:
        await connection.recv()
        await connection.send(orjson.dumps({"type": "authenticate", "token": f"{token}x"}).decode())
        try:
            while True:
                await connection.recv()
        except ConnectionClosed:
            return


def nonsense(url: str) -> None:
    """What is no HTTP never reaches the application."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as caller:
        caller.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b" 400 " in caller.recv(4_096)


def evening(url: str) -> list[str]:
    """Somebody does all that one can do with secrets. Which ones, they were told or have sent."""
    call(f"{url}/auth/register", {"username": NAME, "password": PASSWORD, "email": EMAIL})
    call(f"{url}/auth/login", {"username": NAME, "password": WRONG_PASSWORD})
    signed_in = call(f"{url}/auth/login", {"username": NAME, "password": PASSWORD})
    token, refresh = signed_in["access_token"], signed_in["refresh_token"]
    mine = {"Authorization": f"Bearer {token}"}
    held = call(f"{url}/screenings/1/reservations", {"seats": ["A1"]}, Idempotency_Key=KEY, **mine)
    call(f"{url}/reservations/{held['id']}/confirm", {"payment": {"method": "card", "token": PAYMENT_TOKEN}}, **mine)
    call(f"{url}/reserve", {"seat": "A2", "email": GUESTS_EMAIL})
    call(f"{url}/me", {"email": GUESTS_EMAIL}, method="PATCH", **mine)
    call(f"{url}/me/password", {"current_password": WRONG_PASSWORD, "new_password": f"{PASSWORD}-2"}, **mine)
    call(f"{url}/auth/login", {"username": 17, "password": [PASSWORD]})
    call(f"{url}/bookings?email={EMAIL}&token={token}", **mine)
    call(f"{url}/me", Authorization=f"Bearer {token}broken")
    call(f"{url}/no/such/path/{token}", **mine)
    guest = call(f"{url}/screenings/1/reservations", {"seats": ["A3"]})["guest_token"]
    staff = call(f"{url}/auth/login", {"username": "admin", "password": "usher-demo"})["access_token"]
    key = call(
        f"{url}/api-keys",
        {"name": "shop", "role": "customer", "scopes": ["read", "sell"]},
        Authorization=f"Bearer {staff}",
    )
    program = {"Authorization": f"Bearer {key['key']}", "Customer_Reference": REFERENCE}
    call(f"{url}/screenings/1/reservations", {"seats": ["A4"]}, **program)
    asyncio.run(listen(url, token))
    nonsense(url)
    call(f"{url}/auth/refresh", {"refresh_token": refresh})
    call(f"{url}/me", X_Request_ID="find-me-4711", **mine)
    tokens = [token, refresh, guest, staff, key["key"]]
    parts = [part for each in tokens for part in each.split(".") if len(part) > 20]
    return [*parts, PASSWORD, WRONG_PASSWORD, "usher-demo", EMAIL, GUESTS_EMAIL, NAME, KEY, REFERENCE]


def test_a_log_that_nobody_reads_holds_nobody_up(serve: Serve) -> None:
    process = serve(LOG_FORMAT="")
    url = url_of(process)
    assert process.stderr is not None

    for _ in range(1_500):  # more lines than a pipe takes
        assert call(f"{url}/health/live") == {"status": "ok"}
    with Listening(process) as said:
        wait_until(lambda: call(f"{url}/health/live") and "lines were left out here" in said())
        process.terminate()
        process.wait()

    assert [json.loads(line) for line in said().splitlines()]
    assert process.returncode == 0


@pytest.mark.parametrize("log_format", ["", "text"])
def test_a_run_can_be_read_and_tells_no_secret(serve: Serve, lived_in: Path, log_format: str) -> None:
    process = serve(LOG_FORMAT=log_format, LOG_LEVEL="debug")
    secrets = evening(url_of(process))
    process.terminate()
    said, complained = process.communicate()

    data = find_place(lived_in).data
    everything = said + complained + "".join((data / name).read_text() for name in ("postgresql.log", "valkey.log"))
    print(complained, file=sys.stderr)
    assert [secret for secret in secrets if secret in everything] == []
    [line] = [line for line in complained.splitlines() if "find-me-4711" in line]
    assert "/api/v1/me" in line
    if not log_format:  # nobody looks at it on a terminal
        lines = [json.loads(line) for line in complained.splitlines()]
        assert {"at", "level", "logger", "request_id", "message"} <= set.intersection(*(set(each) for each in lines))
        routes = {(each["method"], each["route"], each["status"]) for each in lines if "route" in each}
        assert ("POST", "/api/v1/auth/login", 401) in routes
        assert ("POST", "/api/v1/screenings/{screening_id}/reservations", 201) in routes
        assert ("GET", "/ws/screenings/{screening_id}", 101) in routes
        assert ("other", "other", 400) in routes
