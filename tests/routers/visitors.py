"""People who call the API as anybody would, with a token or none, and who look whether it does what is documented."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
from httpx import AsyncClient, Response

from tests.routers.reference.documented import Json, must_be_documented

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
BASES: Final = ["/api/v1", "/v1", ""]
NOBODYS_ID: Final = "01939f10-0000-7000-8000-000000000000"
NOBODYS_CODE: Final = "1-0000-0000-0000-0000-0000-0000-0001"

PROBLEM: Final = ["type", "title", "status", "detail", "instance", "code", "request_id"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a token, or nobody in particular. Every answer is held against the OpenAPI document."""

    client: AsyncClient
    token: str | None = None

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> Response:
        """Any call. `headers` are written `if_none_match=...`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        if key is not None:
            sent["idempotency-key"] = key
        content = {} if body is None else {"json": body}
        answer = await self.client.request(method, path, headers=sent, **content)
        must_be_documented(method, path, answer)
        return answer

    async def get(self, path: str, **headers: str) -> Response:
        return await self.ask("GET", path, **headers)

    async def read(self, path: str) -> Any:
        """What is there."""
        return told(await self.get(path), 200)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Response:
        return await self.ask("POST", path, body, key=key)

    async def delete(self, path: str, *, key: str | None = None) -> Response:
        return await self.ask("DELETE", path, key=key)

    async def hold(self, *labels: str, screening: int = 1) -> Json:
        """A new hold of these seats."""
        return dict(told(await self.post(f"/screenings/{screening}/reservations", {"seats": labels}), 201))

    async def book(self, *labels: str, screening: int = 1) -> Json:
        """A new booking of these seats."""
        return dict(told(await self.post("/bookings", {"screening_id": screening, "seats": labels}), 201))

    async def confirm(self, reservation: Json) -> Json:
        """A new booking of what is held."""
        return dict(told(await self.post(f"/reservations/{reservation['id']}/confirm"), 201))

    async def toggle(self, *labels: str, screening: int = 1) -> Json:
        """What became of these seats."""
        return dict(told(await self.post(f"/screenings/{screening}/reservations/toggle", {"seats": labels}), 200))

    async def version(self, screening: int = 1) -> int:
        """How often the seats of a screening have changed."""
        return int((await self.read(f"/screenings/{screening}"))["version"])

    async def taken(self, screening: int = 1) -> dict[str, str]:
        """The seats that are not available, as everybody sees them."""
        seats = (await self.read(f"/screenings/{screening}/seats"))["seats"]
        return {seat["label"]: seat["status"] for seat in seats if seat["status"] != "available"}


async def guest(client: AsyncClient, email: str) -> Visitor:
    """Somebody new, with a token."""
    token = told(await Visitor(client).post("/auth/guest", {"email": email}), 201)["access_token"]
    return Visitor(client, token)


def told(answer: Response, status: int) -> Any:
    """What a good answer says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def refused(answer: Response, status: int, code: str, *members: str) -> Json:
    """What a problem says: the members that all have, and exactly these."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert (problem["code"], problem["status"], problem["type"]) == (code, status, f"/problems/{code}")
    assert list(problem) == [*PROBLEM, *members]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    return problem


def labels(seats: list[Json]) -> list[str]:
    """The labels of seats in any answer."""
    return [seat["label"] for seat in seats]


async def time_passes(database: Database, hold: Json, seconds: float) -> None:
    """So many seconds go by for one hold: its rows' times move back. Maps that were read before do not notice."""
    await database.execute(
        """
        WITH moved AS (
            UPDATE reservations SET created_at = created_at - $2::interval, expires_at = expires_at - $2::interval,
                                    first_held_at = first_held_at - $2::interval
             WHERE id = $1 RETURNING screening_id, id),
        claims AS (
            UPDATE seat_claims c SET expires_at = c.expires_at - $2::interval
              FROM moved WHERE c.screening_id = moved.screening_id AND c.reservation_id = moved.id
            RETURNING c.screening_id, c.seat_id)
        UPDATE seat_events e SET at = e.at - $2::interval, expires_at = e.expires_at - $2::interval
          FROM claims WHERE e.screening_id = claims.screening_id AND e.seat_id = claims.seat_id
        """,
        UUID(hold["id"]),
        timedelta(seconds=seconds),
    )
