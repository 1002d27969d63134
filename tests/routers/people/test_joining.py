"""A guest who signs in takes along what they hold and have booked; a guest who holds already gives an address."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp, resources_of
from tests.order import edit, until_waiting
from tests.organizers import token_of
from tests.routers.members import PASSWORD, login, member, register
from tests.routers.visitors import BASES, Database, Json, Visitor, labels, refused, time_passes, told


async def passer_by(client: AsyncClient, *seats: str, screening: int = 1) -> tuple[Json, Visitor]:
    """A hold of somebody without a token, and them with the token that it gave."""
    held = await Visitor(client).hold(*seats, screening=screening)
    return held, Visitor(client, held["guest_token"])


async def sign_in(client: AsyncClient, guest: Visitor, username: str = "ada", base: str = "") -> Visitor:
    """Whoever signs in, with what the guest had."""
    wanted = {"username": username, "password": PASSWORD, "guest_token": guest.token}
    tokens = told(await Visitor(client).post(f"{base}/auth/login", wanted), 200)
    return Visitor(client, tokens["access_token"])


async def mine(who: Visitor, screening: int = 1) -> dict[str, str]:
    """The seats that a map shows as the caller's."""
    seats = (await who.read(f"/screenings/{screening}/seats/me"))["seats"]
    return {seat["label"]: seat["status"] for seat in seats if seat["is_mine"]}


@pytest.mark.parametrize("base", BASES)
async def test_holds_and_bookings_come_along(client: AsyncClient, base: str) -> None:
    await register(Visitor(client))
    held, guest = await passer_by(client, "A1", "A2")
    booked = await guest.book("B1")
    version = await guest.version()

    ada = await sign_in(client, guest, base=base)

    me = await ada.read("/me")
    assert await mine(ada) == {"A1": "reserved_by_me", "A2": "reserved_by_me", "B1": "booked"}
    assert await ada.version() == version + 1
    assert [each["id"] for each in (await ada.read("/reservations"))["items"]] == [held["id"]]
    assert [each["id"] for each in (await ada.read("/bookings"))["items"]] == [booked["id"]]
    assert (me["active_reservations"], me["bookings_today"]) == (1, 1)
    booking = await ada.confirm(held)
    assert (booking["user_id"], booking["version"]) == (me["id"], version + 2)
    assert told(await ada.delete(f"/bookings/{booked['id']}"), 200)["status"] == "cancelled"


async def test_what_is_over_comes_along_too(client: AsyncClient, database: Database) -> None:
    await register(Visitor(client))
    released, guest = await passer_by(client, "A1")
    await guest.delete(f"/reservations/{released['id']}")
    late = await guest.hold("A2")
    cancelled = await guest.book("A3", screening=2)
    await guest.delete(f"/bookings/{cancelled['id']}")
    await time_passes(database, late, 400)
    version = await guest.version()

    ada = await sign_in(client, guest)

    statuses = {each["id"]: each["status"] for each in (await ada.read("/reservations"))["items"]}
    assert statuses == {released["id"]: "released", late["id"]: "expired"}
    assert [each["id"] for each in (await ada.read("/bookings"))["items"]] == [cancelled["id"]]
    assert await ada.taken() == {}
    assert await ada.version() == version + 1
    assert labels((await ada.confirm(late))["seats"]) == ["A2"]


