"""API keys in JSON (docs/api.md, section 8)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from app.domain.people.people import KeyScope, Role
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut
from app.schemas.format.requests import Line, Strict


def _each_once(scopes: list[KeyScope]) -> list[KeyScope]:
    if len(set(scopes)) != len(scopes):
        raise PydanticCustomError("scope_twice", "The same scope is named more than once.")
    return scopes


class ApiKeyIn(Strict):
    """A new API key, for a program or a device."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Box office 2", "role": "organizer", "scopes": ["read", "sell"]}]}
    )

    name: Line = Field(max_length=100, examples=["Box office 2"], description="What uses the key, for people.")
    role: Role = Field(strict=False, examples=["organizer"], description="The role of the user that it acts as.")
    scopes: Annotated[list[Annotated[KeyScope, Field(strict=False)]], AfterValidator(_each_once)] = Field(
        min_length=1,
        max_length=len(KeyScope),
        examples=[["read", "sell"]],
        description="What the key may be used for, within its role.",
    )


_EXAMPLE: JsonDict = {
    "id": 1,
    "user_id": 17,
    "name": "Box office 2",
    "role": "organizer",
    "scopes": ["read", "sell"],
    "prefix": "usher_x1Yz7Q",
    "created_at": "2026-11-20T11:53:28.235Z",
    "last_used_at": None,
}
_KEY = "usher_x1Yz7QfN0c2yV5tGkq8eJb3LrWm6Hd9aSpUoXiTzRvE"


class ApiKeyOut(BaseModel):
    """An API key without its secret."""

    id: int = Field(examples=[1])
    user_id: UserIdOut = Field(examples=[17], description="The user that it acts as.")
    name: str = Field(examples=["Box office 2"])
    role: Role = Field(examples=["organizer"])
    scopes: list[KeyScope] = Field(examples=[["read", "sell"]])
    prefix: str = Field(examples=["usher_x1Yz7Q"], description="The first characters of the key.")
    created_at: MomentOut
    last_used_at: MomentOut | None = Field(description="When it was last used, to the minute; null: never.")

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class NewApiKeyOut(ApiKeyOut):
    """A new API key. Its secret is shown only in this response."""

    key: str = Field(
        examples=[_KEY],
        description="Send it as `Authorization: Bearer <key>`. It is shown only once.",
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "key": _KEY}]})


class ApiKeysOut(BaseModel):
    """A page of keys, newest first."""

    items: list[ApiKeyOut]
    next_cursor: str | None = Field(examples=[None])

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})
