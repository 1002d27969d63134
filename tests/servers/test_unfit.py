"""A database that cannot serve is refused before anything is changed, with what to do; what becomes so is told."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from app.db.fitness import is_read_only, still_writes
from app.server import serving
from app.server.doctor import examine
from app.server.serving import CannotServe
from app.settings import EXIT_BAD_SETTING, LogFormat, Settings
from tests import given
from tests.conftest import EMPTY, JWT_SECRET, Connection, OpenApp, connect, resources_of, settings_for
from tests.forking import Forker
from tests.order import until_so
from tests.places import Place
from tests.servers.encrypted import Encrypted, programs, standby_of
from tests.servers.test_tls import settings_with

ROLE = "usher_of_a_test"

Say = Callable[..., Any]
Doctor = Callable[[Settings], str]


@pytest.fixture
def say(templates: Place) -> Say:
    """Says something to the server of this run, as whoever may do everything."""
    if given.URL is not None:
        pytest.skip("needs a PostgreSQL server of its own, and TEST_DATABASE_URL gives one")

    async def ask(statement: str, database: str) -> Any:
        connection = await connect(templates.url_of(database))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return lambda statement, database="postgres": asyncio.run(ask(statement, database))


@contextmanager
def made(say: Say, name: str, how: str) -> Iterator[str]:
    """A database that is there as long as the block."""
    say(f"CREATE DATABASE {name} {how}")
    try:
        yield name
    finally:
        say(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def role(say: Say) -> Iterator[str]:
    """A role that may connect, and nothing else."""
    say(f"CREATE ROLE {ROLE} LOGIN")
    yield ROLE
    say(f"DROP ROLE {ROLE}")


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """What the doctor says of a PostgreSQL that has a problem."""

    def said(settings: Settings) -> str:
        capsys.readouterr()
        assert not examine(settings)
        [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem  PostgreSQL")]
        return line

    return said


def refusal(settings: Settings) -> str:
    """What `serve` says instead of serving: one line, with the exit code of a bad setting."""
    with pytest.raises(CannotServe) as refused:
        serving._prepare(settings, with_demo=False)
    assert refused.value.exit_code == EXIT_BAD_SETTING
    assert "\n" not in str(refused.value)
    return str(refused.value)


def directly(place: Place, database: str) -> Settings:
    """Settings that lead there by no pooler, which has a role of its own."""
    return settings_for(place, database, database_url=place.url_of(database))


def as_role(settings: Settings) -> Settings:
    url = (settings.database_url or "").replace("//usher@", f"//{ROLE}@")
    assert ROLE in url
    return settings.model_copy(update={"database_url": url})


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused_and_stays_empty(
    templates: Place, say: Say, doctor: Doctor, encoding: str
) -> None:
    how = f"ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
    with made(say, "test_other_encoding", how) as name:
        settings = directly(templates, name)
        said, found = refusal(settings), doctor(settings)
        tables = say("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name)

    assert said.startswith(f"The database {name} is in {encoding}, and Usher needs UTF8: CREATE DATABASE")
    assert said in found
    assert tables == 0


def test_a_read_only_database_is_refused(templates: Place, say: Say, doctor: Doctor) -> None:
    with made(say, "test_read_only", f"TEMPLATE {EMPTY}") as name:
        say(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        settings = directly(templates, name)
        said, found = refusal(settings), doctor(settings)

    assert "is read-only for usher: set default_transaction_read_only = off" in said
    assert said in found


def test_a_read_only_role_is_refused(templates: Place, say: Say) -> None:
    with made(say, "test_read_only", f"TEMPLATE {EMPTY}") as name:
        url = f"{templates.url_of(name)}&options=-c%20default_transaction_read_only%3Don"
        said = refusal(settings_for(templates, name, database_url=url))

    assert "options in DATABASE_URL" in said


def test_a_standby_is_refused_and_the_primary_is_found_among_several_hosts(tls: Encrypted, doctor: Doctor) -> None:
    found = programs()
    assert found is not None
    with standby_of(tls, found) as standby:
        alone = settings_with(standby.url())
        both = standby.url().replace(f":{standby.port}/", f":{standby.port},localhost:{tls.port}/")
        said, told = refusal(alone), doctor(alone)
        serving._prepare(settings_with(f"{both}?target_session_attrs=read-write"), with_demo=False)
        of_both = refusal(settings_with(both))
        with pytest.raises(CannotServe, match=r"^PostgreSQL cannot be used: no server is there that is read-write"):
            serving._prepare(settings_with(standby.url(target_session_attrs="read-write")), with_demo=False)

    assert said == of_both
    assert said.startswith("PostgreSQL is a standby, so it is read-only: set DATABASE_URL to the primary")
    assert said in told


def test_what_the_driver_cannot_do_is_said_at_the_start(tls: Encrypted, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_with(tls.url(sslmode="require", channel_binding="require"))
    serving._prepare(settings.model_copy(update={"log_format": LogFormat.TEXT}), with_demo=False)

    assert capsys.readouterr().err.startswith("channel_binding=require is more than Usher can do")


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ([], "lacks rights on alembic_version, anonymous_holds, "),
        (
            ["GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"],
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES",
        ),
        (["REVOKE USAGE ON SCHEMA public FROM PUBLIC"], "GRANT USAGE ON SCHEMA public"),
    ],
    ids=["nothing", "only SELECT", "not even the schema"],
)
def test_a_role_without_its_rights_is_refused_with_what_to_grant(
    templates: Place, say: Say, role: str, doctor: Doctor, granted: list[str], wanted: str
) -> None:
    with made(say, "test_without_rights", f"TEMPLATE {EMPTY}") as name:
        for statement in granted:
            say(statement.format(role=role), name)
        settings = as_role(directly(templates, name))
        said, found = refusal(settings), doctor(settings)

    assert f"The role {ROLE}" in said
    assert wanted in said
    assert said in found


def test_what_it_says_to_grant_is_enough(templates: Place, say: Say, role: str) -> None:
    with made(say, "test_without_rights", f"TEMPLATE {EMPTY}") as name:
        settings = as_role(directly(templates, name))
        for _ in range(5):
            try:
                serving._prepare(settings, with_demo=False)
            except CannotServe as refused:
                for statement in str(refused).partition(": ")[2].rstrip(".").split("; "):
                    say(statement, name)
        serving._prepare(settings, with_demo=False)


def test_a_role_that_may_create_nothing_is_told_how_to_migrate(templates: Place, say: Say, role: str) -> None:
    with made(say, "test_empty", "TEMPLATE template0") as name:
        settings = as_role(directly(templates, name))
        said = refusal(settings)
        say(f"GRANT CREATE ON SCHEMA public TO {role}", name)
        without_a_schema = refusal(settings)
        say(f"GRANT CREATE ON DATABASE {name} TO {role}")
        serving._prepare(settings, with_demo=False)

    assert said.startswith("The role may not migrate the schema (permission denied for schema public): set MIGRATIONS_")
    assert "(permission denied for database test_empty)" in without_a_schema


@pytest.mark.parametrize("command", ["serve", "migrate", "sweep"])
def test_the_program_ends_with_3_and_one_line(templates: Place, say: Say, forker: Forker, command: str) -> None:
    with made(say, "test_read_only", f"TEMPLATE {EMPTY}") as name:
        say(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        if command == "migrate":  # there must be something to do
            say(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
            say("UPDATE alembic_version SET version_num = '0018'", name)
            say(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        process = forker.start(
            command,
            environment={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": templates.url_of(name),
                "REDIS_URL": "redis://127.0.0.1:1",
                "JWT_SECRET": JWT_SECRET,
                "PORT": "0",
            },
        )
        _, complained = process.communicate()

    assert (process.returncode, complained.count("\n")) == (3, 1), complained
    assert "read-only" in complained


async def test_a_database_that_becomes_read_only_is_told_once_and_so_is_its_return(
    open_app: OpenApp, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    if given.URL is not None:
        pytest.skip("needs a database that it may close")
    client = await open_app(reconcile_seconds=0.1)
    resources = resources_of(client)
    name = make_url(resources.settings.database_url or "").database
    caplog.set_level(logging.INFO, "app")

    async def become(read_only: str) -> None:
        await database.execute(
            f"SET default_transaction_read_only = off; ALTER DATABASE {name} SET "
            f"default_transaction_read_only = {read_only}"
        )
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
            name,
        )

    async def says(status: str, check: str) -> bool:
        told = (await client.get("/health/ready")).json()
        return (told["status"], told["checks"]["postgresql"]) == (status, check)

    def lines() -> list[str]:
        said = [line.getMessage().partition(",")[0] for line in caplog.records]
        return [line for line in said if line in ("PostgreSQL is read-only", "PostgreSQL can be written again")]

    async def are_said(count: int) -> bool:
        return len(lines()) >= count

    hold = {"seats": ["A1"]}
    await become("on")
    await until_so(database, lambda: says("down", "read-only"))
    told = await client.get("/health")
    refused = await client.post("/api/v1/screenings/1/reservations", json=hold)
    await until_so(database, lambda: are_said(1))
    await become("off")
    await until_so(database, lambda: says("ok", "ok"))
    await until_so(database, lambda: are_said(2))
    held = await client.post("/api/v1/screenings/1/reservations", json=hold)

    assert told.status_code == 503
    assert "default_transaction_read_only = off" in told.json()["advice"]["postgresql"]
    assert (refused.status_code, held.status_code) == (503, 201)
    assert lines() == ["PostgreSQL is read-only", "PostgreSQL can be written again"]


async def test_rights_that_are_taken_away_are_told(open_app: OpenApp, database: Connection) -> None:
    client = await open_app()

    await database.execute("REVOKE INSERT ON seat_claims FROM CURRENT_USER")
    superuser = await database.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    told = (await client.get("/health/ready")).json()

    assert told["checks"]["postgresql"] == ("ok" if superuser else "forbidden")


async def test_without_a_connection_of_the_office_it_is_not_ready(
    open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await open_app()
    resources = resources_of(client)
    for clerk in resources.box_office.clerks:
        await clerk.hang_up()

        def refuse() -> Any:
            raise ConnectionRefusedError

        monkeypatch.setattr(clerk, "_connect", refuse)

    told = await client.get("/health/ready")

    assert (told.status_code, told.json()["checks"]["postgresql"]) == (503, "down")
    assert "box office" in told.json()["advice"]["postgresql"]


async def test_a_connection_knows_by_itself_that_its_server_reads_only(open_app: OpenApp, database: Connection) -> None:
    resources = resources_of(await open_app())
    if not resources.settings.statement_cache_size:
        pytest.skip("a pooler keeps what is set for a session, and tells nobody")
    office = await resources.box_office.connected()
    before = is_read_only(office), await still_writes(office)

    await office.execute("SET default_transaction_read_only = on")

    assert before == (False, True)
    assert is_read_only(office)
    assert not await still_writes(office)
