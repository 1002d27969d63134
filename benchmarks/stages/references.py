"""The limits that Usher is measured against: what FastAPI alone can do here, without a rule and without PostgreSQL.

Both routes answer with bytes at hand, which is the fastest that FastAPI offers: the reference is not slowed down by
encoding through a model. `stage.py` runs this module with uvicorn, as many workers as Usher has.
"""

import os
from typing import Annotated

import orjson
from fastapi import FastAPI, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

app = FastAPI(openapi_url=None)
valkey = Redis.from_url(os.environ.get("REFERENCE_REDIS_URL", "redis://127.0.0.1"), max_connections=64)

_AT = "2026-01-01T12:00:00.000Z"
_PRICE = {"amount_minor": 2500, "currency": "EUR"}


class Wanted(BaseModel):
    """The body of a hold."""

    model_config = ConfigDict(extra="forbid")

    seat_ids: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1, max_length=200)]


@app.post("/api/v1/screenings/{screening_id}/reservations")
async def echo(
    screening_id: int,
    wanted: Wanted,
    authorization: Annotated[str, Header(max_length=8192)],
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> Response:
    """Parses and validates what a hold sends, and answers 201 with JSON as long as a hold's."""
    reservation = {
        "id": f"{idempotency_key:.36}",
        "screening_id": screening_id,
        "user_id": 1000 + len(authorization),
        "status": "held",
        "seats": [{"seat_id": seat_id, "label": "S1-A-22", "price": _PRICE} for seat_id in wanted.seat_ids],
        "total": _PRICE,
        "created_at": _AT,
        "expires_at": _AT,
        "expires_in_seconds": 3600,
        "server_time": _AT,
        "extensions_left": 0,
        "booking_id": None,
        "version": 1000,
    }
    return Response(orjson.dumps(reservation), 201, media_type="application/json")


@app.get("/kept/{name}")
async def kept(name: str) -> Response:
    """Answers with what Valkey keeps under a name: one GET."""
    return Response(await valkey.get(f"reference:{name}"), media_type="application/json")
