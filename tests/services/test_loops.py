"""The loops in the background: one that a mistake of ours broke begins anew, and the others do not notice."""

from collections.abc import Callable
from typing import Any

import pytest
from httpx import AsyncClient

from app.db.heartbeat import Heartbeat
from app.services.box_office.office import BoxOffice
from app.services.live.live import Live
from app.services.people.revocations import Revocations
from app.services.seat_maps.announcer import Announcer
from app.services.seat_maps.reconciler import Reconciler
from app.services.sweeper import Sweeper
from tests.conftest import OpenApp
from tests.races.buyers import codes, seats, somebody


def breaking_once(loop: Callable[[Any], Any], broken: list[object]) -> Callable[[Any], Any]:
    """This loop, which breaks off the first time that it is begun."""

    async def run(owner: object) -> None:
        if not broken:
            broken.append(owner)
            raise ZeroDivisionError
        await loop(owner)

    return run


@pytest.mark.parametrize("owner", [Heartbeat, BoxOffice, Announcer, Reconciler, Live, Revocations, Sweeper])
async def test_a_loop_that_broke_off_begins_anew_and_people_are_served(
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
) -> None:
    broken: list[object] = []
    monkeypatch.setattr(owner, "run", breaking_once(owner.run, broken))  # type: ignore[attr-defined]  # they all have one

    client = await open_app(sweep=True)
    buyer = await somebody(client)

    assert codes([await buyer.hold("A1")]) == [201]
    assert await seats(client) == {"A1": "reserved"}
    assert len(broken) == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "a loop in the background broke off, and begins anew"
    ]


async def test_a_box_office_that_breaks_off_over_a_batch_serves_the_next(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = await somebody(client)
    serve = BoxOffice._serve

    async def break_off(*_: object) -> None:
        monkeypatch.setattr(BoxOffice, "_serve", serve)
        raise ZeroDivisionError

    monkeypatch.setattr(BoxOffice, "_serve", break_off)
    answers = [await buyer.hold("A1"), await buyer.hold("A1")]

    assert codes(answers) == [201, "busy"]
    assert "unknown" in answers[0].json()["detail"]
