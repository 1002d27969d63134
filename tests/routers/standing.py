"""A house that stands as long as the tests of a file run: for those that ask for nothing that changes it.

Most of what a small test takes is a database and an application of its own. A refusal needs neither: with
`@pytest.mark.changes_nothing` such tests of a file share one application. After each of them the house is as it was,
whatever was asked for; people may come.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from httpx import AsyncClient

from app.db import schema
from app.settings import Settings
from tests.conftest import DEMO, Copied, connect, serving, settings_for
from tests.order import Connection
from tests.places import Place

_PEOPLE: Final = ("users", "sessions", "api_keys", "buyer_emails")
_NOTES: Final = ("redis_mistrust", "sweeper_lease")
"""What processes tell each other."""

_HOUSE: Final = " UNION ALL ".join(
    f"SELECT '{table.name}', count(*), sum(hashtext(t::text)) FROM {table.fullname} t"  # noqa: S608 - our own names
    for table in schema.metadata.sorted_tables
    if table.name not in _PEOPLE + _NOTES
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The house of a file."""

    settings: Settings
    client: AsyncClient
    database: Connection
    before: object

    async def is_as_before(self) -> bool:
        """Nobody has changed anything."""
        return await _house(self.database) == self.before


@asynccontextmanager
async def standing_house(place: Place, copied: Copied) -> AsyncIterator[Standing]:
    """It has a database of its own, in Valkey too: other tests of the file begin with an empty one."""
    name = f"standing_{secrets.token_hex(6)}"
    async with copied(DEMO, name):
        settings = settings_for(place, name, redis_url=place.redis_url.replace("db=0", "db=1"))
        database = await connect(place.url_of(name))
        async with serving(settings) as client:
            yield Standing(settings, client, database, await _house(database))
        await database.close()


async def _house(database: Connection) -> object:
    return await database.fetch(_HOUSE)
