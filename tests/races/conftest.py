"""Two processes on one database."""

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp


@pytest.fixture
async def other(client: AsyncClient, open_app: OpenApp) -> AsyncClient:
    """A client of a second process, so to say, on the database of `client`."""
    return await open_app()
