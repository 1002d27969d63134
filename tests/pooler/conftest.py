"""A PgBouncer of the test's own in front of its demo database; without the program these tests are skipped."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
from sqlalchemy.engine import make_url

from app.settings import Settings
from tests import given
from tests.conftest import MakeSettings
from tests.places import Place
from tests.pooler.pgbouncer import PROGRAM, Pooler, pooler_to

FEW: Final = 5
"""Sessions for two processes with four office connections and a pool each: never enough for all of them at once."""

MakePooler = Callable[[int], Pooler]
PooledSettings = Callable[..., Settings]


@pytest.fixture
def make_pooler(templates: Place) -> Iterator[MakePooler]:
    """Starts a pooler with so many sessions for each database."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    if given.URL is not None:
        pytest.skip("needs a PostgreSQL server of its own, and TEST_DATABASE_URL gives one")
    with ExitStack() as stack:
        yield lambda sessions: stack.enter_context(pooler_to(templates.database_url, sessions))


@pytest.fixture
def pooled(make_pooler: MakePooler, make_settings: MakeSettings) -> PooledSettings:
    """Settings with the test's demo database behind a pooler of few sessions."""
    pooler = make_pooler(FEW)

    def make(**changes: Any) -> Settings:
        url = pooler.url_of(make_url(make_settings().database_url or "").database or "")
        return make_settings(**{"database_url": url, "statement_cache_size": 0, **changes})

    return make
