"""People with accounts: they register and sign in as anybody would."""

from typing import Any

from httpx import AsyncClient

from tests.routers.visitors import Visitor, told

Json = dict[str, Any]

PASSWORD = "a long sentence"


async def register(visitor: Visitor, username: str = "ada", password: str = PASSWORD, **more: Any) -> Json:
    """The new account."""
    account: Json = told(
        await visitor.post("/auth/register", {"username": username, "password": password, **more}), 201
    )
    return account


async def login(client: AsyncClient, username: str = "ada", password: str = PASSWORD) -> Json:
    """The tokens of a new session."""
    tokens: Json = told(await Visitor(client).post("/auth/login", {"username": username, "password": password}), 200)
    return tokens


async def member(client: AsyncClient, username: str = "ada", password: str = PASSWORD) -> Visitor:
    """Somebody who has just registered and signed in."""
    await register(Visitor(client), username, password)
    return Visitor(client, (await login(client, username, password))["access_token"])
