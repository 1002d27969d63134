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
    return subprocess.run(
        [sys.executable, "-m", "app", "create-organizer", *words],
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

    assert (ended.returncode, ended.stderr) == (1, "The username OLGA is taken. Choose another.\n")
    assert SCHEME.verify("a long sentence", (await users(settings))[0]["password_hash"])


async def test_what_is_wrong_is_named_without_the_password(settings: Settings) -> None:
    ended = create(settings, "o", "--email", "nowhere", typed="short!7\n")

    assert ended.returncode == 1
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["username", "password", "email"]
    assert "short!7" not in ended.stderr
