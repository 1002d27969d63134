"""Asking the box office directly, as many as one likes in one batch."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import uuid_utils.compat as uuid_utils

from app.domain.box_office.commands import Book, Hold, Toggle
from app.domain.idempotency import Key
from app.domain.people.people import Person
from app.domain.seats import SeatNames
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from tests.order import Connection, locked, until_waiting
from tests.patience import PATIENCE_SECONDS

PARKED: Final = 3
"""A screening that no test sells."""


def hold(user_id: int, *labels: str) -> Hold:
    return Hold(Person(user_id), SeatNames(labels=labels), uuid_utils.uuid7())


def toggle(user_id: int, *labels: str) -> Toggle:
    return Toggle(Person(user_id), SeatNames(labels=labels), uuid_utils.uuid7())


def book(user_id: int, *labels: str) -> Book:
    return Book(Person(user_id), SeatNames(labels=labels), uuid_utils.uuid7(), "paid")


def key(value: str, user_id: int = 1, sent_for: str = "this") -> Key:
    return Key(user_id, value, sent_for.encode().ljust(32))


@asynccontextmanager
async def busy(box_office: BoxOffice, database: Connection) -> AsyncIterator[None]:
    """The box office is kept waiting until the block ends: whoever asks meanwhile is served together, in one batch."""
    async with locked(database, PARKED):
        first = asyncio.ensure_future(box_office.ask(PARKED, toggle(1, "A1")))
        await until_waiting(database)
        yield
    await first


def be_patient(box_office: BoxOffice) -> None:
    """From now on nobody's deadline passes."""
    box_office._queue._deadline_seconds = PATIENCE_SECONDS


def told(*asked: Coroutine[Any, Any, Answer]) -> "asyncio.Future[list[Answer | BaseException]]":
    """Everybody asks now; await it for what each one is told, an answer or the reason why not."""
    return asyncio.gather(*asked, return_exceptions=True)
