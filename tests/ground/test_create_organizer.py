"""`usher create-organizer`: the only way to a role, with a password that is no argument."""

import os
import subprocess
import sys
from functools import partial

import asyncpg
import pytest

from app.services.people.passwords import SCHEME
from app.settings import Settings
from tests.conftest import JWT_SECRET
from tests.ground.conftest import Run


@pytest.fixture
def usher(settings: Settings, run: Run) -> Run:
    """Runs a command on the test's database."""
    return partial(run, DATABASE_URL=settings.database_url or "", JWT_SECRET=JWT_SECRET)


@pytest.fixture
def create(usher: Run) -> Run:
    """Runs `create-organizer` there; "a long sentence" is typed."""
    return partial(usher, "create-organizer", typed="a long sentence\n")


def program(settings: Settings, *words: str, typed: str) -> subprocess.CompletedProcess[str]:
    """The same by a program of its own."""
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
async def test_somebody_gets_a_role(settings: Settings, create: Run, role: str) -> None:
    ended = create("Olga", "--role", role, "--email", "olga@example.org")

    assert (ended.code, ended.said) == (0, f"Created the account Olga with the role {role}.\n"), ended.complained
    [user] = await users(settings)
    assert (user["username"], user["email"], user["role"], user["is_guest"]) == (
        "Olga",
        "olga@example.org",
        role,
        False,
    )
    assert SCHEME.verify("a long sentence", user["password_hash"])


async def test_the_program_does_so_with_the_password_from_a_pipe(settings: Settings) -> None:
    ended = program(settings, "create-organizer", "Olga", typed="a long sentence\n")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Created the account Olga with the role organizer.\n"
    assert SCHEME.verify("a long sentence", (await users(settings))[0]["password_hash"])


async def test_a_name_is_taken_once(settings: Settings, create: Run) -> None:
    create("olga")

    ended = create("OLGA", typed="another sentence\n")

    assert ended.code == 1
    assert ended.complained.startswith("The username OLGA is taken. Choose another")
    assert "set-role OLGA organizer" in ended.complained
    assert SCHEME.verify("a long sentence", (await users(settings))[0]["password_hash"])


async def test_what_is_wrong_is_named_without_the_password(create: Run) -> None:
    ended = create("o", "--email", "nowhere", typed="short!7\n")

    assert ended.code == 1
    assert [line.split(":")[0] for line in ended.complained.splitlines()] == ["username", "password", "email"]
    assert "short!7" not in ended.complained


async def test_a_lost_password_is_set_anew_and_ends_all_sessions(settings: Settings, create: Run) -> None:
    create("olga", "--role", "admin")

    ended = create("OLGA", "--reset-password", typed="another sentence\n")

    assert (ended.code, ended.complained) == (0, "")
    [user] = await users(settings)
    assert SCHEME.verify("another sentence", user["password_hash"])
    assert (user["role"], user["era"]) == ("admin", 1)


async def test_a_new_password_is_as_long_as_any(create: Run) -> None:
    create("olga")

    ended = create("olga", "--reset-password", typed="short!7\n")

    assert ended.code == 1
    assert ended.complained.startswith("password: ")
    assert "short!7" not in ended.complained


async def test_a_role_is_given_and_taken_back(settings: Settings, create: Run, usher: Run) -> None:
    create("olga")

    for role in ("admin", "customer"):
        ended = usher("set-role", "Olga", role)

        assert (ended.code, ended.complained) == (0, "")
        assert [user["role"] for user in await users(settings)] == [role]


@pytest.mark.parametrize("words", [("set-role", "nobody", "admin"), ("create-organizer", "nobody", "--reset-password")])
async def test_an_account_that_does_not_exist_is_named(usher: Run, words: tuple[str, ...]) -> None:
    ended = usher(*words, typed="a long sentence\n")

    assert (ended.code, ended.complained) == (
        1,
        "There is no account nobody. Check the name; create-organizer creates one.\n",
    )
