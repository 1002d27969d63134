"""Accounts: registering, signing in, changing the password, going."""

import asyncio
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx import AsyncClient, Response

from app.services.people import passwords
from app.services.people.passwords import SCHEME
from tests.conftest import OpenApp, resources_of
from tests.routers.members import PASSWORD, login, member, register
from tests.routers.visitors import BASES, Database, Visitor, refused, told

FORM = {"content-type": "application/x-www-form-urlencoded"}


def named(problem: dict[str, Any]) -> list[str]:
    """What the mistakes are about."""
    return [str(each["loc"][-1]) for each in problem["errors"]]


# --- registering -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
async def test_whoever_registers_is_a_customer(nobody: Visitor, base: str) -> None:
    wanted = {"username": "Ada", "password": PASSWORD, "email": "ada@example.org"}

    answer = await nobody.post(f"{base}/auth/register", wanted)

    account = told(answer, 201)
    assert answer.headers["location"] == "/api/v1/me"
    assert isinstance(account.pop("id"), int)
    assert account == {
        "username": "Ada",
        "email": "ada@example.org",
        "role": "customer",
        "is_guest": False,
        "active_reservations": 0,
        "bookings_today": 0,
    }


async def test_me_is_what_registering_told(client: AsyncClient, nobody: Visitor) -> None:
    account = await register(nobody)
    ada = Visitor(client, (await login(client))["access_token"])

    assert await ada.read("/me") == account


@pytest.mark.parametrize("written", ["ada", "ADA", " Ada ", "\uff21da"])
async def test_a_name_is_taken_however_it_is_written(nobody: Visitor, written: str) -> None:
    await register(nobody, "Ada")

    refused(await nobody.post("/auth/register", {"username": written, "password": PASSWORD}), 409, "username-taken")


async def test_of_two_who_want_a_name_at_once_one_gets_it(nobody: Visitor) -> None:
    wanted = {"username": "ada", "password": PASSWORD}

    answers = await asyncio.gather(*(nobody.post("/auth/register", wanted) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"username": "ab"}, ["username"]),
        ({"username": "x" * 65}, ["username"]),
        ({"username": "'; DROP TABLE users; --"}, ["username"]),
        ({"username": "ada\u200b"}, ["username"]),
        ({"username": 17}, ["username"]),
        ({"username": None}, ["username"]),
        ({"password": "short!7"}, ["password"]),
        ({"password": "x" * 129}, ["password"]),
        ({"password": 12345678}, ["password"]),
        ({"email": "nobody"}, ["email"]),
        ({"role": "admin"}, ["role"]),
        ({"is_admin": True, "id": 1}, ["is_admin", "id"]),
    ],
)
async def test_what_is_wrong_is_named_and_a_password_never_repeated(
    nobody: Visitor, changed: dict[str, Any], wrong: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wanted = {"username": "ada", "password": PASSWORD, **changed}

    problem = refused(await nobody.post("/auth/register", wanted), 422, "validation", "errors")

    assert named(problem) == wrong
    assert str(wanted["password"]) not in str(problem) + caplog.text


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("secret", "The password needs at least 8 characters; this one has 6. Try a few words."),
        ("x" * 129, "The password may have up to 128 characters; this one has 129. Take a shorter one."),
    ],
)
async def test_a_password_that_does_not_do_is_told_what_does(nobody: Visitor, password: str, says: str) -> None:
    wanted = {"username": "ada", "password": password}

    problem = refused(await nobody.post("/auth/register", wanted), 422, "validation", "errors")

    assert says in problem["detail"]
    assert [one["message"] for one in problem["errors"]] == [says]
    assert password not in str(problem)


async def test_a_password_of_a_megabyte_is_refused_unread(nobody: Visitor) -> None:
    wanted = {"username": "ada", "password": "x" * 1_000_000}

    for path in ("/auth/register", "/auth/login"):
        refused(await nobody.post(path, wanted), 413, "payload-too-large")


@pytest.mark.earnest_passwords
async def test_only_a_hash_is_kept(nobody: Visitor, database: Database) -> None:
    await register(nobody)

    kept = await database.fetchval("SELECT password_hash FROM users WHERE username = 'ada'")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


# --- guests who register ---------------------------------------------------------------------------------------------


