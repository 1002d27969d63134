"""People in JSON (docs/api.md, section 8)."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.domain.people import usernames
from app.domain.people.people import Role
from app.schemas.format.ids import UserIdOut
from app.schemas.format.requests import Email, Strict
from app.schemas.people.common_passwords import is_common, is_made_of

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
"""A password to sign in with."""

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128


def _long_enough(password: str) -> str:
    """Says what would do, but never what was sent."""
    if len(password) < SHORTEST_PASSWORD:
        raise PydanticCustomError(
            "string_too_short",
            "The password needs at least {least} characters; this one has {given}. Try a few words.",
            {"least": SHORTEST_PASSWORD, "given": len(password)},
        )
    if len(password) > LONGEST_PASSWORD:
        raise PydanticCustomError(
            "string_too_long",
            "The password may have up to {most} characters; this one has {given}. Take a shorter one.",
            {"most": LONGEST_PASSWORD, "given": len(password)},
        )
    return password


def _not_common(password: str) -> str:
    """Says what would do, but never what was sent."""
    if is_common(password):
        raise _common()
    return password


def _common() -> PydanticCustomError:
    return PydanticCustomError(
        "password_common",
        "This is one of the passwords that everybody tries first. Try a few words that only you put together.",
    )


NewPassword = Annotated[
    str,
    AfterValidator(_long_enough),
    AfterValidator(_not_common),
    Field(
        description="8 to 128 characters of any kind, but not one of the most common passwords or what is made of one: "
        "with digits around it, twice, with signs for letters. A few words are easy to remember.",
        json_schema_extra={"format": "password", "minLength": SHORTEST_PASSWORD, "maxLength": LONGEST_PASSWORD},
        examples=["a long sentence"],
    ),
]
"""A new password."""


GuestToken = Annotated[
    str,
    Field(
        min_length=1,
        max_length=8_192,
        description="A guest's token: what they hold and have booked becomes this account's, and the token ends.",
    ),
]


class GuestIn(Strict):
    """The email of a new guest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.org"}]})

    email: Email = Field(
        examples=["ada@example.org"],
        description="Where tickets are sent. Users with the same email share their limits.",
    )


class RegisterIn(Strict):
    """A new account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "password": "a long sentence"}]})

    username: Username
    password: NewPassword
    email: Email | None = Field(None, examples=["ada@example.org"], description="Where tickets are sent.")
    guest_token: GuestToken | None = None

    @field_validator("password")
    @classmethod
    def _is_not_the_username(cls, password: str, info: ValidationInfo) -> str:
        """Says what would do, but never what was sent."""
        if (username := info.data.get("username")) and is_made_of(password, username):
            raise _common()
        return password


class LoginIn(Strict):
    """Username and password, as JSON or as an OAuth2 form. The other fields of the form are accepted and ignored."""

    TAKES_FORM: ClassVar = True

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "password": "a long sentence"}]})

    username: str = Field(min_length=1, max_length=254, examples=["demo"])
    password: Password
    guest_token: GuestToken | None = None
    grant_type: Literal["password"] | None = Field(None, description="For OAuth2 clients.")
    scope: str | None = Field(None, max_length=1_000, description="For OAuth2 clients; people's tokens have no scopes.")
    client_id: str | None = Field(None, max_length=200, description="For OAuth2 clients.")
    client_secret: str | None = Field(None, max_length=200, description="For OAuth2 clients.")


class RefreshIn(Strict):
    """A refresh token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": REFRESH_TOKEN}]})

    refresh_token: str = Field(min_length=1, max_length=4_096, examples=[REFRESH_TOKEN])


class PasswordIn(Strict):
    """A change of the password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"current_password": "a long sentence", "new_password": "another sentence"}]}
    )

    current_password: Password
    new_password: NewPassword


class MeIn(Strict):
    """What I change of myself."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.org"}]})

    email: Email = Field(
        examples=["ada@example.org"],
        description="Where tickets are sent. Guests with the same email share their limits.",
    )


class LeaveIn(Strict):
    """The password of the account to delete."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "a long sentence"}]})

    password: Password | None = None


class TokensOut(BaseModel):
    """An access token to send as `Authorization: Bearer <access_token>`, and a refresh token that gets new tokens."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"])
    refresh_token: str = Field(examples=[REFRESH_TOKEN], description="For POST /auth/refresh. It can be used once.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a kind, RFC 6750
    expires_in: int = Field(examples=[900], description="How long `access_token` is valid, in seconds.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                    "refresh_token": REFRESH_TOKEN,
                    "token_type": "bearer",
                    "expires_in": 900,
                }
            ]
        }
    )


class MeOut(BaseModel):
    """The caller's account, and what they hold and have booked."""

    id: UserIdOut = Field(examples=[42])
    username: str | None = Field(examples=["demo"])
    email: str | None = Field(examples=["demo@example.org"])
    role: Role = Field(examples=["customer"])
    is_guest: bool = Field(examples=[False])
    active_reservations: int = Field(examples=[1], description="Holds that have not expired.")
    bookings_today: int = Field(
        examples=[0],
        description="Bookings of this day that were not cancelled. The day is that of each booking's theater; "
        "with `screening_id`, that of the screening's theater, and counted as its limit counts them.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 42,
                    "username": "demo",
                    "email": "demo@example.org",
                    "role": "customer",
                    "is_guest": False,
                    "active_reservations": 1,
                    "bookings_today": 0,
                }
            ]
        }
    )
