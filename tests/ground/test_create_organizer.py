"""`usher create-organizer`: the only way to a role, with a password that is no argument."""

import os
import subprocess
import sys

import asyncpg
import pytest

from app.services.people.passwords import SCHEME
from app.settings import Settings
from tests.conftest import JWT_SECRET


def create(settings: Settings, *words: str, typed: str = "a long sentence\n") -> subprocess.CompletedProcess[str]:
    return usher(settings, "create-organizer", *words, typed=typed)


def usher(settings: Settings, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        env=os.environ | {"DATABASE_URL": settings.database_url or "", "JWT_SECRET": JWT_SECRET},
        check=False,
        capture_output=True,
        text=True,
        input=typed,
    )


async def users(settings: Settings) -> list[asyncpg.Record]:
    connection = await asyncpg.connect((settings.database_url or "").replace("+asyncpg", ""))
    try:
        return await connection.fetch("SELECT * FROM users WHERE username_key = 'olga'")
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["organizer", "admin", "staff"])
async def test_somebody_gets_a_role(settings: Settings, role: str) -> None:
    ended = create(settings, "Olga", "--role", role, "--email", "olga@example.org")

    assert (ended.returncode, ended.stdout) == (0, f"Created the account Olga with the role {role}.\n"), ended.stderr
    [user] = await users(settings)
    assert (user["username"], user["email"], user["role"], user["is_guest"]) == (
        "Olga",
        "olga@example.org",
        role,
        False,
    )
    assert SCHEME.verify("a long sentence", user["password_hash"])


async def test_a_name_is_taken_once(settings: Settings) -> None:
    create(settings, "olga")

    ended = create(settings, "OLGA", typed="another sentence\n")

    assert ended.returncode == 1
    assert ended.stderr.startswith("The username OLGA is taken. Choose another")
    assert "set-role OLGA organizer" in ended.stderr
    assert SCHEME.verify("a long sentence", (await users(settings))[0]["password_hash"])


async def test_what_is_wrong_is_named_without_the_password(settings: Settings) -> None:
    ended = create(settings, "o", "--email", "nowhere", typed="short!7\n")

    assert ended.returncode == 1
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["username", "password", "email"]
    assert "short!7" not in ended.stderr


async def test_a_lost_password_is_set_anew_and_ends_all_sessions(settings: Settings) -> None:
    create(settings, "olga", "--role", "admin")

    ended = create(settings, "OLGA", "--reset-password", typed="another sentence\n")

    assert (ended.returncode, ended.stderr) == (0, "")
    [user] = await users(settings)
    assert SCHEME.verify("another sentence", user["password_hash"])
    assert (user["role"], user["era"]) == ("admin", 1)


async def test_a_new_password_is_as_long_as_any(settings: Settings) -> None:
    create(settings, "olga")

    ended = create(settings, "olga", "--reset-password", typed="short!7\n")

    assert ended.returncode == 1
    assert ended.stderr.startswith("password: ")
    assert "short!7" not in ended.stderr


async def test_a_role_is_given_and_taken_back(settings: Settings) -> None:
    create(settings, "olga")

    for role in ("admin", "customer"):
        ended = usher(settings, "set-role", "Olga", role)

        assert (ended.returncode, ended.stderr) == (0, "")
        assert [user["role"] for user in await users(settings)] == [role]


@pytest.mark.parametrize("words", [("set-role", "nobody", "admin"), ("create-organizer", "nobody", "--reset-password")])
async def test_an_account_that_does_not_exist_is_named(settings: Settings, words: tuple[str, ...]) -> None:
    ended = usher(settings, *words, typed="a long sentence\n")

    assert (ended.returncode, ended.stderr) == (
        1,
        "There is no account nobody. Check the name; create-organizer creates one.\n",
    )
