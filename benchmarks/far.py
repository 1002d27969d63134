"""`python -m benchmarks.far`: what is sold when PostgreSQL is far away, with one office connection and with several.

The box office asks PostgreSQL over a relay that holds back every word for a while, as a network does. A batch is of one
screening (BATCH_PER_SCREENING). Buyers that never pause hold seats in all screenings; the sides run by turns.
"""

import argparse
import asyncio
import secrets
import statistics
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import parse_qs, urlsplit

import uuid_utils.compat as uuid_utils

from app.adapters.embedded import EmbeddedError
from app.db.connections import office_connection, open_engine
from app.db.screenings import Defaults
from app.domain.box_office.commands import Hold
from app.domain.people.people import Person
from app.domain.seats import SeatNames
from app.services.box_office.office import BoxOffice
from app.services.box_office.opening import Opening
from app.services.layouts import Layouts
from app.settings import Settings
from benchmarks.stages import houses
from benchmarks.stages.houses import House
from benchmarks.stages.stage import Effort, ground

SCREENINGS: Final = 20
SEATS: Final = 20_000
BUYERS_EACH: Final = 2
SOCKET: Final = ".s.PGSQL.5432"


async def measure(house: House, milliseconds: float, connections: tuple[int, ...], effort: Effort) -> dict[int, float]:
    """Holds a second with so many connections: the median of the rounds."""
    seats = [iter(range(house.first_seat, house.first_seat + house.seats)) for _ in range(SCREENINGS)]
    found: dict[int, list[float]] = {each: [] for each in connections}
    async with relay(house.database_url, milliseconds / 1000) as url, AsyncExitStack() as stack:
        offices = {each: await stack.enter_async_context(_selling(url, each)) for each in connections}
        for number in range(effort.rounds + 1):
            for each, office in offices.items():
                sold = await _sell(office, house, seats, effort.seconds)
                if number:  # the first is to warm up
                    found[each].append(sold / effort.seconds)
    return {each: statistics.median(rounds) for each, rounds in found.items()}


@asynccontextmanager
async def relay(database_url: str, seconds: float) -> AsyncIterator[str]:
    """A URL by which every word takes so long to PostgreSQL and back, half of it each way."""
    directory = parse_qs(urlsplit(database_url).query)["host"][0]
    with TemporaryDirectory(prefix="usher-far-") as here:

        async def take(client: StreamReader, to_client: StreamWriter) -> None:
            server, to_server = await asyncio.open_unix_connection(Path(directory) / SOCKET)
            await asyncio.gather(_late(client, to_server, seconds / 2), _late(server, to_client, seconds / 2))

        listener = await asyncio.start_unix_server(take, Path(here) / SOCKET)
        yield database_url.replace(directory, here)
        listener.close()


async def _late(said: StreamReader, heard: StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while word := await said.read(65_536):
            loop.call_later(seconds, heard.write, word)
    loop.call_later(seconds, heard.close)


@asynccontextmanager
async def _selling(url: str, connections: int) -> AsyncIterator[BoxOffice]:
    settings = Settings(database_url=url, jwt_secret=secrets.token_hex(32), batch_per_screening=True)
    engine = open_engine(settings)
    box_office = BoxOffice(
        partial(office_connection, settings),
        Opening(Layouts(engine), Defaults.of(settings), per_screening=True),
        lambda _states, told, _news: told(),
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
        deadline_seconds=60,
        one_screening_a_batch=True,
        clerks=connections,
    )
    serving = asyncio.create_task(box_office.run())
    try:
        yield box_office
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        await engine.dispose()


async def _sell(box_office: BoxOffice, house: House, seats: Sequence[Iterator[int]], seconds: float) -> int:
    loop = asyncio.get_running_loop()
    ends, sold, people = loop.time() + seconds, 0, count()

    async def buy(place: int) -> None:
        nonlocal sold
        while loop.time() < ends:
            buyer = Person(house.first_user + next(people) % houses.BUYERS)
            command = Hold(buyer, SeatNames(ids=(next(seats[place]),)), uuid_utils.uuid7())
            await box_office.ask(house.first_screening + place, command)
            sold += 1

    await asyncio.gather(*(buy(place) for place in range(SCREENINGS) for _ in range(BUYERS_EACH)))
    return sold


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--milliseconds", type=float, default=5.0, help="to PostgreSQL and back (5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8], help="one side for each (1 8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    effort = Effort(given.rounds, given.seconds)
    try:
        with ground() as made, made.stage(effort) as stage:
            house = stage.house(stage.database(), SEATS, SCREENINGS)
            found = asyncio.run(measure(house, given.milliseconds, tuple(given.connections), effort))
    except EmbeddedError as error:
        sys.exit(str(error))
    first = found[given.connections[0]]
    for connections, holds in found.items():
        print(f"{connections:3} connections: {holds:8,.0f} holds/s, {holds / first:5.2f} times as many")


if __name__ == "__main__":
    main()
