"""The embedded servers: durable, private, and repaired after any end."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.adapters.embedded import (
    AlreadyRunning,
    EmbeddedError,
    EmbeddedServers,
    jwt_secret,
    remove_data,
    running_process,
    start_servers,
)
from app.adapters.embedded.process import ON_LINUX, processes_in
from tests.ground.conftest import Start
from tests.patience import wait_until

on_linux = pytest.mark.skipif(not ON_LINUX, reason="a parent's end is told by the kernel on Linux only")


async def ask(servers: EmbeddedServers, question: str) -> object:
    """What PostgreSQL answers, over a connection of its own."""
    connection = await asyncpg.connect((servers.database_url or "").replace("+asyncpg", ""))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_postgresql_is_as_safe_as_a_real_one(start_again: Start) -> None:
    servers = start_again(valkey=False)

    settings = "fsync full_page_writes synchronous_commit TimeZone server_encoding listen_addresses"
    found = {name: await ask(servers, f"SHOW {name}") for name in settings.split()}

    assert found == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "listen_addresses": "",
    }


async def test_what_somebody_wrote_is_not_in_its_log(start_again: Start) -> None:
    servers = start_again(valkey=False)
    assert servers.postgresql is not None
    connection = await asyncpg.connect((servers.database_url or "").replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE names (name text UNIQUE CHECK (name <> 'nobody'))")

    for name in ("very-private", "very-private", "nobody"):
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await connection.execute("INSERT INTO names VALUES ($1)", name)
    await connection.close()

    log = servers.postgresql.log.read_text()
    assert "names_name_key" in log
    assert "very-private" not in log


async def test_sqlalchemy_understands_the_url_and_other_databases_of_it(start_again: Start) -> None:
    servers = start_again(valkey=False)

    url = make_url(servers.database_url or "")
    engine = create_async_engine(url.set(database="postgres").render_as_string(hide_password=False))
    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT current_database()"))
    await engine.dispose()

    assert (url.database, found) == ("usher", "postgres")


async def test_redis_py_understands_the_url(start: Start) -> None:
    servers = start(postgresql=False)

    async with Redis.from_url(servers.redis_url or "") as client:
        assert await client.set("a", "1")
        assert await client.get("a") == b"1"


async def test_data_outlives_a_stop_a_kill_and_a_start_somewhere_in_between(start_again: Start) -> None:
    servers = start_again(valkey=False)
    assert servers.postgresql is not None
    await ask(servers, "CREATE TABLE kept (n int)")

    await ask(servers, "INSERT INTO kept VALUES (1)")
    servers.postgresql.stop()
    servers.postgresql.start()
    await ask(servers, "INSERT INTO kept VALUES (2)")
    servers.postgresql.kill()
    servers.postgresql.start()

    assert await ask(servers, "SELECT sum(n) FROM kept") == 3


async def test_valkey_can_be_stopped_killed_paused_and_started(start: Start) -> None:
    valkey = start(postgresql=False).valkey
    assert valkey is not None

    impatient = Redis.from_url(valkey.url, socket_timeout=0.2, retry=None)
    async with Redis.from_url(valkey.url, retry=None) as client, impatient:
        assert await client.ping()
        valkey.pause()
        with pytest.raises(Exception, match="Timeout"):
            await impatient.ping()
        valkey.resume()
        valkey.stop()
        assert valkey.pid is None
        with pytest.raises(Exception, match="Error"):
            await client.ping()
        valkey.start()
        valkey.kill()
        valkey.start()
        assert await client.ping()


async def test_a_paused_postgresql_answers_again_when_resumed(start_again: Start) -> None:
    servers = start_again(valkey=False)
    assert servers.postgresql is not None

    servers.postgresql.pause()
    answer = asyncio.create_task(ask(servers, "SELECT 1"))
    await asyncio.wait([answer], timeout=0.2)
    answered_while_paused = answer.done()
    servers.postgresql.resume()

    assert not answered_while_paused
    assert await answer == 1


async def test_a_paused_server_can_be_stopped(start_again: Start) -> None:
    servers = start_again()
    assert servers.postgresql is not None
    assert servers.valkey is not None

    servers.postgresql.pause()
    servers.valkey.pause()
    servers.stop()

    assert processes_in(servers.data / "postgresql", None) == []
    assert processes_in(servers.data / "valkey", None) == []


async def test_orphans_of_a_killed_run_are_ended_by_the_next_start(lived_in: Path, start_again: Start) -> None:
    first = start_again()
    assert first.postgresql is not None
    assert first.valkey is not None
    await ask(first, "CREATE TABLE kept AS SELECT 1 AS n")
    orphans = {first.postgresql.pid, first.valkey.pid}
    for lock in first._locks:
        os.close(lock)  # as if the first run had been killed: the kernel takes back its lock, the servers go on

    second = start_servers(lived_in)
    try:
        assert second.postgresql is not None
        assert second.valkey is not None
        assert orphans.isdisjoint({second.postgresql.pid, second.valkey.pid})
        assert await ask(second, "SELECT n FROM kept") == 1
    finally:
        second.stop()


async def test_a_number_in_a_stale_file_that_is_now_somebody_elses_harms_nobody(start_again: Start) -> None:
    servers = start_again(valkey=False)
    assert servers.postgresql is not None
    servers.postgresql.kill()
    pid_file = servers.data / "postgresql" / "postmaster.pid"
    pid_file.write_text("\n".join([str(os.getpid()), *pid_file.read_text().splitlines()[1:]]) + "\n")

    servers.postgresql.start()

    assert await ask(servers, "SELECT 1") == 1


def test_a_second_start_in_the_same_home_says_who_has_it(home: Path, start: Start) -> None:
    start(postgresql=False)

    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        start_servers(home)
    with pytest.raises(AlreadyRunning):
        remove_data(home)
    assert running_process(home) == os.getpid()


def test_what_was_left_of_a_first_start_killed_half_way_is_no_hindrance(start_again: Start) -> None:
    servers = start_again(valkey=False)
    servers.stop()
    (servers.data / "postgresql").rename(servers.data / "postgresql.half")

    again = start_again(valkey=False)

    assert again.postgresql is not None
    assert again.postgresql.pid is not None
    assert not (again.data / "postgresql.half").exists()


def test_a_database_of_another_version_is_refused_in_words(lived_in: Path, start_again: Start) -> None:
    servers = start_again(valkey=False)
    servers.stop()
    (servers.data / "postgresql" / "PG_VERSION").write_text("9.6\n")

    with pytest.raises(EmbeddedError, match=r"was made by PostgreSQL 9\.6"):
        start_servers(lived_in, valkey=False)


@on_linux
def test_the_servers_end_with_a_parent_that_was_killed(lived_in: Path) -> None:
    program = f"""
