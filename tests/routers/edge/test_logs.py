"""Every log line says in which request it was written."""

import asyncio
import gc
import json
import logging
import re
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.logs import JsonLines, TextLines, request_id_of_this_task


@pytest.fixture
def record() -> logging.LogRecord:
    """A line about something that went wrong, in a request."""
    try:
        raise ValueError("inside")
    except ValueError:
        request_id_of_this_task.set("find-me")
        return logging.LogRecord("app.somewhere", logging.ERROR, "", 1, "went %s", ("wrong",), sys.exc_info())


def test_a_text_line_has_the_request_id(record: logging.LogRecord) -> None:
    first, *traceback = TextLines().format(record).splitlines()

    assert first.endswith("Z error app.somewhere [find-me] went wrong")
    assert traceback[-1] == "ValueError: inside"


def test_a_json_line_is_one_line_with_its_traceback(record: logging.LogRecord) -> None:
    [line] = JsonLines().format(record).splitlines()

    said = json.loads(line)
    assert (said["level"], said["request_id"], said["message"]) == ("error", "find-me", "went wrong")
    assert said["traceback"].endswith("ValueError: inside")


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_a_line_of_a_batch_has_the_id_of_the_request_that_it_is_about(
    record: logging.LogRecord, formatter: logging.Formatter
) -> None:
    record.request_id = "the one in the batch"

    assert "the one in the batch" in formatter.format(record)


# --- what somebody wrote never gets there

SECRET = "very-private@example.org"
FAILING = {
    "a duplicate": "INSERT INTO users (username, username_key) VALUES (:secret, :secret), (:secret, :secret)",
    "a broken rule": "INSERT INTO users (email, role) VALUES (:secret, 'nobody')",
    "a value of the wrong kind": "SELECT CAST(CAST(:secret AS text) AS integer)",
    "a parameter of the wrong kind": "SELECT CAST(:secret AS integer)",
}


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
async def test_no_value_of_a_statement_reaches_the_log(
    engine: AsyncEngine, failing: str, formatter: logging.Formatter
) -> None:
    try:
        try:
            async with engine.begin() as connection:
                await connection.execute(text(failing), {"secret": SECRET})
        except Exception as error:
            raise RuntimeError("what it led to") from error
    except RuntimeError:
        line = formatter.format(_about_an_exception())

    assert SECRET not in line
    assert "what it led to" in line
    assert "[SQL: " in line


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
async def test_none_of_the_box_offices_does_either(
    engine: AsyncEngine, failing: str, formatter: logging.Formatter
) -> None:
    async with engine.connect() as connection:
        driver: asyncpg.Connection[asyncpg.Record] = (await connection.get_raw_connection()).driver_connection
        try:
            try:
                await driver.execute(failing.replace(":secret", "$1"), SECRET)
            finally:
                raise KeyError("while it was handled")
        except KeyError:
            line = formatter.format(_about_an_exception())

    assert SECRET not in line
    assert "while it was handled" in line


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
async def test_neither_does_that_of_a_task_that_nobody_waited_for(
    engine: AsyncEngine, formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        async with engine.begin() as connection:
            await connection.execute(text(FAILING["a parameter of the wrong kind"]), {"secret": SECRET})

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()

    [record] = [each for each in caplog.records if each.name == "asyncio"]
    assert SECRET in record.getMessage()
    line = formatter.format(record)
    assert SECRET not in line
    assert "Task exception was never retrieved" in line
    assert "DataError" in line


async def test_it_still_says_what_failed(engine: AsyncEngine) -> None:
    try:
        async with engine.begin() as connection:
            await connection.execute(text(FAILING["a broken rule"]), {"secret": SECRET})
    except Exception:  # noqa: BLE001 - whatever it is, it is logged
        line = TextLines().format(_about_an_exception())

    assert "CheckViolationError, sqlstate 23514, schema public, table users, constraint user_role_is_known" in line


def _about_an_exception() -> logging.LogRecord:
    return logging.LogRecord("app.somewhere", logging.ERROR, "", 1, "went wrong", (), sys.exc_info())


def test_no_connection_shows_its_parameters() -> None:
    for file in (Path(__file__).parents[3] / "app").rglob("*.py"):
        for made in re.findall(r"create_async_engine\((?:[^()]|\([^()]*\))+\)", file.read_text()):
            assert "hide_parameters=True" in made, file
