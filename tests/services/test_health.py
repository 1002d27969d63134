"""Health: what is there, told within a second."""

import asyncio

import pytest

from app.services import health
from app.services.health import Condition, Health, Report

OK, DEGRADED, DOWN = Condition.OK, Condition.DEGRADED, Condition.DOWN
KNOWN = frozenset({"0001", "0002"})


async def found(revision: str | None) -> str | None:
    return revision


async def away() -> str | None:
    raise ConnectionRefusedError


async def silent() -> str | None:
    await asyncio.Event().wait()
    raise AssertionError


async def answers() -> bool:
    return True


async def does_not_answer() -> bool:
    return False


async def test_everything_is_there() -> None:
    report = await Health(lambda: found("0002"), "0002", KNOWN, answers).report()

    assert report == Report(OK, OK, OK)
    assert report.status is OK


async def test_without_redis_it_is_degraded() -> None:
    report = await Health(lambda: found("0002"), "0002", KNOWN, does_not_answer).report()

    assert report == Report(OK, DOWN, OK)
    assert report.status is DEGRADED


@pytest.mark.parametrize("revision", ["0001", None])
async def test_with_an_older_schema_it_is_down(revision: str | None) -> None:
    report = await Health(lambda: found(revision), "0002", KNOWN, answers).report()

    assert report == Report(OK, OK, DOWN)
    assert report.status is DOWN


async def test_with_a_newer_schema_it_serves_on() -> None:
    report = await Health(lambda: found("0003"), "0002", KNOWN, answers).report()

    assert report == Report(OK, OK, Condition.NEWER)
    assert report.status is OK


async def test_without_postgresql_it_is_down() -> None:
    report = await Health(away, "0002", KNOWN, answers).report()

    assert report == Report(DOWN, OK, DOWN)
    assert report.status is DOWN


async def test_nobody_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)

    assert (await Health(silent, "0002", KNOWN, answers).report()).status is DOWN