async def test_the_guests_token_ends_here_and_elsewhere(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    await register(Visitor(here))
    held, guest = await passer_by(here, "A1")
    there = Visitor(elsewhere, guest.token)
    await there.read("/me")

    await sign_in(here, guest)
    await resources_of(elsewhere).revocations.look()

    for each in (guest, there):
        refused(await each.get("/me"), 401, "unauthenticated")
        refused(await each.post(f"/reservations/{held['id']}/confirm"), 401, "unauthenticated")


async def test_every_process_shows_it_at_once(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    await register(Visitor(here))
    _, guest = await passer_by(here, "A1")
    assert await mine(Visitor(elsewhere, guest.token)) == {"A1": "reserved_by_me"}

    ada = await sign_in(here, guest)

    assert await mine(Visitor(elsewhere, ada.token)) == {"A1": "reserved_by_me"}


async def test_the_feed_and_the_history_go_on(client: AsyncClient, database: Database) -> None:
    await register(Visitor(client))
    boss = Visitor(client, await token_of(database))
    held, guest = await passer_by(client, "A1")

    ada = await sign_in(client, guest)

    changes = await ada.read(f"/screenings/1/changes?since={held['version']}")
    [update] = changes["updates"]
    assert (changes["version"], update["label"], update["status"]) == (held["version"] + 1, "A1", "reserved_by_me")
    assert update["expires_at"] == held["expires_at"]
    last = (await boss.read("/screenings/1/seats/1/history"))["items"][0]
    me = await ada.read("/me")
    assert (last["from"], last["to"], last["cause"], last["actor"]) == ("reserved", "reserved", "api", me["id"])


async def test_a_key_of_the_guest_is_replayed_for_the_account(client: AsyncClient) -> None:
    ada = await member(client)
    _, guest = await passer_by(client, "A1")
    wanted = {"seats": ["A2"]}
    first = told(await guest.post("/screenings/1/reservations", wanted, key="k-1"), 201)
    hers = told(await ada.post("/screenings/1/reservations", {"seats": ["A3"]}, key="k-2"), 201)
    await guest.post("/screenings/1/reservations", {"seats": ["A4"]}, key="k-2")

    ada = await sign_in(client, guest)

    again = await ada.post("/screenings/1/reservations", wanted, key="k-1")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first, "true")
    again = await ada.post("/screenings/1/reservations", {"seats": ["A3"]}, key="k-2")
    assert (again.json(), again.headers["idempotent-replayed"]) == (hers, "true")


async def test_a_key_that_the_account_uses_at_this_very_moment_stays_its_own(
    client: AsyncClient, database: Database
) -> None:
    ada = await member(client)
    hers = (await ada.read("/me"))["id"]
    _, guest = await passer_by(client, "A1")
    await guest.post("/screenings/1/reservations", {"seats": ["A2"]}, key="k")

    async with database.transaction():
        await database.execute(
            """INSERT INTO idempotency_keys
                      (screening_id, owner_id, key, fingerprint, user_id, created, body, created_at)
               VALUES (1, $1, 'k', '', $1, true, '', clock_timestamp())""",
            hers,
        )
        signing_in = asyncio.create_task(sign_in(client, guest))
        await until_waiting(database)

    assert await mine(await signing_in) == {"A1": "reserved_by_me", "A2": "reserved_by_me"}
    kept = "SELECT fingerprint FROM idempotency_keys WHERE owner_id = $1 AND key = 'k'"
    assert await database.fetchval(kept, hers) == b""


async def test_all_of_it_comes_along_beyond_the_limit_and_counts(client: AsyncClient, database: Database) -> None:
    await edit(database, "max_seats_per_user = 2, revision = revision + 1", "id = 1")
    ada = await member(client)
    await ada.hold("A1", "A2")
    _, guest = await passer_by(client, "B1", "B2")

    ada = await sign_in(client, guest)

    assert set(await mine(ada)) == {"A1", "A2", "B1", "B2"}
    answer = await ada.post("/screenings/1/reservations", {"seats": ["C1"]})
    problem = refused(answer, 409, "limit-exceeded", "limit", "allowed", "current")
    assert (problem["allowed"], problem["current"]) == (2, 4)


async def test_signing_in_again_with_the_same_token_takes_what_came_since(
    client: AsyncClient, database: Database
) -> None:
    await register(Visitor(client))
    _, guest = await passer_by(client, "A1")
    account = await (await sign_in(client, guest)).read("/me")
    guest_id = await database.fetchval("SELECT id FROM users WHERE joined_id = $1", account["id"])
    await database.execute("UPDATE seat_claims SET user_id = $1", guest_id)
    await database.execute("UPDATE reservations SET user_id = $1", guest_id)

    ada = await sign_in(client, guest)

    assert await mine(ada) == {"A1": "reserved_by_me"}


async def test_at_the_same_time_as_a_last_call_of_the_guest_nothing_is_lost(
    client: AsyncClient, database: Database
) -> None:
    await register(Visitor(client))
    held, guest = await passer_by(client, "A1")

    await asyncio.gather(
        sign_in(client, guest),
        guest.post(f"/reservations/{held['id']}/confirm"),
        guest.post("/screenings/1/reservations", {"seats": ["A2"]}),
    )
    ada = await sign_in(client, guest)

    me = await ada.read("/me")
    owners = "SELECT user_id FROM seat_claims UNION SELECT user_id FROM reservations UNION SELECT user_id FROM bookings"
    assert [row["user_id"] for row in await database.fetch(owners)] == [me["id"]]


async def test_a_guest_joins_one_account_only(client: AsyncClient) -> None:
    await register(Visitor(client))
    await register(Visitor(client), "bob")
    _, guest = await passer_by(client, "A1")
    ada = await sign_in(client, guest)

    for path in ("/auth/login", "/auth/register"):
        wanted = {"username": "bob" if "login" in path else "cleo", "password": PASSWORD, "guest_token": guest.token}
        problem = refused(await Visitor(client).post(path, wanted), 422, "validation", "errors")
        assert problem["errors"][0]["loc"] == ["body", "guest_token"]
    assert await mine(ada) == {"A1": "reserved_by_me"}


async def test_a_wrong_password_takes_nothing_along(client: AsyncClient) -> None:
    await register(Visitor(client))
    _, guest = await passer_by(client, "A1")
    wanted = {"username": "ada", "password": "not this one", "guest_token": guest.token}

    refused(await Visitor(client).post("/auth/login", wanted), 401, "unauthenticated")

    assert await mine(guest) == {"A1": "reserved_by_me"}


async def test_what_is_no_guests_token_is_refused(client: AsyncClient, database: Database) -> None:
    bob = await member(client, "bob")
    await register(Visitor(client))
    _, gone = await passer_by(client, "A1")
    assert (await gone.delete("/me")).status_code == 204
    guest_id = (await Visitor(client).hold("A2"))["user_id"]
    old = resources_of(client).tokens.guest_token(guest_id, datetime(2026, 1, 1, tzinfo=UTC), "old")
    wrong: list[Any] = [bob.token, gone.token, old, "nonsense", "usher_" + "A" * 43, "", "x" * 9_000, 17]

    for token in wrong:
        for path, name in (("/auth/login", "ada"), ("/auth/register", "cleo")):
            wanted = {"username": name, "password": PASSWORD, "guest_token": token}
            problem = refused(await Visitor(client).post(path, wanted), 422, "validation", "errors")
            assert problem["errors"][0]["loc"] == ["body", "guest_token"]


async def test_a_form_takes_it_too(client: AsyncClient) -> None:
    await register(Visitor(client))
    _, guest = await passer_by(client, "A1")

    answer = await client.post(
        "/auth/login",
        data={"grant_type": "password", "username": "ada", "password": PASSWORD, "guest_token": guest.token},
    )

    assert await mine(Visitor(client, told(answer, 200)["access_token"])) == {"A1": "reserved_by_me"}


# --- registering -----------------------------------------------------------------------------------------------------


async def test_whoever_registers_with_a_guests_token_is_that_guest(client: AsyncClient) -> None:
    held, guest = await passer_by(client, "A1")

    account = await register(Visitor(client), guest_token=guest.token)

    assert account["id"] == held["user_id"]
    ada = Visitor(client, (await login(client))["access_token"])
    assert await mine(ada) == {"A1": "reserved_by_me"}
    refused(await guest.get("/me"), 401, "unauthenticated")
    assert (await sign_in(client, guest)).token is not None


async def test_two_guests_do_not_become_one_account(client: AsyncClient) -> None:
    _, one = await passer_by(client, "A1")
    _, other = await passer_by(client, "A2")
    wanted = {"username": "ada", "password": PASSWORD, "guest_token": other.token}

    problem = refused(await one.post("/auth/register", wanted), 422, "validation", "errors")

    assert "two guests" in problem["errors"][0]["message"]
    me = await one.read("/me")
    assert (await register(one, guest_token=one.token))["id"] == me["id"]


# --- an address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
async def test_a_guest_who_holds_already_gives_an_address(client: AsyncClient, base: str) -> None:
    _, guest = await passer_by(client, "A1")

    me = told(await guest.ask("PATCH", f"{base}/me", {"email": " ada@example.org "}), 200)

    assert (me["email"], me["is_guest"], me["active_reservations"]) == ("ada@example.org", True, 1)
    assert await guest.read("/me") == me


async def test_so_does_an_account(client: AsyncClient) -> None:
    ada = await member(client)

    assert told(await ada.ask("PATCH", "/me", {"email": "ada@example.org"}), 200)["email"] == "ada@example.org"
    assert told(await ada.ask("PATCH", "/me", {"email": "new@example.org"}), 200)["email"] == "new@example.org"


@pytest.mark.parametrize("sent", [{"email": "ada"}, {"email": None}, {"email": ""}, {}, {"email": "a@b.c", "id": 1}])
async def test_what_is_no_address_is_refused(client: AsyncClient, sent: Json) -> None:
    _, guest = await passer_by(client, "A1")

    refused(await guest.ask("PATCH", "/me", sent), 422, "validation", "errors")

    assert (await guest.read("/me"))["email"] is None


async def test_a_cap_that_still_counts_comes_along(client: AsyncClient, database: Database) -> None:
    await register(Visitor(client))
    held, guest = await passer_by(client, "A1")
    await time_passes(database, held, 200)
    await guest.delete(f"/reservations/{held['id']}")
    ada = await sign_in(client, guest)

    again = await ada.hold("A1")

    since = "SELECT first_held_at FROM reservations WHERE id = $1"
    began = [await database.fetchval(since, UUID(each["id"])) for each in (held, again)]
    assert began[0] == began[1]
