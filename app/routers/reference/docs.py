"""Swagger UI and the OpenAPI document, without the internet: everything is served from here."""

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final

import orjson
from fastapi import APIRouter

from app.domain.refusals import NotFound
from app.http.replies import ALWAYS_ASKED, PAGE_HEADERS, Header, Reply, matches, unchanged
from app.http.request import ApiRequest
from app.http.runner.routes import ApiRoute

router = APIRouter(route_class=ApiRoute, include_in_schema=False)

_FOR_A_DAY: Final = b"public, max-age=86400"
_WEB: Final = files("app") / "web"
_VENDOR: Final = "vendor/swagger-ui"

# What is served under /docs/: the file, and what it is.
_FILES: Final = {
    "docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
    "docs.css": ("docs.css", b"text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (f"{_VENDOR}/swagger-ui-bundle.js", b"text/javascript; charset=utf-8"),
    "swagger-ui.css": (f"{_VENDOR}/swagger-ui.css", b"text/css; charset=utf-8"),
    "favicon-32x32.png": (f"{_VENDOR}/favicon-32x32.png", b"image/png"),
}


@router.get("/docs/")
@router.get("/docs")
async def show_docs(request: ApiRequest) -> Reply:
    """Swagger UI: every call, to be tried out here and now."""
    return _file(request, "docs.html", b"text/html; charset=utf-8", ALWAYS_ASKED, PAGE_HEADERS)


@router.get("/docs/{name}")
async def show_docs_file(request: ApiRequest, name: str) -> Reply:
    """A script, style or picture of Swagger UI."""
    if name not in _FILES:
        raise NotFound("file")
    path, media_type = _FILES[name]
    return _file(request, path, media_type, _FOR_A_DAY)


@router.get("/favicon.ico")
async def show_icon(request: ApiRequest) -> Reply:
    """The picture that browsers ask for."""
    path, media_type = _FILES["favicon-32x32.png"]
    return _file(request, path, media_type, _FOR_A_DAY)


@router.get("/openapi.json")
async def show_openapi(request: ApiRequest) -> Reply:
    """The OpenAPI document, encoded once."""
    body = _document(request.app)
    return tagged(request, body, b"application/json", ALWAYS_ASKED)


@cache
def _document(app: object) -> bytes:
    return orjson.dumps(app.openapi())  # type: ignore[attr-defined]


@cache
def _content(path: str) -> bytes:
    return (_WEB / path).read_bytes()


def _file(request: ApiRequest, path: str, media_type: bytes, kept: bytes, headers: tuple[Header, ...] = ()) -> Reply:
    return tagged(request, _content(path), media_type, kept, headers)


def tagged(request: ApiRequest, body: bytes, media_type: bytes, kept: bytes, headers: tuple[Header, ...] = ()) -> Reply:
    """A file with its ETag, or 304."""
    etag = _etag(body)
    if matches(etag, request.headers_once.get(b"if-none-match")):
        return unchanged(etag, kept)
    return Reply(body, headers=[(b"etag", etag), *headers], media_type=media_type, cache=kept)


@cache
def _etag(body: bytes) -> bytes:
    return b'"%s"' % blake2b(body, digest_size=16).hexdigest().encode()
