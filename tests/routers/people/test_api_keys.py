"""API keys: shown once, kept as a hash, good for what their scopes say, and no longer than they should be."""

import re
from typing import Any

import pytest
from httpx import AsyncClient

from app.domain.people.people import KeyScope, Role
from tests.conftest import OpenApp, resources_of
from tests.organizers import token_of
from tests.routers.visitors import BASES, Database, Json, Visitor, refused, told


@pytest.fixture
async def admin(client: AsyncClient, database: Database) -> Visitor:
    """Whoever runs Usher."""
    return Visitor(client, await token_of(database, Role.ADMIN))


async def make(admin: Visitor, role: Role = Role.ORGANIZER, scopes: list[str] | None = None) -> Json:
    """A new key, with its text."""
    wanted = {"name": "Box office 2", "role": role, "scopes": scopes or list(KeyScope)}
    made: Json = told(await admin.post("/api-keys", wanted), 201)
    return made


@pytest.mark.parametrize("base", BASES)
async def test_a_key_is_shown_once(admin: Visitor, base: str) -> None:
    wanted = {"name": "Box office 2", "role": "staff", "scopes": ["sell", "read"]}

    answer = await admin.post(f"{base}/api-keys", wanted)

    made = told(answer, 201)
    key = made.pop("key")
    assert re.fullmatch(r"usher_[\w-]{43}", key)
    assert answer.headers["location"] == f"/api/v1/api-keys/{made['id']}"
    assert made.items() >= {"name": "Box office 2", "role": "staff", "scopes": ["read", "sell"]}.items()
    assert (made["last_used_at"], key.startswith(made["prefix"]), len(made["prefix"])) == (None, True, 12)
    assert await admin.read(answer.headers["location"]) == made
    assert (await admin.read("/api-keys"))["items"] == [made]


async def test_only_a_hash_is_kept(admin: Visitor, database: Database) -> None:
    key = (await make(admin))["key"]

    rows = await database.fetch("SELECT * FROM api_keys")

    assert key not in str(rows)
    assert [len(row["key_hash"]) for row in rows] == [32]


async def test_a_key_acts_as_a_user_of_its_own(client: AsyncClient, admin: Visitor) -> None:
    made = await make(admin)
    machine = Visitor(client, made["key"])

    me = await machine.read("/me")

    assert me == {
        "id": made["user_id"],
        "username": None,
        "email": None,
        "role": "organizer",
        "is_guest": False,
        "active_reservations": 0,
        "bookings_today": 0,
    }
    assert (await machine.book("A1"))["user_id"] == made["user_id"]


