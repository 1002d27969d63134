"""Sessions: refresh tokens are good for one use, and one that was copied ends them."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from uuid import UUID

import jwt
import pytest
from httpx import AsyncClient, Response

from tests.conftest import OpenApp, resources_of
from tests.order import until_waiting
from tests.routers.members import Json, login, register
from tests.routers.visitors import BASES, Database, Visitor, refused, told

Call = Callable[[AsyncClient, Json], Awaitable[Response]]


async def refresh(client: AsyncClient, tokens: Json) -> Response:
    return await Visitor(client).post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})


async def logout(client: AsyncClient, tokens: Json) -> Response:
    return await Visitor(client).post("/auth/logout", {"refresh_token": tokens["refresh_token"]})


async def who(client: AsyncClient, tokens: Json) -> Response:
    return await Visitor(client, tokens["access_token"]).get("/me")


@pytest.fixture
async def tokens(client: AsyncClient, nobody: Visitor) -> Json:
    """Those of a new session."""
    await register(nobody)
    return await login(client)


@pytest.mark.parametrize("base", BASES)
async def test_a_refresh_token_gets_the_next_ones(client: AsyncClient, tokens: Json, base: str) -> None:
    answer = await Visitor(client).post(f"{base}/auth/refresh", {"refresh_token": tokens["refresh_token"]})

    renewed = told(answer, 200)
    assert list(renewed) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert renewed["access_token"] != tokens["access_token"]
    assert (await who(client, renewed)).json()["username"] == "ada"
    assert (await who(client, tokens)).status_code == 200


async def test_a_long_chain_holds(client: AsyncClient, tokens: Json) -> None:
    for _ in range(5):
        tokens = told(await refresh(client, tokens), 200)

    assert (await who(client, tokens)).status_code == 200


async def test_a_token_that_comes_twice_ends_the_session(client: AsyncClient, tokens: Json) -> None:
    stolen = dict(tokens)
    renewed = told(await refresh(client, tokens), 200)

    refused(await refresh(client, stolen), 401, "unauthenticated")

    refused(await refresh(client, renewed), 401, "unauthenticated")
    refused(await who(client, renewed), 401, "unauthenticated")


async def test_another_session_of_the_same_user_goes_on(client: AsyncClient, tokens: Json) -> None:
    other = await login(client)
    await refresh(client, tokens)

    refused(await refresh(client, tokens), 401, "unauthenticated")

    assert (await who(client, other)).status_code == 200
    told(await refresh(client, other), 200)


async def test_of_two_uses_at_once_one_wins_and_the_session_ends(open_app: OpenApp, database: Database) -> None:
    here, elsewhere = await open_app(), await open_app()
    await register(Visitor(here))
    tokens = await login(here)

    async with database.transaction():
        await database.execute("SELECT FROM sessions FOR UPDATE")
        uses = [asyncio.create_task(refresh(client, tokens)) for client in (here, elsewhere)]
        await until_waiting(database, 2)
    answers = await asyncio.gather(*uses)

    assert sorted(answer.status_code for answer in answers) == [200, 401]
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    refused(await refresh(here, winner), 401, "unauthenticated")


async def test_signing_out_ends_the_session_and_again_changes_nothing(client: AsyncClient, tokens: Json) -> None:
    for _ in range(2):
        answer = await logout(client, tokens)
        assert (answer.status_code, answer.content) == (204, b"")

    refused(await refresh(client, tokens), 401, "unauthenticated")
    refused(await who(client, tokens), 401, "unauthenticated")


async def test_an_earlier_token_of_the_session_signs_out_too(client: AsyncClient, tokens: Json) -> None:
    renewed = told(await refresh(client, tokens), 200)

    assert (await logout(client, tokens)).status_code == 204

    refused(await refresh(client, renewed), 401, "unauthenticated")


async def test_other_processes_hear_of_it(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    await register(Visitor(here))
    tokens = await login(here)
    assert (await who(elsewhere, tokens)).status_code == 200

    await logout(here, tokens)
    await resources_of(elsewhere).revocations.look()

    refused(await who(elsewhere, tokens), 401, "unauthenticated")


async def test_an_ended_session_stays_ended_under_a_shorter_setting(open_app: OpenApp, database: Database) -> None:
    before = await open_app(access_token_seconds=86_400)
    await register(Visitor(before))
    tokens = await login(before)
    await logout(before, tokens)
    await database.execute("UPDATE sessions SET ended_at = ended_at - interval '1 hour'")

    after = await open_app(access_token_seconds=10)

    refused(await who(after, tokens), 401, "unauthenticated")


async def test_a_session_that_nobody_refreshed_runs_out(client: AsyncClient, tokens: Json, database: Database) -> None:
    await database.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")

    refused(await refresh(client, tokens), 401, "unauthenticated")


async def test_what_has_run_out_is_forgotten(client: AsyncClient, tokens: Json, database: Database) -> None:
    await login(client)
    await database.execute(
        "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = "
        "(SELECT min(id::text)::uuid FROM sessions)"
    )

    await resources_of(client).sweeper.tidy()

    assert await database.fetchval("SELECT count(*) FROM sessions") == 1


@pytest.mark.parametrize("call", ["/auth/refresh", "/auth/logout"])
async def test_an_access_token_is_no_refresh_token(nobody: Visitor, tokens: Json, call: str) -> None:
    refused(await nobody.post(call, {"refresh_token": tokens["access_token"]}), 401, "unauthenticated")


async def test_a_refresh_token_is_no_access_token(client: AsyncClient, tokens: Json) -> None:
    refused(await Visitor(client, tokens["refresh_token"]).get("/me"), 401, "unauthenticated")


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "token", ["x", "refresh_", "refresh_x", "refresh_" + "A" * 63, "refresh_" + "A" * 68, "refresh_\u00e9" + "A" * 63]
)
async def test_what_is_no_refresh_token_is_not_believed(nobody: Visitor, token: str) -> None:
    refused(await nobody.post("/auth/refresh", {"refresh_token": token}), 401, "unauthenticated")


async def test_a_made_up_refresh_token_ends_nothing(client: AsyncClient, tokens: Json) -> None:
    made_up = {"refresh_token": "refresh_" + "A" * 64}

    refused(await refresh(client, made_up), 401, "unauthenticated")
    assert (await logout(client, made_up)).status_code == 204

    told(await refresh(client, tokens), 200)


async def test_neither_token_nor_its_hash_opens_anything_from_the_database(
    client: AsyncClient, tokens: Json, database: Database
) -> None:
    rows = await database.fetch("SELECT * FROM sessions")

    assert tokens["refresh_token"] not in str(rows)
    assert all(len(row["token_hash"]) == 32 for row in rows)


async def test_a_guest_has_a_session_too(client: AsyncClient, nobody: Visitor) -> None:
    guest = told(await nobody.post("/auth/guest", {"email": "ada@example.org"}), 201)

    renewed = told(await refresh(client, guest), 200)

    assert (await who(client, renewed)).json()["is_guest"] is True
    assert guest["expires_in"] == 900


# --- whoever knows the id of a session only


def sid_of(tokens: Json) -> bytes:
    """The session's id, as every access token tells it to whoever sees one."""
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return UUID(claims["sid"]).bytes


