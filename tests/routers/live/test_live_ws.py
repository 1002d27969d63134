"""Live seats over a WebSocket (docs/api.md, section 9), as a browser or a program opens one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.pool import QueuePool
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from app.http.live.socket import _is_welcome
from app.server.protocols import http_protocol, turns, websocket_protocol
from app.server.protocols.websocket_protocol import CREDIT, PORTION, LiveSocket
from app.services.live.listeners import Message
from app.services.people.api_keys import PREFIX as API_KEY_PREFIX
from tests.conftest import MakeSettings
from tests.listeners import House, Socket, house, seats
from tests.patience import PATIENCE_SECONDS
from tests.routers.visitors import Visitor, guest


@pytest.fixture
async def usher(make_settings: MakeSettings) -> AsyncIterator[House]:
    async with house(make_settings()) as opened:
        yield opened


@pytest.fixture
async def ada(usher: House) -> Visitor:
    return await guest(usher.client, "ada@example.org")


@pytest.fixture
async def bob(usher: House) -> Visitor:
    return await guest(usher.client, "bob@example.org")


async def test_a_seat_that_goes_is_told_to_everybody_and_its_owner_knows_it_for_theirs(
    usher: House, ada: Visitor
) -> None:
    async with usher.socket() as anybody, usher.socket(query=f"?token={ada.token}") as owner:
        told = [await Socket(each).next() for each in (anybody, owner)]
        me = (await ada.read("/me"))["id"]
        assert told[0] == {"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": None}
        assert told[1] == {"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": me}

        held = await ada.hold("A1")

        update = {"seat_id": 1, "label": "A1", "expires_at": held["expires_at"], "previously_reserved_by": None}
        message = {"type": "bulk_seat_update", "screening_id": 1, "version": 1}
        others = [update | {"status": "reserved", "is_mine": False}]
        assert await seats(Socket(anybody)) == message | {"updates": others}
        mine = [update | {"status": "reserved_by_me", "is_mine": True}]
        assert await seats(Socket(owner)) == message | {"updates": mine}


async def test_whose_hold_it_was_is_told_to_nobody_else(usher: House, ada: Visitor, bob: Visitor) -> None:
    held = await ada.hold("A1")
    me = (await ada.read("/me"))["id"]
    async with usher.socket(query=f"?token={ada.token}") as mine, usher.socket(query=f"?token={bob.token}") as theirs:
        for each in (mine, theirs):
            await Socket(each).next()

        await ada.delete(f"/reservations/{held['id']}")

        [told_me], [told_them] = [(await seats(Socket(each)))["updates"] for each in (mine, theirs)]
        assert (told_me["status"], told_me["previously_reserved_by"]) == ("available", me)
        assert (told_them["status"], told_them["previously_reserved_by"]) == ("available", None)


async def test_what_existing_clients_call_and_what_they_are_told_agree(usher: House, ada: Visitor) -> None:
    async with usher.socket(query=f"?token={ada.token}") as opened:
        listener = Socket(opened)
        await listener.next()

        await ada.post("/api/v1/seat-reservations/toggle", {"screening_id": 1, "seat_ids": [1, 2]})
        toggled = await seats(listener)
        await ada.delete("/api/v1/seat-reservations/cancel/1")
        cancelled = await seats(listener)

        assert {each["seat_id"] for each in toggled["updates"]} == {1, 2}
        assert {each["status"] for each in toggled["updates"]} == {"reserved_by_me"}
        listed = await ada.read("/api/v1/seat-reservations/screening/1/availability/me")
        known = {each["seat"]["id"]: (each["status"], each["previously_reserved_by"]) for each in listed}
        for update in cancelled["updates"]:
            assert known[update["seat_id"]] == (update["status"], update["previously_reserved_by"])
        changes = await ada.read(f"/screenings/1/changes?since={toggled['version']}")
        assert changes == {"version": cancelled["version"], "updates": cancelled["updates"]}


async def test_it_is_there_under_every_alias(usher: House) -> None:
    for base in ("/ws", "/api/v1/ws", "/v1/ws"):
        async with usher.socket(base=base) as opened:
            assert (await Socket(opened).next())["type"] == "connection_confirmed"


async def test_a_token_comes_as_a_subprotocol_which_is_answered(usher: House, ada: Visitor) -> None:
    async with usher.socket(offered=("bearer", ada.token or "")) as opened:
        assert opened.subprotocol == "bearer"
        assert (await Socket(opened).next())["user_id"] == (await ada.read("/me"))["id"]


async def test_a_token_comes_as_the_first_message_and_is_confirmed(usher: House, ada: Visitor) -> None:
    me = (await ada.read("/me"))["id"]
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.say({"type": "authenticate", "token": ada.token})

        confirmed = await listener.next()
        while confirmed["user_id"] is None:  # on a slow machine it was anonymous for a moment
            confirmed = await listener.next()

        assert confirmed == {"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": me}


async def test_an_anonymous_listener_may_say_later_who_it_is(usher: House, ada: Visitor) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        await listener.say({"type": "authenticate", "token": ada.token})
        assert (await listener.next())["user_id"] == (await ada.read("/me"))["id"]

        await ada.hold("A1")

        assert (await seats(listener))["updates"][0]["is_mine"] is True


async def test_a_token_that_is_not_believed_closes_with_4401(usher: House) -> None:
    for token in ("nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", f"{API_KEY_PREFIX.decode()}nonsense", "%00"):
        async with usher.socket(query=f"?token={token}") as opened:
            assert await Socket(opened).close_code() == 4401
        async with usher.socket() as opened:
            await Socket(opened).say({"type": "authenticate", "token": token})
            assert await Socket(opened).close_code() == 4401
    async with usher.socket(offered=("bearer", "nonsense")) as opened:
        assert await Socket(opened).close_code() == 4401


async def test_an_unknown_screening_closes_with_4404(usher: House) -> None:
    for screening in ("999", "0", "-1", "1_0", "abc", "99999999999999999999"):
        async with usher.socket(screening) as opened:
            assert await Socket(opened).close_code() == 4404


async def test_a_foreign_origin_closes_with_4403(usher: House) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1.evil.example:{usher.port}"):
        async with usher.socket(headers={"origin": origin}) as opened:
            assert await Socket(opened).close_code() == 4403


async def test_our_own_origin_and_those_of_cors_origins_are_welcome(make_settings: MakeSettings) -> None:
    async with house(make_settings(cors_origins="https://tickets.example.org")) as usher:
        for origin in ("https://tickets.example.org", f"http://127.0.0.1:{usher.port}"):
            async with usher.socket(headers={"origin": origin}) as opened:
                assert (await Socket(opened).next())["type"] == "connection_confirmed"


@pytest.mark.parametrize(
    ("origin", "host", "is_welcome"),
    [
        (None, b"usher.example", True),
        (b"https://usher.example", b"usher.example", True),
        (b"https://usher.example", b"usher.example:443", True),
        (b"HTTPS://Usher.Example", b"usher.example", True),
        (b"https://usher.example:8443", b"usher.example:8443", True),
        (b"http://[::1]:8000", b"[::1]:8000", True),
        (b"https://usher.example:8443", b"usher.example", False),
        (b"https://usher.example", b"usher.example:8443", False),
        (b"https://usher.example.evil", b"usher.example", False),
        (b"https://usher.example:99999", b"usher.example", False),
        (b"file://usher.example", b"usher.example", False),
        (b"https://other.example", b"usher.example", False),
        (b"", b"", False),
    ],
)
def test_pages_of_the_same_host_are_welcome_whatever_port_is_usual(
    origin: bytes | None, host: bytes, is_welcome: bool
) -> None:
    assert _is_welcome(origin, host, ()) is is_welcome


async def test_a_ping_is_answered_and_everybody_is_pinged(usher: House) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()

        await listener.say({"type": "ping"})
        assert await listener.next() == {"type": "pong"}
        await usher.resources.live.ping()
        assert await listener.next() == {"type": "ping"}


async def test_what_is_not_understood_is_said_and_a_flood_of_it_closes_with_1008(usher: House) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()

        await opened.send("{")
        assert (await listener.next())["code"] == "not-json"
        await opened.send('{"type": "ping", "more": ' + "[" * 64 + "]" * 64 + "}")
        assert (await listener.next())["code"] == "not-json"
        await listener.say({"type": "hold", "seat_id": 1})
        assert (await listener.next())["code"] == "unknown-type"
        for said in ("[]", "null", '"ping"', "{}", "[" * 5_000, "{", "{", "{", "{", "{", "{"):
            await opened.send(said)

        assert await listener.close_code() == 1008


async def test_a_flood_of_pings_closes_with_1008(usher: House) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()

        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - whichever of them notices it
            for _ in range(2_000):
                await listener.say({"type": "ping"})
            await listener.close_code()
            raise opened.protocol.close_exc

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_a_binary_message_closes_with_1003(usher: House) -> None:
    async with usher.socket() as opened:
        await opened.send(b"\x00\x01")
        assert await Socket(opened).close_code() == 1003


async def test_a_message_of_a_megabyte_closes_with_1009_and_a_frame(usher: House) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        await opened.send("x" * 1_000_000)
        assert await listener.close_code() == 1009


async def test_a_message_in_a_thousand_pieces_closes_with_1008(usher: House) -> None:
    async with usher.socket() as opened:
        await Socket(opened).next()
        with suppress(ConnectionClosed):
            await opened.send([""] * 1_000)
        assert await Socket(opened).close_code() == 1008


async def test_an_open_socket_holds_no_connection_to_postgresql(usher: House) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await Socket(await stack.enter_async_context(usher.socket())).next()

        pool = usher.resources.engine.pool
        assert isinstance(pool, QueuePool)
        async with usher.resources.engine.connect():
            assert pool.checkedout() <= 3  # ours, and perhaps a loop's look


async def test_with_postgresql_away_it_says_come_again(usher: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: int) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(usher.resources.live, "_enter", away)
    async with usher.socket() as opened:
        assert await Socket(opened).close_code() == 1013


async def test_text_that_is_not_utf_8_closes_with_1007_and_no_traceback(
    usher: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        await opened.send(b"\xff\xfe", text=True)
        assert await listener.close_code() == 1007
    assert "Traceback" not in caplog.text


async def test_a_client_that_vanishes_leaves_nothing_behind(usher: House, ada: Visitor) -> None:
    async with usher.socket(query=f"?token={ada.token}") as opened:
        await Socket(opened).next()
        held = await ada.hold("A1")
        opened.transport.abort()
    async with usher.socket() as opened:
        await Socket(opened).next()
        assert len(usher.resources.live.limits) == 1

    assert (await ada.read(f"/reservations/{held['id']}"))["status"] == "held"


async def test_whoever_comes_back_is_told_what_they_missed_and_nothing_twice(usher: House, ada: Visitor) -> None:
    await ada.hold("A1")
    async with usher.socket() as opened:
        version = (await Socket(opened).next())["version"]
        assert version == 1
    await ada.hold("A2")
    await ada.hold("A3")

    async with usher.socket(query=f"?since={version}") as opened:
        listener = Socket(opened)
        assert (await listener.next())["version"] == version
        missed = await listener.next()
        await ada.hold("A4")
        after = await listener.next()

    assert (missed["version"], [each["label"] for each in missed["updates"]]) == (3, ["A2", "A3"])
    assert (after["version"], [each["label"] for each in after["updates"]]) == (4, ["A4"])


async def test_a_version_beyond_the_present_is_told_to_read_the_map_again(usher: House) -> None:
    async with usher.socket(query="?since=99") as opened:
        listener = Socket(opened)
        assert (await listener.next())["version"] == 0
        resync = {"type": "resync", "screening_id": 1, "version": 0, "reason": "too_old"}
        assert await listener.next() == resync


async def test_a_since_that_is_no_version_closes_with_1008(usher: House) -> None:
    for since in ("-1", "abc", "1.0", "9" * 30, ""):
        async with usher.socket(query=f"?since={since}") as opened:
            assert await Socket(opened).close_code() == 1008


async def test_a_slow_listener_is_let_go_with_4408_and_the_others_hear_on(usher: House, ada: Visitor) -> None:
    async with usher.socket() as quick, usher.socket() as slow:
        await Socket(quick).next()
        await Socket(slow).next()
        slow.transport.pause_reading()
        [broadcast] = usher.resources.live._broadcasts.values()
        [kept] = [each for each in broadcast.listeners if each._wire.client[1] == slow.local_address[1]]  # type: ignore[attr-defined]
        large = Message("bulk_seat_update", None, b'"%s"' % (b"x" * 200_000))

        for _ in range(50):
            kept.tell(large)
        await ada.hold("A1")
        heard = await seats(Socket(quick))

        assert heard["version"] == 1
        assert kept._wire.unsent < 1_000_000  # type: ignore[attr-defined]
        slow.transport.resume_reading()
        assert await Socket(slow).close_code() == 4408


async def test_a_token_that_ends_is_told_before_and_closes_with_4401(usher: House) -> None:
    tokens = usher.resources.tokens
    begun = datetime.now(UTC) + timedelta(seconds=5 - tokens.guest_seconds)
    token = tokens.guest_token(1_000_000, begun, "a short one")
    async with usher.socket(query=f"?token={token}") as opened:
        listener = Socket(opened)
        assert (await listener.next())["user_id"] == 1_000_000
        told = await listener.next()
        assert told["type"] == "token_expiring"
        assert await listener.close_code() == 4401


async def test_a_renewed_token_keeps_the_socket_open(usher: House, ada: Visitor) -> None:
    tokens = usher.resources.tokens
    begun = datetime.now(UTC) + timedelta(seconds=20 - tokens.guest_seconds)
    me = (await ada.read("/me"))["id"]
    async with usher.socket(query=f"?token={tokens.guest_token(me, begun, 'a short one')}") as opened:
        listener = Socket(opened)
        assert (await listener.next())["user_id"] == me
        await usher.resources.live.check()
        assert (await listener.next())["type"] == "token_expiring"

        await listener.say({"type": "authenticate", "token": ada.token})
        assert (await listener.next())["user_id"] == me
        await usher.resources.live.check()
        await ada.hold("A1")

        assert (await listener.next())["type"] == "bulk_seat_update"


async def test_tokens_are_in_no_log_whatever_its_level(
    usher: House, ada: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with usher.socket(query=f"?token={ada.token}") as opened:
            await Socket(opened).next()
        async with usher.socket(query="?token=a-bad-secret") as opened:
            await Socket(opened).close_code()

    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.client")]
    assert not any((ada.token or "") in line or "a-bad-secret" in line for line in ours)


async def test_a_thousand_connects_from_one_address_are_held_to_its_limit(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", PATIENCE_SECONDS)  # they are a thousand in one process with us
    monkeypatch.setattr(websocket_protocol, "OPEN_SECONDS", PATIENCE_SECONDS)
    async with house(make_settings(rate_limits=True, rate_reading="10000/second", live_per_address=50)) as usher:
        told: list[str] = []
        all_are_told = asyncio.Event()

        async def visit() -> bool:
            """Whether somebody is still connected when all have been told whether they are let in."""
            async with usher.socket() as opened:
                try:
                    told.append(str((await Socket(opened).next())["type"]))
                except ConnectionClosed as closed:
                    told.append(str(closed.rcvd.code if closed.rcvd else 1006))
                if len(told) == 1_000:
                    all_are_told.set()
                await all_are_told.wait()
                return opened.state is State.OPEN

        async with asyncio.TaskGroup() as group:
            visits = [group.create_task(visit()) for _ in range(1_000)]
        let_in, have_stayed = told.count("connection_confirmed"), sum(each.result() for each in visits)

        # A machine that does much besides may be busy, or not hear somebody for so long that they lose their place.
        assert set(told) <= {"4429", "1013", "connection_confirmed"}
        assert "4429" in told
        assert let_in == 50 or "1013" in told or have_stayed < let_in
        async with usher.socket() as opened:
            assert (await Socket(opened).next())["type"] == "connection_confirmed"


async def test_a_full_process_says_come_again(make_settings: MakeSettings) -> None:
    async with house(make_settings(live_per_process=1)) as usher, usher.socket() as first:
        await Socket(first).next()
        async with usher.socket() as opened:
            assert await Socket(opened).close_code() == 1013


async def test_when_it_stops_sockets_are_closed_with_1012(make_settings: MakeSettings) -> None:
    async with house(make_settings()) as usher, usher.socket() as opened:
        await Socket(opened).next()
        usher.server.should_exit = True
        assert await Socket(opened).close_code() == 1012


# --- floods of frames ------------------------------------------------------------------------------------------------


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame of a client, with the mask of zeros."""
    return bytes((fin << 7 | opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload


FLOODS = {
    "empty pongs": masked(0xA),
    "pings": masked(0x9, b"x" * 100),
    "empty texts": masked(0x1),
    "empty fragments": masked(0x0, fin=False),
    "binary": masked(0x2),
    "large pongs": masked(0xA, b"x" * 125),
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_frames_of_any_kind_is_charged_and_ends(
    usher: House, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    read = LiveSocket.handle_events

    def counted(self: LiveSocket) -> None:
        counts.append(len(self.conn.events))
        read(self)

    monkeypatch.setattr(LiveSocket, "handle_events", counted)
    async with usher.socket() as opened:
        await Socket(opened).next()
        flood = masked(0x1, fin=False) if kind == "empty fragments" else b""
        flood += FLOODS[kind] * (4 * 1024 * 1024 // len(FLOODS[kind]))
        opened.transport.write(flood)

        assert (await usher.client.get("/health/live")).status_code == 200
        assert await Socket(opened).close_code() in (1003, 1008)

    assert sum(counts) <= CREDIT + PORTION // 6 + 20


async def test_what_comes_at_once_is_read_in_as_many_turns_as_it_takes(
    usher: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    begun: list[None] = []
    begin_anew = turns.Turn._begin_anew
    monkeypatch.setattr(turns.Turn, "_begin_anew", lambda turn: (begun.append(None), begin_anew(turn)))

    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        opened.transport.write(masked(0xA, b"x" * 100) * 100 + masked(0x1, b'{"type": "ping"}'))

        assert await listener.next() == {"type": "pong"}
    assert len(begun) >= 100 * 106 // PORTION


async def test_an_honest_client_answers_pings_for_hours(usher: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "CREDIT_PER_SECOND", 1e6)  # hours pass between them
    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        for _ in range(int(2 * CREDIT)):
            await opened.pong(b"still here")
        await listener.say({"type": "ping"})

        assert await listener.next() == {"type": "pong"}


async def test_a_socket_outlives_the_deadlines_of_requests(usher: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for deadline in ("HEAD_SECONDS", "BODY_SECONDS", "ANSWER_SECONDS", "CLOSE_SECONDS", "STALL_SECONDS"):
        monkeypatch.setattr(http_protocol, deadline, 1.5)
    monkeypatch.setattr(websocket_protocol, "OPEN_SECONDS", 1.5)
    overdue = asyncio.Event()

    async with usher.socket() as opened:
        listener = Socket(opened)
        await listener.next()
        asyncio.get_running_loop().call_later(4, overdue.set)
        await overdue.wait()
        await usher.resources.live.ping()

        assert await listener.next() == {"type": "ping"}


async def test_a_path_with_something_that_nobody_sees_opens_no_socket(usher: House) -> None:
    for screening in ("1%0a", "1%00", "%0d1"):
        with pytest.raises(InvalidStatus) as refused:
            async with usher.socket(screening):
                pass
        assert refused.value.response.status_code == 404