async def test_keys_are_listed_newest_first_in_pages(admin: Visitor) -> None:
    ids = [(await make(admin))["id"] for _ in range(3)]

    first = await admin.get("/api-keys?limit=2")
    second = await admin.read(first.links["next"]["url"])

    assert [key["id"] for key in first.json()["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert "key" not in first.json()["items"][0]


async def test_a_revoked_key_is_believed_no_more(client: AsyncClient, admin: Visitor) -> None:
    made = await make(admin)
    machine = Visitor(client, made["key"])
    await machine.read("/me")

    for _ in range(2):
        answer = await admin.delete(f"/api-keys/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")

    refused(await machine.get("/me"), 401, "unauthenticated")
    assert (await admin.read("/api-keys"))["items"] == []
    refused(await admin.get(f"/api-keys/{made['id']}"), 404, "not-found")


async def test_other_processes_hear_of_it(open_app: OpenApp, database: Database) -> None:
    here, elsewhere = await open_app(), await open_app()
    admin = Visitor(here, await token_of(database, Role.ADMIN))
    made = await make(admin)
    machine = Visitor(elsewhere, made["key"])
    await machine.read("/me")

    await admin.delete(f"/api-keys/{made['id']}")
    await resources_of(elsewhere).revocations.look()

    refused(await machine.get("/me"), 401, "unauthenticated")


async def test_a_key_that_is_not_there_is_not_found(admin: Visitor) -> None:
    refused(await admin.get("/api-keys/99"), 404, "not-found")
    refused(await admin.delete("/api-keys/99"), 404, "not-found")
    refused(await admin.delete("/api-keys/x"), 422, "validation", "errors")


async def test_the_last_use_is_written_down_once_a_minute(
    client: AsyncClient, admin: Visitor, database: Database
) -> None:
    made = await make(admin)
    machine = Visitor(client, made["key"])
    path = f"/api-keys/{made['id']}"

    for _ in range(3):
        await machine.read("/me")
    first = (await admin.read(path))["last_used_at"]
    resources_of(client).api_keys._believed.clear()
    await machine.read("/me")

    assert first is not None
    assert (await admin.read(path))["last_used_at"] == first
    await database.execute("UPDATE api_keys SET last_used_at = last_used_at - interval '1 hour'")
    resources_of(client).api_keys._believed.clear()
    await machine.read("/me")
    assert (await admin.read(path))["last_used_at"] >= first


async def test_a_key_that_was_verified_is_not_looked_up_again(
    client: AsyncClient, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Visitor(client, (await make(admin))["key"])
    await machine.read("/me")
    monkeypatch.setattr(
        "app.services.people.api_keys.api_keys.machine", lambda *_: pytest.fail("it was looked up again")
    )

    assert (await machine.get("/me")).status_code == 200


SCOPED: list[tuple[str, str, Any, str]] = [
    ("GET", "/me", None, "read"),
    ("GET", "/bookings", None, "read"),
    ("GET", "/screenings/1/changes", None, "read"),
    ("GET", "/seat-reservations/screening/1/availability/me", None, "read"),
    ("POST", "/screenings/1/reservations", {"seat": "A1"}, "sell"),
    ("POST", "/reserve", {"seat_id": 1}, "sell"),
    ("DELETE", "/screenings/1/reservations", None, "sell"),
    ("POST", "/screenings/1/blocks", {"seats": ["A1"]}, "house"),
    ("GET", "/screenings/1/seats/1/history", None, "house"),
    ("GET", "/api-keys", None, "people"),
    ("POST", "/auth/register", {"username": "ada", "password": "a long sentence"}, "people"),
]


@pytest.mark.parametrize(("method", "path", "body", "needed"), SCOPED)
async def test_a_key_is_good_for_its_scopes_and_nothing_else(
    client: AsyncClient, admin: Visitor, method: str, path: str, body: Any, needed: str
) -> None:
    others = [scope for scope in KeyScope if scope != needed]
    without = Visitor(client, (await make(admin, Role.ADMIN, others))["key"])
    with_it = Visitor(client, (await make(admin, Role.ADMIN, [needed]))["key"])

    for base in BASES:
        answer = await without.ask(method, base + path, body)
        assert f"the scope {needed}" in refused(answer, 403, "forbidden")["detail"]
    assert (await with_it.ask(method, path, body)).status_code < 300


async def test_a_role_is_not_widened_by_scopes(client: AsyncClient, admin: Visitor) -> None:
    machine = Visitor(client, (await make(admin, Role.CUSTOMER))["key"])

    refused(await machine.get("/screenings/1/seats/1/history"), 403, "forbidden")
    refused(await machine.get("/api-keys"), 403, "forbidden")


async def test_a_key_makes_no_key_that_may_do_more(client: AsyncClient, admin: Visitor) -> None:
    machine = Visitor(client, (await make(admin, Role.ADMIN, ["people", "read"]))["key"])
    wanted = {"name": "Another", "role": "admin"}

    refused(await machine.post("/api-keys", wanted | {"scopes": ["people", "sell"]}), 403, "forbidden")
    told(await machine.post("/api-keys", wanted | {"scopes": ["read"]}), 201)


async def test_a_keys_user_has_no_account_to_change_or_delete(client: AsyncClient, admin: Visitor) -> None:
    machine = Visitor(client, (await make(admin))["key"])
    change = {"current_password": "x", "new_password": "a long sentence"}

    refused(await machine.post("/me/password", change), 403, "forbidden")
    refused(await machine.delete("/me"), 403, "forbidden")
    assert (await machine.get("/me")).status_code == 200


@pytest.mark.changes_nothing
@pytest.mark.parametrize("key", ["usher_", "usher_x", "usher_" + "A" * 43, "usher_" + "A" * 5_000, "USHER_" + "A" * 43])
async def test_what_is_no_key_is_not_believed(client: AsyncClient, key: str) -> None:
    refused(await Visitor(client, key).get("/me"), 401, "unauthenticated")


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["read", "read"]}, "scopes"),
        ({"role": "god"}, "role"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"user_id": 1}, "user_id"),
    ],
)
async def test_what_is_wrong_is_named(admin: Visitor, changed: dict[str, Any], wrong: str) -> None:
    wanted = {"name": "Till", "role": "staff", "scopes": ["read"], **changed}

    problem = refused(await admin.post("/api-keys", wanted), 422, "validation", "errors")

    assert problem["errors"][0]["loc"][:2] == ["body", wrong]
