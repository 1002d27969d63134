"""One line for each request: who asked for what, and what became of it, to be found by its request id."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence

import pytest
from httpx import AsyncClient

from app import request_log
from app.logs import JsonLines, TextLines
from app.request_log import Answered, answered_in
from tests.conftest import OpenApp, resources_of
from tests.races.buyers import somebody

Lines = Callable[[], Sequence[Answered]]


@pytest.fixture
async def client(open_app: OpenApp, caplog: pytest.LogCaptureFixture) -> AsyncClient:
    """A process that logs requests."""
    caplog.set_level(logging.INFO, "app")
    return await open_app()


@pytest.fixture
def lines(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> Lines:
    """The lines so far."""

    def written() -> Sequence[Answered]:
        log = resources_of(client).request_log
        assert log is not None
        log.write()
        return [each for record in caplog.records for each in answered_in(record) or ()]

    return written


async def test_a_line_says_who_asked_for_what_and_what_became_of_it(client: AsyncClient, lines: Lines) -> None:
    buyer = await somebody(client)

    mine = {"X-Request-ID": "find-me", "Authorization": f"Bearer {buyer.token}"}

    await client.post("/v1/screenings/1/reservations?since=7", json={"seats": ["A1"]}, headers=mine)
    await client.post("/v1/screenings/1/reservations", json={"seats": ["A1"]}, headers=mine)

    refused, held = [line for line in lines() if line.request_id == "find-me"]
    assert refused[1:4] == ("POST", "/api/v1/screenings/{screening_id}/reservations", 422)
    assert held[1:4] == ("POST", "/api/v1/screenings/{screening_id}/reservations", 201)
    assert held.user_id == (await buyer.ask("GET", "/me")).json()["id"]
    assert held.seconds > 0


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/screenings/1/seats", "/api/v1/screenings/{screening_id}/seats", 200),
        ("HEAD", "/screenings/1/seats", "/api/v1/screenings/{screening_id}/seats", 200),
        ("GET", "/no/such/path", "other", 404),
        ("DELETE", "/screenings/1/seats", "other", 405),
        ("BREW", "/me", "other", 405),
        ("GET", "/me", "/api/v1/me", 401),
        ("GET", "/", "/", 200),
    ],
)
async def test_whatever_is_asked_for_gets_a_line(
    client: AsyncClient, lines: Lines, method: str, path: str, route: str, status: int
) -> None:
    await client.request(method, path)

    [line] = lines()
    assert (line.route, line.status, line.user_id) == (route, status, None)
    assert line.method == (method if method != "BREW" else "other")


async def test_lines_are_written_by_themselves_and_together(
    client: AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "TOGETHER_SECONDS", 0.0)
    written = asyncio.Event()
    monkeypatch.setattr(logging.Logger, "handle", lambda _, record: written.set() or caplog.records.append(record))

    await asyncio.gather(*(client.get("/health/live") for _ in range(3)))
    await written.wait()

    assert sum(len(answered_in(record) or ()) for record in caplog.records) >= 1


async def test_nobody_who_would_not_see_them_pays_for_them(open_app: OpenApp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "app")
    quiet = await open_app()
    caplog.set_level(logging.INFO, "app")
    off = await open_app(log_requests=False)

    assert (resources_of(quiet).request_log, resources_of(off).request_log) == (None, None)


# --- how they look

AT = 1_795_000_000.042
TWO = [
    Answered(AT, "POST", "/api/v1/bookings", 201, 0.00423, 17, 'a"b'),
    Answered(AT + 1, "GET", "other", 404, 0.0001, None, "c"),
]


@pytest.fixture
def record() -> logging.LogRecord:
    """What was answered in the same moment."""
    record = logging.LogRecord("app.request_log", logging.INFO, "", 0, "2", (), None)
    record.answered = TWO
    return record


def test_text_has_a_line_for_each(record: logging.LogRecord) -> None:
    assert TextLines().format(record).splitlines() == [
        '2026-11-18T11:06:40.042Z info app.request_log [a"b] POST /api/v1/bookings 201 4.2 ms user 17',
        "2026-11-18T11:06:41.042Z info app.request_log [c] GET other 404 0.1 ms nobody",
    ]


def test_json_has_an_object_for_each_like_all_other_lines(record: logging.LogRecord) -> None:
    first, second = map(json.loads, JsonLines().format(record).splitlines())
    usual = json.loads(JsonLines().format(logging.LogRecord("app.other", logging.INFO, "", 0, "said", (), None)))

    assert usual.keys() <= first.keys()
    assert len(usual["at"]) == len(first["at"])
    assert first == {
        "at": "2026-11-18T11:06:40.042Z",
        "level": "info",
        "logger": "app.request_log",
        "request_id": 'a"b',
        "message": "POST /api/v1/bookings 201",
        "method": "POST",
        "route": "/api/v1/bookings",
        "status": 201,
        "ms": 4.2,
        "user_id": 17,
    }
    assert second["user_id"] is None
