"""Live seats as Server-Sent Events (docs/api.md, section 9), over a real connection."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.people.people import Role
from app.http.live.event_stream import event
from app.logs import TextLines
from app.request_log import RequestLog
from app.services.live.listeners import Message
from app.services.people.api_keys import PREFIX as API_KEY_PREFIX
from tests.conftest import MakeSettings
from tests.listeners import House, house, seats
from tests.organizers import token_of
from tests.patience import patience
from tests.routers.visitors import Database, Visitor, guest, refused, told

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
async def usher(make_settings: MakeSettings) -> AsyncIterator[House]:
    async with house(make_settings()) as opened:
        yield opened


@pytest.fixture
async def ada(usher: House) -> Visitor:
    return await guest(usher.client, "ada@example.org")


async def test_a_stream_confirms_and_then_tells_seats_as_they_go(usher: House, ada: Visitor) -> None:
    async with usher.stream() as stream:
        assert stream.answer.status_code == 200
        assert stream.answer.headers["content-type"] == "text/event-stream"
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        assert "x-request-id" in stream.answer.headers
        confirmed = {"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": None}
        assert await stream.next() == confirmed
        assert (stream.last_event_id, stream.retry_ms) == (0, 2000)

        held = await ada.hold("A1")

        update = {
            "seat_id": 1,
            "label": "A1",
            "status": "reserved",
            "is_mine": False,
            "expires_at": held["expires_at"],
            "previously_reserved_by": None,
        }
        message = {"type": "bulk_seat_update", "screening_id": 1, "version": 1, "updates": [update]}
        assert await stream.next() == message
        assert (stream.last_event_id, stream.event) == (1, "message")


async def test_a_bearer_token_shows_what_is_mine(usher: House, ada: Visitor) -> None:
    async with usher.stream(headers={"authorization": f"Bearer {ada.token}"}) as stream:
        assert (await stream.next())["user_id"] == (await ada.read("/me"))["id"]

        await ada.hold("A1")

        assert [each["status"] for each in (await seats(stream))["updates"]] == ["reserved_by_me"]


async def test_a_token_comes_in_the_query_for_browsers_that_send_no_headers(usher: House, ada: Visitor) -> None:
    me = (await ada.read("/me"))["id"]
    async with usher.stream(query=f"?token={ada.token}") as stream:
        assert (await stream.next())["user_id"] == me

        await ada.hold("A1")

        assert [each["status"] for each in (await seats(stream))["updates"]] == ["reserved_by_me"]


async def test_the_token_of_the_query_wins_over_the_header(usher: House, ada: Visitor) -> None:
    bob = await guest(usher.client, "bob@example.org")
    headers = {"authorization": f"Bearer {ada.token}"}
    async with usher.stream(query=f"?token={bob.token}", headers=headers) as stream:
        assert (await stream.next())["user_id"] == (await bob.read("/me"))["id"]


@pytest.mark.parametrize(
    "token", ["nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", f"{API_KEY_PREFIX.decode()}nonsense", "%20"]
)
async def test_a_token_in_the_query_that_is_not_believed_is_401(usher: House, token: str) -> None:
    answer = await Visitor(usher.client).get(f"/api/v1/screenings/1/live?token={token}")

    assert token not in refused(answer, 401, "unauthenticated")["instance"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(usher.resources.live.limits) == 0


async def test_an_api_key_in_the_query_needs_the_scope(usher: House, database: Database) -> None:
    admin = Visitor(usher.client, await token_of(database, Role.ADMIN))
    for scopes, status in ((["house"], 403), (["read"], 200)):
        made = told(await admin.post("/api-keys", {"name": "A wall", "role": "organizer", "scopes": scopes}), 201)
        answer = await usher.client.head(f"/api/v1/screenings/1/live?token={made['key']}")
        assert answer.status_code == status


async def test_tokens_are_in_no_log_whatever_its_level(
    usher: House, ada: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    usher.resources.request_log = RequestLog()
    with caplog.at_level(logging.DEBUG):
        async with usher.stream(query=f"?token={ada.token}") as stream:
            await stream.next()
        await usher.client.get("/api/v1/screenings/1/live?token=a-bad-secret")
        await usher.client.get("/api/v1/screenings/1/live?token=a-bad-secret&since=a-bad-number")
        await usher.client.get("/api/v1/screenings/1/live?token=a-bad-secret&token=a-bad-secret")
        usher.resources.request_log.write()

    # pytest listens to uvicorn's access log, too; the service does not write one (tests/races/test_real_processes.py).
    others = ("httpx", "httpcore", "uvicorn.access")
    ours = [record for record in caplog.records if not record.name.startswith(others)]
    assert any(record.name.startswith("app.") for record in ours)
    lines = [TextLines().format(record) for record in ours]
    assert not any((ada.token or "") in line or "a-bad-secret" in line for line in lines)


async def test_whoever_comes_back_with_the_last_event_id_misses_nothing(usher: House, ada: Visitor) -> None:
    async with usher.stream() as stream:
        await stream.next()
        await ada.hold("A1")
        await seats(stream)
        last = stream.last_event_id
    await ada.hold("A2")

    # A browser comes back to the address that it knew first.
    async with usher.stream(query="?since=0", headers={"last-event-id": str(last)}) as stream:
        assert (await stream.next())["version"] == last
        missed = await stream.next()
        await ada.hold("A3")
        after = await stream.next()

    assert (missed["version"], [each["label"] for each in missed["updates"]]) == (2, ["A2"])
    assert (after["version"], [each["label"] for each in after["updates"]]) == (3, ["A3"])


async def test_a_version_that_is_no_longer_kept_gets_one_resync_and_then_goes_on(usher: House, ada: Visitor) -> None:
    for label in ("A1", "A2", "A3"):
        await ada.hold(label)
    async with usher.resources.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM seat_events WHERE version < 3")

    async with usher.stream(query="?since=1") as stream:
        await stream.next()
        told = await stream.next()
        named = stream.event
        await ada.hold("A4")
        after = await stream.next()

    assert told == {"type": "resync", "screening_id": 1, "version": 3, "reason": "too_old"}
    assert (named, after["version"]) == ("resync", 4)


async def test_a_version_of_before_somebody_watched_is_filled_from_postgresql(usher: House, ada: Visitor) -> None:
    held = await ada.hold("A1")
    await ada.hold("A2")
    await ada.delete(f"/reservations/{held['id']}")

    async with usher.stream(query="?since=0") as stream:
        await stream.next()
        missed = await stream.next()

    statuses = {each["label"]: each["status"] for each in missed["updates"]}
    assert (missed["version"], statuses) == (3, {"A1": "available", "A2": "reserved"})


async def test_what_cannot_be_streamed_is_a_problem_as_everywhere(usher: House) -> None:
    nobody = Visitor(usher.client)
    refused(await nobody.get("/api/v1/screenings/999/live"), 404, "not-found")
    refused(await nobody.get("/api/v1/screenings/abc/live"), 422, "validation", "errors")
    refused(await nobody.get("/api/v1/screenings/1/live?since=-1"), 422, "validation", "errors")
    refused(await nobody.get("/api/v1/screenings/1/live", last_event_id="abc"), 422, "validation", "errors")
    refused(await Visitor(usher.client, "nonsense").get("/api/v1/screenings/1/live"), 401, "unauthenticated")
    assert len(usher.resources.live.limits) == 0


async def test_head_says_what_a_stream_would_be_and_ends(usher: House) -> None:
    answer = await usher.client.head("/screenings/1/live")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert len(usher.resources.live.limits) == 0


async def test_everybody_is_pinged(usher: House) -> None:
    async with usher.stream() as stream:
        await stream.next()
        await usher.resources.live.ping()
        assert await stream.next() == {"type": "ping"}
        assert stream.event == "ping"


async def test_one_stream_too_many_of_an_address_is_429(make_settings: MakeSettings) -> None:
    settings = make_settings(rate_limits=True, live_per_address=1)
    async with house(settings) as usher, usher.stream() as stream:
        await stream.next()
        answer = await Visitor(usher.client).get("/api/v1/screenings/1/live")

        refused(answer, 429, "rate-limited")
        assert answer.headers["retry-after"] == "5"


async def test_a_full_process_is_503(make_settings: MakeSettings) -> None:
    async with house(make_settings(live_per_process=1)) as usher, usher.stream() as stream:
        await stream.next()
        answer = await Visitor(usher.client).get("/api/v1/screenings/1/live")

        refused(answer, 503, "busy")
        assert answer.headers["retry-after"] == "5"


async def test_a_slow_reader_gets_a_resync_and_the_end(make_settings: MakeSettings) -> None:
    async with house(make_settings(live_buffer_kib=1)) as usher, usher.stream() as stream:
        await stream.next()
        [broadcast] = usher.resources.live._broadcasts.values()
        [reader] = broadcast.listeners
        large = Message("bulk_seat_update", None, b'"%s"' % (b"x" * 2_000))

        for _ in range(5):  # nothing is sent in between: nobody waits
            reader.tell(large)

        assert await stream.next() == {"type": "resync", "screening_id": 1, "version": 0, "reason": "too_slow"}
        with pytest.raises(StopAsyncIteration):
            await stream.next()


async def test_a_token_that_ends_is_told_before_and_ends_the_stream(usher: House) -> None:
    tokens = usher.resources.tokens
    begun = datetime.now(UTC) + timedelta(seconds=5 - tokens.guest_seconds)
    token = tokens.guest_token(1_000_000, begun, "a short one")
    async with usher.stream(headers={"authorization": f"Bearer {token}"}) as stream:
        await stream.next()
        assert (await stream.next())["type"] == "token_expiring"
        with pytest.raises(StopAsyncIteration):
            await stream.next()


async def test_when_it_stops_streams_say_when_to_come_back_and_end(make_settings: MakeSettings) -> None:
    async with house(make_settings()) as usher, usher.stream() as stream:
        await stream.next()
        usher.server.should_exit = True
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        assert stream.retry_ms is not None
        assert 1_000 <= stream.retry_ms <= 4_000


async def test_a_reader_who_hangs_up_is_forgotten(usher: House, ada: Visitor) -> None:
    async with usher.stream() as stream:
        await stream.next()
    async with usher.stream() as stream:
        await stream.next()
        held = await ada.hold("A1")
        assert (await seats(stream))["version"] == 1

    assert (await ada.read(f"/reservations/{held['id']}"))["status"] == "held"


async def test_the_curl_of_the_readme_shows_it(usher: House) -> None:
    found = re.search(r"`curl -N (\$USHER)(/\S+)`", README.read_text())
    assert found is not None
    path = found[2].replace("$SCREENING", "1")
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sN", f"http://127.0.0.1:{usher.port}{path}", stdout=asyncio.subprocess.PIPE
    )
    assert curl.stdout is not None
    async with patience():
        lines = [await curl.stdout.readline() for _ in range(3)]
    curl.terminate()
    await curl.wait()

    confirmed = b'data: {"type":"connection_confirmed","screening_id":1,"version":0,"user_id":null}\n'
    assert lines == [b"retry: 2000\n", b"id: 0\n", confirmed]


def test_an_event_has_the_version_as_its_id_and_a_name_unless_it_is_about_seats() -> None:
    assert event(Message("bulk_seat_update", 7, b"{}")) == b"id: 7\ndata: {}\n\n"
    assert event(Message("resync", 7, b"{}")) == b"id: 7\nevent: resync\ndata: {}\n\n"
    assert event(Message("ping", None, b"{}")) == b"event: ping\ndata: {}\n\n"


async def test_every_message_has_a_schema_in_a_document_that_the_pages_name(usher: House) -> None:
    document = (await usher.client.get("/asyncapi.json")).json()
    told = document["channels"]["socket"]["messages"]
    named = {
        schema["properties"]["type"]["const"]
        for schema in document["components"]["schemas"].values()
        if "type" in schema.get("properties", ())
    }

    assert named == {
        *("connection_confirmed", "bulk_seat_update", "resync", "ping", "pong", "token_expiring", "error"),
        "authenticate",
    }
    assert set(told) == set(document["components"]["messages"])
    assert "/asyncapi.json" in (await usher.client.get("/openapi.json")).json()["info"]["description"]