import signal
from pathlib import Path
from app.adapters.embedded import start_servers
servers = start_servers(Path({str(lived_in)!r}))
print(servers.data, flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        data = Path(parent.stdout.readline().strip())
        assert processes_in(data / "postgresql", None) != []

        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: not (processes_in(data / "postgresql", None) or processes_in(data / "valkey", None)))


def test_nobody_else_can_look_inside(home: Path, start: Start) -> None:
    servers = start()
    jwt_secret(home)

    sockets = Path(str(make_url(servers.database_url or "").query["host"]))
    modes = {
        path.name: stat.S_IMODE(path.lstat().st_mode)
        for path in (sockets, servers.data / "postgresql", servers.data / "valkey", home / "jwt-secret", home / "lock")
    }

    assert {name: mode & 0o077 for name, mode in modes.items()} == dict.fromkeys(modes, 0)
    assert len(os.fsencode(sockets)) < 95


def test_the_permissions_of_directories_that_are_not_ours_stay_and_root_s_servers_run_where_their_account_can_be(
    home: Path, start: Start
) -> None:
    home.parent.mkdir(parents=True)
    home.parent.chmod(0o700)
    before = {path: path.stat().st_mode for path in home.parents}

    servers = start()

    assert {path: path.stat().st_mode for path in home.parents} == before
    if os.geteuid() == 0:  # only root lends its servers another account
        assert servers.data.parent == Path("/var/lib/usher")
        assert (servers.data / "postgresql").stat().st_uid != 0
        assert (servers.data / "valkey").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_home_is_refused_with_their_name(home: Path) -> None:
    home.mkdir(parents=True)
    os.chown(home, 65534, 65534)

    with pytest.raises(EmbeddedError, match="belongs to nobody"):
        start_servers(home)
    os.chown(home, 0, 0)


def test_the_secret_stays_the_same_and_is_long_enough(home: Path) -> None:
    first = jwt_secret(home)

    assert len(first) >= 32
    assert jwt_secret(home) == first


def test_reset_removes_what_was_made_and_nothing_else(home: Path, start: Start) -> None:
    servers = start()
    jwt_secret(home)
    servers.stop()
    (home / "letters").write_text("mine")

    remove_data(home)

    assert [path.name for path in home.iterdir()] == ["letters"]
    assert servers.data == home or not servers.data.exists()