async def test_what_a_guest_has_becomes_the_accounts(client: AsyncClient, nobody: Visitor) -> None:
    hold = told(await nobody.post("/screenings/1/reservations", {"seat": "A1"}), 201)
    visitor = Visitor(client, hold["guest_token"])
    booking = await visitor.book("B1")

    account = await register(visitor)
    ada = Visitor(client, (await login(client))["access_token"])

    assert (account["id"], account["is_guest"], account["active_reservations"]) == (hold["user_id"], False, 1)
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    assert (await ada.read(f"/bookings/{booking['id']}"))["user_id"] == account["id"]
    assert (await ada.confirm(hold))["user_id"] == account["id"]


async def test_a_guests_tokens_end_and_their_email_stays(client: AsyncClient, nobody: Visitor) -> None:
    tokens = told(await nobody.post("/auth/guest", {"email": "ada@example.org"}), 201)
    guest = Visitor(client, tokens["access_token"])

    me = await register(guest)

    assert (me["username"], me["email"], me["is_guest"]) == ("ada", "ada@example.org", False)
    refused(await guest.get("/me"), 401, "unauthenticated")
    refused(await nobody.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401, "unauthenticated")
    assert (await login(client))["token_type"] == "bearer"


async def test_whoever_kept_a_copy_of_the_guests_token_is_not_the_account(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    hold = told(await Visitor(here).post("/screenings/1/reservations", {"seat": "A1"}), 201)
    copied = Visitor(elsewhere, hold["guest_token"])
    await copied.read("/me")

    await register(Visitor(here, hold["guest_token"]))
    await resources_of(elsewhere).revocations.look()

    refused(await copied.delete(f"/reservations/{hold['id']}"), 401, "unauthenticated")
    refused(await copied.ask("PATCH", "/me", {"email": "mine@example.org"}), 401, "unauthenticated")


async def test_a_guest_becomes_one_account_and_no_more(ada: Visitor) -> None:
    await register(ada, "ada")

    refused(await ada.post("/auth/register", {"username": "adam", "password": PASSWORD}), 401, "unauthenticated")


async def test_a_guest_who_finds_the_name_taken_stays_a_guest(ada: Visitor, bob: Visitor) -> None:
    await register(bob, "ada")

    refused(await ada.post("/auth/register", {"username": "Ada", "password": PASSWORD}), 409, "username-taken")

    assert (await ada.read("/me"))["is_guest"] is True


# --- signing in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
async def test_signing_in_gives_tokens(client: AsyncClient, nobody: Visitor, base: str) -> None:
    await register(nobody, "Ada")

    answer = await nobody.post(f"{base}/auth/login", {"username": "ADA", "password": PASSWORD})

    tokens = told(answer, 200)
    assert list(tokens) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    assert (await Visitor(client, tokens["access_token"]).read("/me"))["username"] == "Ada"


async def test_a_form_does_as_well(client: AsyncClient, nobody: Visitor) -> None:
    await register(nobody)
    fields = {"grant_type": "password", "username": "ada", "password": PASSWORD, "scope": "", "client_id": ""}

    for content_type in (FORM["content-type"], "application/x-www-form-urlencoded; charset=UTF-8"):
        answer = await client.post(
            "/api/v1/auth/login", content=urlencode(fields), headers={"content-type": content_type}
        )
        assert told(answer, 200)["token_type"] == "bearer"


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("", 422),
        ("username=ada", 422),
        ("username=ada&password=x&is_admin=1", 422),
        ("username=ada&password=x&password=y", 422),
        ("username=ada&password=%00", 422),
        ("username=ada&password=%ff", 422),
        ("username=ada&password=%zz", 422),
        ("username=ada&password=x&grant_type=client_credentials", 422),
        ("username=ada&password=" + "x" * 129, 422),
        ("&".join(f"field{number}=x" for number in range(1_000)), 422),
        ("password", 422),
        ("username=ada&password=" + "x" * 70_000, 413),
        ("username=ada&password=x", 401),
    ],
)
async def test_a_form_is_read_as_strictly_as_json(client: AsyncClient, form: str, status: int) -> None:
    answer = await client.post("/auth/login", content=form, headers=FORM)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_compressed_form_is_no_form(client: AsyncClient) -> None:
    answer = await client.post("/auth/login", content=b"x", headers=FORM | {"content-encoding": "gzip"})

    refused(answer, 415, "unsupported-media-type")


