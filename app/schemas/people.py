"""People in JSON (api.md, section 8)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.domain.people import Role
from app.schemas.requests import Email, Strict


class GuestIn(Strict):
    """Who wants to be a guest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.org"}]})

    email: Email = Field(examples=["ada@example.org"], description="Where tickets go; limits count by it.")


class TokenOut(BaseModel):
    """A token to send as `Authorization: Bearer <access_token>`."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a kind, RFC 6750
    expires_in: int = Field(examples=[2592000], description="Seconds from now.")


class MeOut(BaseModel):
    """Who the caller is, and what they have."""

    id: int = Field(examples=[42])
    username: str | None = Field(examples=[None])
    email: str | None = Field(examples=["ada@example.org"])
    role: Role = Field(examples=["customer"])
    is_guest: bool = Field(examples=[True])
    active_reservations: int = Field(examples=[1], description="Holds that have not run out.")
    bookings_today: int = Field(examples=[0], description="Bookings of this day (UTC) that were not cancelled.")
