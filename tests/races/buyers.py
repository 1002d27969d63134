"""People who want seats, each a guest with a token, over HTTP."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from httpx import AsyncClient, Response

T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Buyer:
    """A guest, and the process that they talk to."""

    client: AsyncClient
    token: str

    async def ask(self, method: str, path: str, body: Json | None = None, *, key: str | None = None) -> Response:
        """Any call, with the token and perhaps a key."""
        headers = {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})
        return await self.client.request(method, f"/api/v1{path}", headers=headers, json=body)

    async def hold(self, *labels: str, screening: int = 1, key: str | None = None) -> Response:
        return await self.ask("POST", f"/screenings/{screening}/reservations", {"seats": labels}, key=key)

    async def toggle(self, *labels: str, screening: int = 1, key: str | None = None) -> Response:
        return await self.ask("POST", f"/screenings/{screening}/reservations/toggle", {"seats": labels}, key=key)

    async def book(self, *labels: str, screening: int = 1, key: str | None = None) -> Response:
        return await self.ask("POST", "/bookings", {"screening_id": screening, "seats": labels}, key=key)

    async def confirm(self, reservation_id: str, *, key: str | None = None) -> Response:
        return await self.ask("POST", f"/reservations/{reservation_id}/confirm", key=key)

    async def cancel(self, booking_id: str, *, key: str | None = None) -> Response:
        return await self.ask("DELETE", f"/bookings/{booking_id}", key=key)

    def at(self, client: AsyncClient) -> "Buyer":
        """The same person at another process."""
        return Buyer(client, self.token)


async def somebody(client: AsyncClient, name: str = "somebody") -> Buyer:
    """A new guest."""
    answer = await client.post("/api/v1/auth/guest", json={"email": f"{name}@example.org"})
    assert answer.status_code == 201, answer.text
    return Buyer(client, answer.json()["access_token"])


async def seats(client: AsyncClient, screening: int = 1) -> dict[str, str]:
    """The seats that are not available, as everybody sees them."""
    answer = await client.get(f"/api/v1/screenings/{screening}/seats")
    assert answer.status_code == 200, answer.text
    return {seat["label"]: seat["status"] for seat in answer.json()["seats"] if seat["status"] != "available"}


def codes(answers: Iterable[Response]) -> list[Any]:
    """What was answered, in a word each: 201, or the code of the problem."""
    return sorted((each.json().get("code") or each.status_code for each in answers), key=str)


def sent(*asked: Coroutine[Any, Any, T]) -> "asyncio.Future[list[T]]":
    """Start asking, all at once; await it for the answers."""
    return asyncio.ensure_future(asyncio.gather(*asked))