async def test_no_other_call_takes_a_form(client: AsyncClient) -> None:
    answer = await client.post("/auth/register", content="username=ada&password=x", headers=FORM)

    refused(answer, 415, "unsupported-media-type")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were held against, in order."""
    seen: list[str] = []

    class Counting:
        hash = SCHEME.hash

        def verify_and_update(self, password: str, kept: str) -> tuple[bool, str | None]:
            seen.append(kept)
            return SCHEME.verify_and_update(password, kept)

    monkeypatch.setattr(passwords, "SCHEME", Counting())
    return seen


@pytest.mark.earnest_passwords
async def test_nobody_learns_whether_there_is_such_a_user(nobody: Visitor, verified: list[str]) -> None:
    await register(nobody)

    problems = [
        refused(await nobody.post("/auth/login", {"username": username, "password": "wrong"}), 401, "unauthenticated")
        for username in ("ada", "bob", "' OR 1=1; --", "organizer", "x", "\ufdfa" * 80)
    ]

    assert {problem["detail"] for problem in problems} == {
        "The username or the password is wrong. Check both, and try again."
    }
    assert len(verified) == len(problems), "each of them took the time of one hash"
    assert all(kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for kept in verified)


@pytest.mark.earnest_passwords
async def test_a_hash_of_earlier_parameters_is_replaced_when_its_owner_signs_in(
    client: AsyncClient, nobody: Visitor, database: Database
) -> None:
    await register(nobody)
    weaker = passwords.PasswordHash((passwords.Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1),))
    await database.execute("UPDATE users SET password_hash = $1 WHERE username = 'ada'", weaker.hash(PASSWORD))

    await login(client)

    kept = await database.fetchval("SELECT password_hash FROM users WHERE username = 'ada'")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await login(client)


async def test_fifty_at_once_are_all_answered_and_nobody_else_waits_for_them(client: AsyncClient) -> None:
    wrong = {"username": "nobody", "password": "wrong password"}

    logins = [asyncio.create_task(client.post("/auth/login", json=wrong)) for _ in range(50)]
    health = await client.get("/health/live")
    waiting = sum(not each.done() for each in logins)
    answers = await asyncio.gather(*logins)

    assert (health.status_code, waiting) == (200, 50)
    assert {answer.status_code for answer in answers} == {401}


async def test_a_flood_is_told_to_come_again(open_app: OpenApp) -> None:
    client = await open_app(password_queue_max=3)
    wrong = {"username": "nobody", "password": "wrong password"}

    answers = await asyncio.gather(*(client.post("/auth/login", json=wrong) for _ in range(30)))
    late: Response = await client.post("/auth/login", json=wrong)

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) >= 3
    assert statuses.count(401) + statuses.count(503) == 30
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 503)
    assert late.status_code == 401


# --- another password ------------------------------------------------------------------------------------------------

CHANGE = {"current_password": PASSWORD, "new_password": "another sentence"}


async def test_a_password_is_changed(client: AsyncClient) -> None:
    ada = await member(client)

    answer = await ada.post("/me/password", CHANGE)

    assert (answer.status_code, answer.content) == (204, b"")
    await login(client, password="another sentence")
    old = await Visitor(client).post("/auth/login", {"username": "ada", "password": PASSWORD})
    refused(old, 401, "unauthenticated")


async def test_the_other_sessions_end_and_this_one_does_not(client: AsyncClient) -> None:
    here = await member(client)
    there = await login(client)

    await here.post("/me/password", CHANGE)

    assert (await here.get("/me")).status_code == 200
    refused(await Visitor(client, there["access_token"]).get("/me"), 401, "unauthenticated")
    again = await Visitor(client).post("/auth/refresh", {"refresh_token": there["refresh_token"]})
    refused(again, 401, "unauthenticated")


async def test_this_session_can_be_refreshed_until_another_one_changes_the_password(
    client: AsyncClient, nobody: Visitor
) -> None:
    await register(nobody)
    first = await login(client)
    await Visitor(client, first["access_token"]).post("/me/password", CHANGE)
    first = told(await nobody.post("/auth/refresh", {"refresh_token": first["refresh_token"]}), 200)
    second = Visitor(client, (await login(client, password="another sentence"))["access_token"])

    await second.post("/me/password", {"current_password": "another sentence", "new_password": "a third sentence"})

    refused(await Visitor(client, first["access_token"]).get("/me"), 401, "unauthenticated")
    refused(await nobody.post("/auth/refresh", {"refresh_token": first["refresh_token"]}), 401, "unauthenticated")
    assert (await second.get("/me")).status_code == 200


async def test_other_processes_hear_of_it(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    ada = await member(here)
    there = Visitor(elsewhere, (await login(elsewhere))["access_token"])
    assert (await there.get("/me")).status_code == 200

    await ada.post("/me/password", CHANGE)
    await resources_of(elsewhere).revocations.look()

    refused(await there.get("/me"), 401, "unauthenticated")
    assert (await Visitor(elsewhere, ada.token).get("/me")).status_code == 200


async def test_a_process_that_starts_later_knows_it_too(open_app: OpenApp) -> None:
    here = await open_app()
    ada = await member(here)
    other = await login(here)
    await ada.post("/me/password", CHANGE)

    later = await open_app()

    refused(await Visitor(later, other["access_token"]).get("/me"), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/me/password", "/me"])
async def test_a_wrong_password_changes_nothing(client: AsyncClient, path: str) -> None:
    ada = await member(client)
    wrong = (
        {"current_password": "wrong", "new_password": "another sentence"} if path != "/me" else {"password": "wrong"}
    )

    answer = await ada.ask("DELETE" if path == "/me" else "POST", path, wrong)

    refused(answer, 403, "forbidden")
    await login(client)


async def test_a_guest_has_no_password_to_change(ada: Visitor) -> None:
    refused(await ada.post("/me/password", CHANGE), 403, "forbidden")


async def test_of_two_changes_at_once_one_wins(client: AsyncClient) -> None:
    ada = await member(client)
    wanted = ["another sentence", "a third sentence"]

    answers = await asyncio.gather(
        *(ada.post("/me/password", CHANGE | {"new_password": password}) for password in wanted)
    )

    assert sorted(answer.status_code for answer in answers) == [204, 403]
    await login(client, password=wanted[[answer.status_code for answer in answers].index(204)])


# --- going -----------------------------------------------------------------------------------------------------------


async def test_whoever_goes_leaves_bookings_without_a_name(client: AsyncClient, database: Database) -> None:
    ada = await member(client)
    booking = await ada.book("A1")
    await ada.hold("A2", "A3")
    await ada.hold("A1", screening=2)
    nobody = Visitor(client)

    answer = await ada.ask("DELETE", "/me", {"password": PASSWORD})

    assert (answer.status_code, answer.content) == (204, b"")
    user = await database.fetchrow("SELECT * FROM users WHERE id = $1", booking["user_id"])
    assert user is not None
    assert [user[name] for name in ("username", "username_key", "email", "password_hash")] == [None] * 4
    assert (await nobody.taken(1), await nobody.taken(2)) == ({"A1": "booked"}, {})
    assert await database.fetchval("SELECT status FROM bookings WHERE user_id = $1", user["id"]) == "confirmed"


async def test_nothing_opens_for_them_any_more(client: AsyncClient, nobody: Visitor) -> None:
    ada = await member(client)
    other = await login(client)

    await ada.ask("DELETE", "/me", {"password": PASSWORD})

    for token in (ada.token, other["access_token"]):
        refused(await Visitor(client, token).get("/me"), 401, "unauthenticated")
    refused(await nobody.post("/auth/refresh", {"refresh_token": other["refresh_token"]}), 401, "unauthenticated")
    refused(await nobody.post("/auth/login", {"username": "ada", "password": PASSWORD}), 401, "unauthenticated")
    assert (await register(nobody, "ada"))["active_reservations"] == 0


async def test_other_processes_hear_that_they_have_gone(open_app: OpenApp) -> None:
    here, elsewhere = await open_app(), await open_app()
    ada = await member(here)

    await ada.ask("DELETE", "/me", {"password": PASSWORD})
    await resources_of(elsewhere).revocations.look()

    refused(await Visitor(elsewhere, ada.token).get("/me"), 401, "unauthenticated")


async def test_an_account_is_not_deleted_without_its_password(client: AsyncClient) -> None:
    ada = await member(client)

    for body in (None, {}, {"password": None}):
        problem = refused(await ada.ask("DELETE", "/me", body), 422, "validation", "errors")
        assert named(problem) == ["password"]
    assert (await ada.get("/me")).status_code == 200


async def test_a_guest_goes_without_one(ada: Visitor, nobody: Visitor) -> None:
    await ada.hold("A1")

    assert (await ada.delete("/me")).status_code == 204

    refused(await ada.get("/me"), 401, "unauthenticated")
    assert await nobody.taken() == {}
