"""People in JSON (docs/api.md, section 8)."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.domain import usernames
from app.domain.people import Role
from app.schemas.format.requests import Email, Strict

REFRESH_TOKEN = "refresh_" + "Q29weSB5b3VyIG93bi4" + "x" * 45

Username = Annotated[
    str,
    Field(
        min_length=usernames.SHORTEST,
        max_length=usernames.LONGEST,
        description="Letters and digits of any script and `. _ - + @`, beginning with a letter or digit, in NFKC. "
        "Upper and lower case are the same name.",
        examples=["ada"],
    ),
    AfterValidator(usernames.normal),
]

Password = Annotated[str, Field(min_length=1, max_length=128, json_schema_extra={"format": "password"})]
"""A password as somebody types it to sign in."""

NewPassword = Annotated[
    str, Field(min_length=8, max_length=128, json_schema_extra={"format": "password"}, examples=["a long sentence"])
]
"""A password that somebody chooses."""


class GuestIn(Strict):
    """Who wants to be a guest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.org"}]})

    email: Email = Field(examples=["ada@example.org"], description="Where tickets go; limits count by it.")


class RegisterIn(Strict):
    """A new account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "password": "a long sentence"}]})

    username: Username
    password: NewPassword
    email: Email | None = Field(None, examples=["ada@example.org"], description="Where tickets go.")


class LoginIn(Strict):
    """Who signs in, as JSON or as the form of OAuth2; the form's other fields are known and change nothing."""

    TAKES_FORM: ClassVar = True

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "demo", "password": "usher-demo"}]})

    username: str = Field(min_length=1, max_length=254, examples=["demo"])
    password: Password
    grant_type: Literal["password"] | None = Field(None, description="For OAuth2 clients.")
    scope: str | None = Field(None, max_length=1_000, description="For OAuth2 clients; people's tokens have no scopes.")
    client_id: str | None = Field(None, max_length=200, description="For OAuth2 clients.")
    client_secret: str | None = Field(None, max_length=200, description="For OAuth2 clients.")


class RefreshIn(Strict):
    """A refresh token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": REFRESH_TOKEN}]})

    refresh_token: str = Field(min_length=1, max_length=4_096, examples=[REFRESH_TOKEN])


class PasswordIn(Strict):
    """Another password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"current_password": "usher-demo", "new_password": "another sentence"}]}
    )

    current_password: Password
    new_password: NewPassword


class LeaveIn(Strict):
    """The password of the account that is to be deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "usher-demo"}]})

    password: Password | None = None


class TokensOut(BaseModel):
    """A token to send as `Authorization: Bearer <access_token>`, and one that gets the next, once."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"])
    refresh_token: str = Field(examples=[REFRESH_TOKEN], description="For POST /auth/refresh; good for one use.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a kind, RFC 6750
    expires_in: int = Field(examples=[900], description="Until when `access_token` is believed: seconds from now.")


class MeOut(BaseModel):
    """Who the caller is, and what they have."""

    id: int = Field(examples=[42])
    username: str | None = Field(examples=["demo"])
    email: str | None = Field(examples=["demo@example.org"])
    role: Role = Field(examples=["customer"])
    is_guest: bool = Field(examples=[False])
    active_reservations: int = Field(examples=[1], description="Holds that have not run out.")
    bookings_today: int = Field(examples=[0], description="Bookings of this day (UTC) that were not cancelled.")
