"""API keys, for admins: how machines show who they are."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Path

from app.dependencies import Admin, ApiKeys
from app.domain.people.people import KeyScope
from app.http.answers import CURSOR, UNCHANGED, cacheable, created, page, tag_of
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import BASE, api_router
from app.http.scopes import api_key_scope
from app.schemas.format.ids import LARGEST_INTEGER
from app.schemas.format.moments import encoded
from app.schemas.format.pages import IdCursor, Limit
from app.schemas.people.api_keys import ApiKeyIn, ApiKeyOut, ApiKeysOut, NewApiKeyOut

router = api_router("people")

ApiKeyId = Annotated[int, Path(ge=1, le=LARGEST_INTEGER, description="A key, as `GET /api-keys` lists them.")]


@router.post(
    "/api-keys",
    status_code=201,
    response_model=NewApiKeyOut,
    response_description="The key; its text is shown this once.",
)
@api_key_scope(KeyScope.PEOPLE)
async def make_api_key(wanted: ApiKeyIn, person: Admin, api_keys: ApiKeys) -> Reply:
    """Make an API key.

    It acts as a user of its own with this role, as far as its scopes go: `read`, `sell`, `house`, `people`.
    """
    made, key = await api_keys.make(person, wanted.name, wanted.role, wanted.scopes)
    return created(encoded(asdict(made) | {"key": key}), f"{BASE}/api-keys/{made.id}")


@router.get("/api-keys", response_model=ApiKeysOut, response_description="A page of keys.", responses=UNCHANGED)
@api_key_scope(KeyScope.PEOPLE)
async def list_api_keys(
    request: ApiRequest,
    _: Admin,
    api_keys: ApiKeys,
    limit: Limit = 50,
    cursor: Annotated[IdCursor | None, CURSOR] = None,
) -> Reply:
    """List the API keys.

    The newest first, without those that were revoked.
    """
    found = await api_keys.newest(cursor, limit)
    items = [asdict(key) for key in found.items]
    return page(request, encoded({"items": items, "next_cursor": found.next_cursor}), found.next_cursor)


@router.get(
    "/api-keys/{api_key_id}",
    response_model=ApiKeyOut,
    response_description="The key.",
    responses=UNCHANGED | problems("not-found"),
)
@api_key_scope(KeyScope.PEOPLE)
async def show_api_key(request: ApiRequest, api_key_id: ApiKeyId, _: Admin, api_keys: ApiKeys) -> Reply:
    """Show an API key.

    When it was last used, to the minute. Its text is not kept.
    """
    body = encoded(asdict(await api_keys.one(api_key_id)))
    return cacheable(request, body, tag_of(body))


@router.delete(
    "/api-keys/{api_key_id}",
    status_code=204,
    response_description="It is believed no more.",
    responses=problems("not-found"),
)
@api_key_scope(KeyScope.PEOPLE)
async def revoke_api_key(api_key_id: ApiKeyId, _: Admin, api_keys: ApiKeys) -> Reply:
    """Revoke an API key.

    Here at once, everywhere within a second. Again changes nothing.
    """
    await api_keys.revoke(api_key_id)
    return Reply(status=204)
