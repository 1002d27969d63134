"""docs/operations.md is true: its commands are run as they stand there, and what it says of a restore is so."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy.engine import make_url

from app.adapters.embedded.account import server_account
from app.adapters.embedded.programs import postgresql_programs
from app.settings import Settings
from tests.conftest import DEMO, JWT_SECRET, Copied
from tests.docs.reading import ROOT, section, text_of
from tests.forking import Forker
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT, wait_until
from tests.places import Place

PAGE: Final = text_of("operations.md")


def commands(title: str) -> str:
    """What stands under a heading, to be pasted into a shell."""
    [block] = re.findall(r"^```sh\n(.*?)^```$", section(PAGE, title), re.DOTALL | re.MULTILINE)
    return block


@dataclass(slots=True)
class Shell:
    """A shell of an operator: in a directory of its own, with Usher's command and PostgreSQL's programs."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def paste(self, block: str, **settings: str) -> list[str]:
        """Run it line by line; the lines that it prints. What it exports stays."""
        script = f"{block}\nprintf '%s' \"$DATABASE_URL\" > .url\n"
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.directory,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
        self.environment["DATABASE_URL"] = (self.directory / ".url").read_text()
        return ended.stdout.splitlines()


@pytest.fixture
async def shell(templates: Place, copied: Copied, tmp_path: Path) -> AsyncIterator[Shell]:
    """It is led to a demo database of its own."""
    if templates.given is not None:
        pytest.skip("makes databases, and TEST_DATABASE_URL gives one")
    name = "test_operations"
    usher = tmp_path / "usher"
    usher.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m app "$@"\n')
    usher.chmod(0o755)
    names = {each.upper() for each in Settings.model_fields}
    kept = {each: value for each, value in os.environ.items() if each not in names}
    programs = postgresql_programs(server_account()).directory
    async with copied(DEMO, name):
        where = make_url(templates.url_of(name))
        socket = quote(str(where.query["host"]), safe="")
        url = f"postgresql://{where.username}@{socket}:{where.query['port']}/{name}"
        yield Shell(
            tmp_path,
            kept
            | PATIENT_ENVIRONMENT
            | {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "DATABASE_URL": url,
                "REDIS_URL": templates.redis_url,
                "JWT_SECRET": JWT_SECRET,
            },
        )


@contextmanager
def serving(shell: Shell, forker: Forker) -> Iterator[str]:
    """`./usher serve` with the environment of this shell: where it is."""
    log = shell.directory / "log"
    with log.open("w") as written:
        settings = shell.environment | {"PORT": "0", "RATE_LIMITS": "off"}
        process = forker.start("serve", environment=settings, complains_to=written.fileno())
        try:
            while (found := re.search(r"Usher is ready: (\S+)", line := process.stdout.readline())) is None:
                assert line, log.read_text()
            yield found[1]
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)


def book(url: str, label: str) -> None:
    screening = httpx.get(f"{url}/theaters/1/seats", timeout=PATIENCE_SECONDS).json()["screening_id"]
    wanted = {"screening_id": screening, "seats": [label]}
    assert httpx.post(f"{url}/bookings", json=wanted, timeout=PATIENCE_SECONDS).status_code == 201


async def test_whether_it_is_well_is_asked_as_the_page_says(shell: Shell, forker: Forker) -> None:
    with serving(shell, forker) as url:
        said = shell.paste(commands("Is it well?").replace("http://127.0.0.1:8000", url))

    assert [line[:8] for line in said[:-1]] == ["ok      "] * 7
    assert said[-1].startswith('{"status":"ok"')


async def test_a_backup_is_restored_as_the_page_says_and_what_came_later_is_for_sale_again(
    shell: Shell, forker: Forker
) -> None:
    def statuses(url: str) -> dict[str, str]:
        seats = httpx.get(f"{url}/theaters/1/seats", timeout=PATIENCE_SECONDS).json()["seats"]
        return {seat["label"]: seat["status"] for seat in seats[:3]}

    with serving(shell, forker) as url:
        book(url, "A1")
        tables = shell.paste(commands("Backup"))
        book(url, "A2")
        assert statuses(url) == {"A1": "booked", "A2": "booked", "A3": "available"}
    restored = shell.paste(commands("Restore"))
    with serving(shell, forker) as url:
        wait_until(lambda: statuses(url)["A2"] == "available")
        assert statuses(url) == {"A1": "booked", "A2": "available", "A3": "available"}
        book(url, "A2")

    assert int(tables[0]) > 20
    assert restored[-1].startswith("ok       Books: ")


async def test_an_upgrade_and_a_way_back_go_as_the_page_says(shell: Shell) -> None:
    upgraded = shell.paste(commands("Upgrade"))
    back = shell.paste(commands("Rollback"))

    revision = re.search(r"database schema (\d+)", upgraded[0])
    assert revision is not None
    assert upgraded[-1] == f"The database schema is at revision {revision[1]}."
    assert back == [
        f"The database schema is at revision {int(revision[1]) - 1:04}.",
        f"The database schema is at revision {revision[1]}.",
    ]


async def test_a_second_role_takes_over_as_the_page_says(shell: Shell, forker: Forker) -> None:
    first = shell.environment["DATABASE_URL"]
    again = "DROP OWNED BY usher_2; DROP ROLE usher_2"

    shell.paste(commands("Secrets"))
    shell.environment["DATABASE_URL"] = first.replace("://usher@", "://usher_2@")
    try:
        with serving(shell, forker) as url:
            book(url, "A1")
        for words in (("migrate", "--to", "-1"), ("migrate",)):
            process = forker.start(*words, environment=shell.environment)
            said, complained = process.communicate()
            assert (process.returncode, complained) == (0, "")
            assert said
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert shell.paste(f'psql --quiet --tuples-only --no-align "$DATABASE_URL" --command="{owners}"') == ["usher"]
    finally:
        shell.environment["DATABASE_URL"] = first
        shell.paste(f'psql --quiet "$DATABASE_URL" --command="{again}"')


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    run = {commands(title) for title in ("Is it well?", "Backup", "Restore", "Upgrade", "Rollback", "Secrets")}
    elsewhere = {commands("Traces")}  # tests/adapters/test_tracing.py sends them to a collector

    assert set(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)) == run | elsewhere
