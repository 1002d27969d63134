"""Two real processes, one writes and one is read from without a pause: no map is older than what was acknowledged."""

import asyncio
from dataclasses import dataclass, field

from httpx import AsyncClient

from tests.races.buyers import codes, somebody
from tests.races.conftest import StartProcess

READERS, SEATS = 6, 60


@dataclass(slots=True)
class Truth:
    """What the writer has been told, and the answers that were behind it."""

    version: int = 0
    is_complete: bool = False
    behind: list[tuple[int, int]] = field(default_factory=list)


async def read(client: AsyncClient, truth: Truth) -> int:
    """Read on and on, as a browser does, until the writer is done; how often."""
    etag, seen, count = "", 0, 0
    while not truth.is_complete:
        at_least = truth.version
        answer = await client.get("/screenings/1/availability", headers={"if-none-match": etag})
        count += 1
        if answer.status_code == 200:
            etag, seen = answer.headers["etag"], answer.json()["version"]
        if seen < at_least:
            truth.behind.append((seen, at_least))
    return count


async def test_no_reader_is_behind_an_acknowledged_write(start_process: StartProcess) -> None:
    writing, reading = await start_process(), await start_process()
    truth = Truth()

    async with writing.client() as writer, reading.client() as reader:
        buyer = await somebody(writer)
        reads = asyncio.gather(*(read(reader, truth) for _ in range(READERS)))
        for seat in range(SEATS):
            answer = await buyer.hold(f"{'ABC'[seat % 3]}{seat // 3 + 1}")
            assert codes([answer]) == [201]
            truth.version = answer.json()["version"]
        truth.is_complete = True
        counts = await reads

    assert truth.behind == []
    assert truth.version == SEATS
    assert min(counts) > 1
