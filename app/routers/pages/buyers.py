"""The pages for people who buy: screenings, a screening's map, their bookings; and the files that those pages load."""

from functools import lru_cache
from typing import Final

from fastapi import APIRouter

from app.dependencies import Catalogue
from app.domain.refusals import NotFound, Refusal
from app.http.pages.files import WEB, WebFile, asset, assets, version, web_file
from app.http.pages.policy import page_headers
from app.http.pages.served import features_of
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.routes import ApiRoute
from app.schemas.format.ids import LARGEST_INTEGER

router = APIRouter(route_class=ApiRoute, include_in_schema=False)

BOOKINGS_PAGE: Final = "/pages/bookings"
"""Where the edge leads browsers that ask for `/bookings`, which is also a call of the API."""


# These ask for the seats while the others still arrive.
_FIRST: Final = ("api.js", "modules/client.js", "modules/clock.js", "modules/load.js")
_VARIES: Final = (b"vary", b"accept")


@router.get("/")
async def show_screenings(request: ApiRequest) -> Reply:
    """What is on sale."""
    return _page(request)


@router.get(BOOKINGS_PAGE)
async def show_bookings(request: ApiRequest) -> Reply:
    """What the visitor has booked."""
    return _page(request)


@router.get("/book/{screening_id}")
async def show_screening(request: ApiRequest, screening_id: str, catalogue: Catalogue) -> Reply:
    """The map of a screening, where seats are chosen and paid for."""
    return _page(request, 200 if await _may_exist(screening_id, catalogue) else 404)


@router.get("/assets/{name}")
async def show_asset(request: ApiRequest, name: str) -> Reply:
    """A file at the address that does not change, as api.js has for other front ends."""
    return _asset(request, name, None)


@router.get("/assets/{wanted}/{name}")
async def show_asset_of_version(request: ApiRequest, wanted: str, name: str) -> Reply:
    """A file of the pages."""
    return _asset(request, name, wanted)


@router.get("/assets/{wanted}/{folder}/{name}")
async def show_asset_in_folder(request: ApiRequest, wanted: str, folder: str, name: str) -> Reply:
    """A module or the words of a language."""
    return _asset(request, f"{folder}/{name}", wanted)


async def _may_exist(screening_id: str, catalogue: Catalogue) -> bool:
    """False if there is no such screening. If that cannot be found out now, the page asks again by itself."""
    if not (screening_id.isascii() and screening_id.isdigit()) or len(screening_id) > 10:
        return False
    try:
        return int(screening_id) <= LARGEST_INTEGER and bool(await catalogue.screening(int(screening_id)))
    except NotFound:
        return False
    except Refusal:
        return True


def _asset(request: ApiRequest, path: str, wanted: str | None) -> Reply:
    found = asset(request, path, wanted)
    if found is None:
        raise NotFound("file")
    return found


def _page(request: ApiRequest, status: int = 200) -> Reply:
    settings = request.resources.settings
    document = _document(" ".join(sorted(features_of(request.app))))
    return document.reply(request, status=status, headers=(*page_headers(settings.frame_ancestors), _VARIES))


@lru_cache(maxsize=4)
def _document(features: str) -> WebFile:
    """The one document of all pages: which files it loads, and which parts of the API there are."""
    modules = "\n".join(
        f'<link rel="modulepreload" href="/assets/{version()}/{path}">'
        for path in sorted(assets(), key=lambda path: path not in _FIRST)
        if path.endswith(".js") and (not path.startswith("words/") or path == "words/en.js")
    )
    html = (WEB / "pages" / "index.html").read_text()
    for name, value in (("version", version()), ("modules", modules), ("features", features)):
        html = html.replace(f"{{{{{name}}}}}", value)
    return web_file(html.encode(), b"text/html; charset=utf-8")