def made_up_for(tokens: Json, secret: bytes = b"x" * 32) -> Json:
    """A refresh token with the right session id, and a secret that the session never had."""
    return {"refresh_token": "refresh_" + base64.urlsafe_b64encode(sid_of(tokens) + secret).decode()}


@pytest.mark.parametrize("call", [refresh, logout])
async def test_the_id_of_a_session_ends_nothing(client: AsyncClient, tokens: Json, call: Call) -> None:
    answer = await call(client, made_up_for(tokens))

    assert answer.status_code in (204, 401)
    assert (await who(client, tokens)).status_code == 200
    told(await refresh(client, tokens), 200)


async def test_a_token_from_before_the_last_ones_ends_the_session_too(client: AsyncClient, tokens: Json) -> None:
    newest = tokens
    for _ in range(3):
        newest = told(await refresh(client, newest), 200)

    refused(await refresh(client, tokens), 401, "unauthenticated")

    refused(await refresh(client, newest), 401, "unauthenticated")


async def test_a_session_of_an_earlier_release_goes_on(client: AsyncClient, tokens: Json, database: Database) -> None:
    await database.execute("UPDATE sessions SET family_hash = NULL")

    renewed = told(await refresh(client, tokens), 200)

    refused(await refresh(client, tokens), 401, "unauthenticated")
    refused(await refresh(client, renewed), 401, "unauthenticated")


async def test_a_session_of_an_earlier_release_can_be_ended(
    client: AsyncClient, tokens: Json, database: Database
) -> None:
    await database.execute("UPDATE sessions SET family_hash = NULL")

    await logout(client, tokens)

    refused(await refresh(client, tokens), 401, "unauthenticated")
